"""Bourse without Docker: the venue's servers and processes, started by one command.

PostgreSQL and Valkey come as ordinary Python wheels; this package finds their programs, keeps
their data in a state folder, and runs them together with the venue's own processes. It knows
nothing of Django, so that it can be used by tests, benchmarks and tools alike.

    python -m embedded run                  everything, on http://127.0.0.1:8000
    embedded.services.temporary_services()  throw-away servers for a test session
"""
