"""The file .env: made once with fresh secrets, then only completed."""

import re
import stat
from pathlib import Path

from embedded import environment, paths

EXAMPLE = paths.project_root() / ".env.example"


def test_first_start_writes_private_file_with_secrets_and_the_examples_values(tmp_path: Path):
    file = tmp_path / ".env"

    environment.ensure(file, example=EXAMPLE)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    variables = environment.read(file)
    assert len(variables["SECRET_KEY"]) == 64
    assert len(variables["ADMIN_API_KEY"]) == 43
    assert len(variables["ADMIN_PASSWORD"]) == 16
    assert variables["ADMIN_EMAIL"] == "admin@example.com"
    assert variables["DEBUG"] == "false"
    assert variables["ALLOWED_HOSTS"] == "localhost,127.0.0.1"
    for name in ("DEMO", "OPEN_LISTING", "ALLOW_RESET", "WEBHOOK_ALLOW_PRIVATE"):
        assert variables[name] == "true"
    assert "DATABASE_URL" not in variables


def test_comments_are_carried_over(tmp_path: Path):
    file = tmp_path / ".env"

    environment.ensure(file, example=EXAMPLE)

    comments = [line for line in EXAMPLE.read_text().splitlines() if line.startswith("#")]
    assert [line for line in file.read_text().splitlines() if line.startswith("#")] == comments


def test_two_first_starts_make_different_secrets(tmp_path: Path):
    environment.ensure(tmp_path / "a", example=EXAMPLE)
    environment.ensure(tmp_path / "b", example=EXAMPLE)

    first, second = environment.read(tmp_path / "a"), environment.read(tmp_path / "b")
    assert first["SECRET_KEY"] != second["SECRET_KEY"]


def test_complete_file_is_left_byte_for_byte(tmp_path: Path):
    file = tmp_path / ".env"
    environment.ensure(file, example=EXAMPLE)
    before = file.read_bytes()

    assert environment.ensure(file, example=EXAMPLE) == []

    assert file.read_bytes() == before


def test_missing_variables_are_appended_and_present_ones_kept(tmp_path: Path):
    example = tmp_path / "example"
    example.write_text("# about A\nA=1\n# the key\nSECRET_KEY=\n# about B\nB=2\n")
    file = tmp_path / ".env"
    file.write_text("# mine\nA='other'\nSECRET_KEY=kept")

    assert environment.ensure(file, example=example) == ["B"]

    assert file.read_text() == "# mine\nA='other'\nSECRET_KEY=kept\n# about B\nB=2\n"
    assert environment.read(file) == {"A": "other", "SECRET_KEY": "kept", "B": "2"}


def test_plain_copy_of_the_example_gets_its_secrets_filled_in(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text(EXAMPLE.read_text())

    filled = environment.ensure(file, example=EXAMPLE)

    assert filled == ["SECRET_KEY", "ADMIN_API_KEY", "ADMIN_PASSWORD"]
    assert all(environment.read(file)[name] for name in filled)


def test_the_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("A=file\nB=file\n")

    assert environment.complete({"A": "set"}, file) == {"A": "set", "B": "file"}


def test_example_tells_of_every_variable_that_gunicorns_settings_read():
    project = paths.project_root() / "exchange_project"
    gunicorn = (project / "gunicorn.py").read_text()
    gunicorn += (project / "front" / "gunicorn.py").read_text()
    read = set(re.findall(r'(?:environ\.get|_number)\("(\w+)"', gunicorn))

    told = set(re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE.read_text(), flags=re.MULTILINE))

    # The supervisor gives the addresses, from HOST and PORT of `make run`.
    assert read - told - {"BIND", "DJANGO_BIND"} == set()
    assert {"WEB_WORKERS", "DJANGO_THREADS"} <= read
