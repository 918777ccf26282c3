"""The container files are whole: what they name is there, what they run is what `make run` runs."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from embedded import venue
from embedded.venue import VenueOptions
from tests.architecture.project import ROOT

COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "bourse"}
PINNED = re.compile(r"[a-z/]+:\d[\w.-]*")


def test_services_are_the_processes_of_the_venue_and_what_it_needs():
    workers = {f"worker-{queue}" for queue in venue.QUEUES}
    assert set(OURS) == {"migrate", "django", "web", "engine", "engine-standby", "beat"} | workers
    assert set(SERVICES) - set(OURS) == {"postgres", "valkey", "nginx"}


def test_one_image_is_ours_and_the_others_are_pinned():
    assert all(service["build"] == "." for service in OURS.values())
    others = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert all(PINNED.fullmatch(image) for image in others), others


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_name_programs_that_the_venue_runs(name: str):
    command = OURS[name]["command"]

    if command[:2] == ["python", "manage.py"]:
        commands = get_commands()
        assert command[2] in commands
        parser = load_command_class(commands[command[2]], command[2]).create_parser("", command[2])
        parser.parse_args(command[3:])
    elif command[0] == "celery":
        assert command[1] == "-A"
        assert import_module(command[2]).celery_app.main == "exchange_project"
        assert command[3] in ("worker", "beat")
    else:
        assert command[0] == "gunicorn"
        _check_gunicorn(command)


def test_commands_are_those_of_make_run():
    """What `make run` starts, started the same way: only addresses and counts differ."""
    environ = {"DJANGO_URL": "unix:///somewhere"}
    running = {spec.name: spec.command for spec in venue.long_running(VenueOptions(), environ)}

    assert tuple(OURS["engine"]["command"][1:]) == running["engine-0"][1:]
    assert OURS["engine-standby"]["command"] == OURS["engine"]["command"]
    for queue in venue.QUEUES:
        assert tuple(OURS[f"worker-{queue}"]["command"]) == running[f"worker-{queue}"][2:]
    assert tuple(OURS["beat"]["command"][:-1]) == running["beat"][2:]
    assert set(OURS["web"]["command"]) <= set(running["web"])
    assert set(OURS["django"]["command"]) <= set(running["django"])


def test_django_knows_that_the_front_is_before_it():
    environ = {"DJANGO_URL": "unix:///somewhere"}
    running = {spec.name: spec.environ for spec in venue.long_running(VenueOptions(), environ)}

    assert OURS["django"]["environment"]["BEHIND_FRONT"] == "true"
    assert running["django"]["BEHIND_FRONT"] == "true"
    assert "BEHIND_FRONT" not in running["web"]
    assert OURS["web"]["environment"]["DJANGO_URL"] == "http://django:8001"


def test_the_image_serves_web_by_itself():
    dockerfile = (ROOT / "Dockerfile").read_text()
    command = re.search(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)

    assert command is not None
    assert yaml.safe_load(command.group(1)) == OURS["web"]["command"]
    assert re.search(r"^USER bourse$", dockerfile, re.MULTILINE)
    assert "--require-hashes" in dockerfile


def test_everything_but_the_migration_is_started_again_when_it_ends():
    restarts = {name: service["restart"] for name, service in SERVICES.items()}

    assert restarts.pop("migrate") == "no"
    assert set(restarts.values()) == {"always"}


def test_who_is_waited_for_is_there_and_can_be_waited_for():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES, f"{name} waits for {needed}"
            if how["condition"] == "service_healthy":
                assert SERVICES[needed]["healthcheck"]["test"], needed
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[needed]["restart"] == "no", needed


def test_health_checks_name_a_program_and_their_patience():
    checks = {name: s["healthcheck"] for name, s in SERVICES.items() if "healthcheck" in s}

    assert set(checks) == {"postgres", "valkey", "web", "nginx"}
    for check in checks.values():
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries"} <= set(check)


def test_volumes_are_declared_or_files_of_the_project():
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).is_file(), source
            else:
                assert source in COMPOSE["volumes"]


def test_variables_are_told_in_the_example_and_secrets_have_no_default():
    text = COMPOSE_FILE.read_text()
    example = (ROOT / ".env.example").read_text()
    told = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))

    used = dict(re.findall(r"\$\{([A-Z_]+)(:[?-])", text))

    assert set(used) - told == set()
    assert len(re.findall(r"(?<!\$)\$\{", text)) == len(re.findall(r"\$\{[A-Z_]+:[?-]", text))
    for name in ("SECRET_KEY", "ADMIN_API_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD"):
        assert used[name] == ":?", f"{name} must not have a default"


def test_what_suits_a_demo_only_stays_off():
    for service in OURS.values():
        names = set(service["environment"])
        assert not names & {"DEBUG", "DEMO", "ALLOW_RESET", "OPEN_LISTING", "WEBHOOK_ALLOW_PRIVATE"}
        assert service["environment"]["DJANGO_SETTINGS_MODULE"].endswith(".production")


def test_nginx_hands_on_to_web():
    conf = (ROOT / "deploy" / "nginx.conf").read_text()
    name, port = re.findall(r"^\s*server (\w+):(\d+)", conf, re.MULTILINE)[0]

    assert name in OURS
    assert OURS[name]["environment"]["BIND"].endswith(f":{port}")
    listens = re.findall(r"listen (\d+);", conf)
    assert [one.rpartition(":")[2] for one in SERVICES["nginx"]["ports"]] == listens


@pytest.mark.parametrize("name", [".env", ".git", ".venv", "var"])
def test_no_secret_and_no_data_goes_into_the_image(name: str):
    assert name in (ROOT / ".dockerignore").read_text().splitlines()


def _check_gunicorn(command: list[str]) -> None:
    module = import_module(command[1])
    assert callable(module.application)
    settings = Path(ROOT, command[command.index("-c") + 1])
    assert settings.is_file()
