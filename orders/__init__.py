"""Orders and trades: matching, the engine, and the services that send it commands."""
