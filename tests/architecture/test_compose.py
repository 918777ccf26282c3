"""The container files are whole: what they name is there, what they run is what `make run` runs."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from embedded import venue
from embedded.venue import VenueOptions
from exchange_project.settings.deployment import find_demo_settings
from exchange_project.settings.rules import RULES, read_settings
from tests.architecture.project import ROOT

COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "bourse"}
EXAMPLE = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
PASSWORDS = {"POSTGRES_PASSWORD", "POSTGRES_APP_PASSWORD", "VALKEY_PASSWORD"}
PROBED = set(OURS) - {"migrate"}
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

    assert set(checks) == set(SERVICES) - {"migrate"}
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


@pytest.mark.parametrize("name", sorted(PROBED))
def test_health_checks_ask_for_the_process_that_the_container_runs(name: str):
    test = OURS[name]["healthcheck"]["test"]

    assert test[:4] == ["CMD", "python", "-m", "embedded.probe"]
    assert test[4] == name.removesuffix("-standby")
    if name == "django":
        port = OURS["django"]["environment"]["DJANGO_BIND"].rpartition(":")[2]
        assert test[5:] == ["--url", f"http://127.0.0.1:{port}/health"]


def test_every_setting_of_the_example_reaches_every_process():
    """As it stands in .env, unless the composition itself decides: `NAME:` passes it on."""
    decided = {"DATABASE_URL", "REDIS_URL", "ENGINE_SHARDS", "STATIC_ROOT"}
    for_servers = {"POSTGRES_PASSWORD", "POSTGRES_APP_PASSWORD", "VALKEY_PASSWORD"}
    required = {"SECRET_KEY", "ADMIN_API_KEY", "ALLOWED_HOSTS", "PROXY_COUNT"}

    for name, service in OURS.items():
        environment = service["environment"]
        assert set(RULES) - set(environment) - for_servers <= {"STATIC_ROOT", "BEHIND_FRONT"}, name
        passed_on = {key for key, value in environment.items() if value is None}
        assert passed_on == EXAMPLE - decided - for_servers - required, name
        assert set(environment) <= set(RULES) | {"DJANGO_SETTINGS_MODULE"}, name


def test_variables_are_told_in_the_example_and_secrets_have_no_default():
    text = COMPOSE_FILE.read_text()
    used = dict(re.findall(r"\$\{([A-Z_]+)(:[?-])", text))

    assert set(used) - EXAMPLE == set()
    assert len(re.findall(r"(?<!\$)\$\{", text)) == len(re.findall(r"\$\{[A-Z_]+:[?-]", text))
    for name in ("SECRET_KEY", "ADMIN_API_KEY", *sorted(PASSWORDS)):
        assert used[name] == ":?", f"{name} must not have a default"


def test_values_that_the_composition_decides_are_allowed():
    """With passwords that hold, and without what .env may add."""
    for name, service in OURS.items():
        given = {
            key: re.sub(r"\$\{[A-Z_]+(?::-(\w+)|:\?[^}]*)\}", _filled_in, value)
            for key, value in service["environment"].items()
            if value is not None
        }
        assert find_demo_settings(read_settings(given)) == [], name


def test_processes_have_a_role_of_their_own_and_only_the_migration_is_the_owner():
    owner = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    command = OURS["migrate"]["command"]
    role = command[command.index("--application-role") + 1]

    users = {
        name: urlsplit(re.sub(r"\$\{[^}]*\}", "secret", service["environment"]["DATABASE_URL"]))
        for name, service in OURS.items()
    }

    assert users.pop("migrate").username == owner
    assert {url.username for url in users.values()} == {role} != {owner}
    for name in users:
        assert not PASSWORDS & set(OURS[name]["environment"]), name


def _filled_in(match: re.Match[str]) -> str:
    return match.group(1) or "a0secret" * 8


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
