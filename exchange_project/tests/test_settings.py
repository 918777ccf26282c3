"""Where settings come from, and what they may be: every one of `.env.example` has a rule."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import Error, Warning, run_checks
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from embedded import environment, paths
from exchange_project.settings.retention import KEPT_DAYS
from exchange_project.settings.rules import RULES, read_settings

ROOT = paths.project_root()
EXAMPLE = (ROOT / ".env.example").read_text()
SHOWN = re.findall(r"^(# )?([A-Z][A-Z_]*)=(.*)$", EXAMPLE, re.MULTILINE)
REQUIRED = {
    "SECRET_KEY": "x" * 32,
    "DATABASE_URL": "postgresql://bourse:secret@db.example.com/bourse",
    "REDIS_URL": "redis://cache.example.com:6379/0",
}
PROGRAM = (
    "from django.conf import settings\n"
    "print(settings.SIMULATOR_STARTING_BALANCE, settings.PRICE_SIMULATION_SEED)"
)
FLAGS = [name for name, rule in RULES.items() if rule.allowed == "true or false"]
# What each setting but the flags refuses.
REFUSED: dict[str, list[str]] = {
    "SECRET_KEY": ["", "x", "x" * 31, "spaces " * 8],
    "ADMIN_API_KEY": ["short", "with spaces in the middle"],
    "ADMIN_EMAIL": ["admin", "a@b@c", "a b@example.com"],
    "ADMIN_PASSWORD": ["1234567"],
    "ALLOWED_HOSTS": ["", ",", "https://venue.example.com", "venue.example.com/path"],
    "PRICE_PROVIDERS_EQUITY": ["", "google", "yahoo,google"],
    "PRICE_PROVIDERS_CRYPTO": ["", "google"],
    "SIMULATOR_STARTING_BALANCE": ["", "-1", "NaN", "Infinity", "1e13", "plenty"],
    "DATABASE_URL": ["", "sqlite:///db", "mysql://host/db", "postgresql://host:port/db"],
    "REDIS_URL": ["", "localhost:6379", "http://localhost", "redis://host:0/0"],
    "REDIS_PREFIX": ["", "a b", "all*"],
    "VENUE_CURRENCY": ["", "usd", "U S D"],
    "ENGINE_SHARDS": ["", "0", "-1", "4097", "two", "1.5", "1_0", "٣"],
    "ENGINE_BATCH_MAX": ["", "0", "-1", "10001"],
    "ENGINE_BACKLOG_MAX": ["0", "many"],
    "ORDER_WINDOW_SECONDS": ["0", "61", "5s"],
    "ENGINE_CLOCK_OFFSET_MAX_SECONDS": ["", "0", "61", "nan"],
    "API_RATE_PER_SECOND": ["", "-1"],
    "API_CANCEL_RATE_PER_SECOND": ["", "-1"],
    "ENGINE_BACKLOG_MAX_PER_KEY": ["0"],
    "WEB_WORKERS": ["", "0", "257"],
    "DJANGO_WORKERS": ["", "0"],
    "DJANGO_THREADS": ["", "0"],
    "WEB_CONNECTIONS": ["", "0"],
    "SEAL_EVERY_SECONDS": ["0"],
    "SEAL_LAG_SECONDS": ["-1"],
    "LEDGER_CHECK_EVERY_SECONDS": ["9"],
    "WEBHOOK_TIMEOUT_SECONDS": ["0", "61"],
    "WEBHOOK_RUNS_MAX": ["0"],
    "RETAIL_BROKER": ["", " Retail", "x" * 101, "two\nlines"],
    "AUTH_ATTEMPTS_PER_MINUTE": ["-1"],
    "PASSWORD_HASHES_AT_ONCE": ["0"],
    "STAFF_IDLE_SECONDS": ["59"],
    "LOGIN_HISTORY_KEPT_DAYS": ["0", "36501"],
    "PROXY_COUNT": ["", "-1", "11"],
    "EMAIL_URL": ["", "mail.example.com", "imap://mail.example.com"],
    "DEFAULT_FROM_EMAIL": ["", "Bourse", "a@b\r\nBcc: c@d"],
    "RESET_HOOK": ["fund", "exchange_project.simulator:fund"],
    "DEMO_KEYS_FILE": [""],
    "ALERT_EMAILS": ["risk", "a@b.example,risk"],
    "ALERT_WEBHOOK_URL": ["alerts.example.com", "ftp://alerts.example.com"],
    **{key: ["0", "36501", "ever"] for key in KEPT_DAYS},
    "WITHDRAWAL_TWO_PERSONS_ABOVE": ["", "-1", "a lot"],
    "WITHDRAWAL_TWO_PERSONS_ABOVE_OF": ["BTC", "BTC=0", "btc=1", "=1", "BTC=x"],
    "QUOTE_SECONDS": ["0"],
    "MARGIN_CALL_LEVELS": ["", "0.8,1.1", "0.05", "-1", "high"],
    "PREMIUM_SAMPLES_KEPT_DAYS": ["-1", "36501", "ever"],
    "IMPACT_NOTIONAL": ["", "0"],
    "IMPACT_NOTIONAL_OF": ["BTC=0"],
    "ALPHAVANTAGE_API_KEY": ["two words"],
    "PRICE_CACHE_SECONDS": ["0"],
    "PRICE_STALE_SECONDS": ["0", "179"],
    "PRICE_STALE_SECONDS_EQUITY": ["0"],
    "EQUITY_MARKET_HOURS": ["", "09:30-16:00", "9:30-16:00 Europe/Berlin", "09:30-25:00 UTC"],
    "PRICE_TIMEOUT_SECONDS": ["", "0", "61", "nan"],
    "PRICE_REQUESTS_PER_MINUTE": ["yahoo", "yahoo=0"],
    "PRICE_PROBES_PER_MINUTE": ["-1"],
    "PRICE_TABLE": ["AAPL", "AAPL=-1", "AAPL=cheap"],
    "DEALER_SPREAD_RATE": ["", "-0.1", "1", "a bit"],
    "PRICE_SIMULATION_SEED": [""],
    "CSRF_TRUSTED_ORIGINS": ["venue.example.com", "https://venue.example.com/path"],
    "CORS_ALLOWED_ORIGINS": ["app.example.com", "https://app.example.com/", "ftp://a.test"],
    "STATIC_ROOT": [""],
    "LOG_LEVEL": ["", "info", "LOUD"],
    "LOG_FORMAT": ["", "xml"],
    "POSTGRES_PASSWORD": ["short", "p@ssword"],
    "POSTGRES_APP_PASSWORD": ["short", "p@ssword"],
    "VALKEY_PASSWORD": ["short", "p@ssword"],
    "BIND": ["8000", ":8000"],
    "DJANGO_BIND": ["8001"],
    "DJANGO_URL": ["", "django:8001"],
}


def start(module: str, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py` as on a machine that has these settings alone."""
    ours = {name: value for name, value in os.environ.items() if name not in RULES}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=ours
        | {"ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": f"exchange_project.settings.{module}"}
        | REQUIRED
        | environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "printed"),
    [("exchange_project.settings.base", "7 file"), ("exchange_project.settings.test", "0 bourse")],
)
def test_tests_do_not_read_the_settings_of_this_machine(
    module: str, printed: str, tmp_path: Path
) -> None:
    file = tmp_path / "settings"
    file.write_text("SIMULATOR_STARTING_BALANCE=7\nPRICE_SIMULATION_SEED=file\n")
    environ = os.environ | {"ENV_FILE": str(file), "DJANGO_SETTINGS_MODULE": module}
    environ.setdefault("SECRET_KEY", "x" * 32)

    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == printed


def test_every_setting_of_the_example_has_a_rule_and_every_rule_its_refusals() -> None:
    names = {name for _, name, _ in SHOWN}

    given_by_the_start = {"BIND", "DJANGO_BIND", "DJANGO_URL", "BEHIND_FRONT"}
    assert set(RULES) - given_by_the_start == names
    assert set(REFUSED) | set(FLAGS) == set(RULES)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for _, name, value in SHOWN if value], ids=str
)
def test_values_that_the_example_shows_are_allowed(name: str, value: str) -> None:
    read_settings(REQUIRED | {name: value})


def test_defaults_of_the_example_are_those_of_the_rules() -> None:
    shown = {name: value for commented, name, value in SHOWN if commented and value}
    # Examples rather than defaults, relative paths, and what follows from others.
    for name in ("DATABASE_URL", "REDIS_URL", "PRICE_TABLE", "DEMO_KEYS_FILE", "STATIC_ROOT"):
        del shown[name]
    derived = {name: shown.pop(name) for name in ("API_CANCEL_RATE_PER_SECOND", "PROXY_COUNT")}

    values = read_settings(REQUIRED)

    assert {name: RULES[name].parse(value) for name, value in shown.items()} == {
        name: values[name] for name in shown
    }
    assert derived == {"API_CANCEL_RATE_PER_SECOND": "20000", "PROXY_COUNT": "0"}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in REFUSED.items() for value in values]
    + [(name, value) for name in FLAGS for value in ("", "maybe", "2")],
    ids=ascii,
)
def test_what_makes_no_sense_is_refused_with_name_and_range(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read_settings(REQUIRED | {name: value})

    [heading, problem] = str(refused.value).splitlines()
    assert heading == "Settings are wrong:"
    assert problem.startswith(f"  {name} is ")
    assert "; allowed: " in problem


@pytest.mark.parametrize("name", sorted(RULES))
def test_an_empty_value_is_allowed_where_the_rule_says_so_and_nowhere_else(name: str) -> None:
    if "empty" in RULES[name].allowed:
        read_settings(REQUIRED | {name: ""})
    else:
        with pytest.raises(ImproperlyConfigured, match=f"{name} is empty; allowed: "):
            read_settings(REQUIRED | {name: ""})


def test_all_that_is_wrong_is_named_at_once_and_secrets_are_not_shown() -> None:
    wrong = {"SECRET_KEY": "hunter2", "ENGINE_SHARDS": "0", "ENGINE_BATCH_MAX": "-1"}

    with pytest.raises(ImproperlyConfigured) as refused:
        read_settings(wrong | {"REDIS_URL": "redis://host:0/0"})

    assert str(refused.value).splitlines() == [
        "Settings are wrong:",
        "  SECRET_KEY is a value of 7 characters that is not shown; "
        "allowed: at least 32 characters without spaces",
        "  DATABASE_URL is not set; "
        "allowed: an address such as postgresql://user:password@host:5432/name",
        "  REDIS_URL is a value of 16 characters that is not shown; "
        "allowed: an address such as redis://:password@host:6379/0",
        "  ENGINE_SHARDS is '0'; allowed: a whole number from 1 to 4096",
        "  ENGINE_BATCH_MAX is '-1'; allowed: a whole number from 1 to 10000",
    ]


def test_a_start_with_a_wrong_setting_ends_with_the_message_alone() -> None:
    done = start("base", "check", ENGINE_SHARDS="0")

    assert done.returncode == 1
    assert done.stderr == (
        "Settings are wrong:\n  ENGINE_SHARDS is '0'; allowed: a whole number from 1 to 4096\n"
    )


def test_production_refuses_what_suits_a_demo_at_start() -> None:
    demo = {"DEMO": "true", "ALLOW_RESET": "true", "DEBUG": "true"}

    for arguments in (["check", "--deploy"], ["run_engine", "--shard", "0"]):
        done = start("production", *arguments, **demo)

        assert done.returncode == 1
        [heading, *named] = done.stderr.splitlines()
        assert heading == "Not in production:"
        assert [line.split()[0] for line in named] == ["DEBUG", "DEMO", "ALLOW_RESET"]
    assert start("base", "check", **demo).returncode == 0


def test_production_settings_pass_the_checks_of_a_deployment() -> None:
    done = start(
        "production",
        "check",
        "--deploy",
        SECRET_KEY="0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
        ADMIN_API_KEY="k" * 43,
        ALLOWED_HOSTS="venue.example.com",
    )

    assert done.returncode == 0, done.stderr
    assert "bourse." not in done.stderr


def test_checks_of_a_deployment_report_demo_settings_under_any_settings(
    settings: Settings,
) -> None:
    settings.DEBUG = settings.DEMO = settings.ALLOW_RESET = True
    settings.SIMULATOR_STARTING_BALANCE = 1

    found = [
        one for one in run_checks(include_deployment_checks=True) if (one.id or "")[:6] == "bourse"
    ]

    errors = [one.msg.split()[0] for one in found if isinstance(one, Error)]
    assert errors == ["DEBUG", "DEMO", "ALLOW_RESET"]
    warned = {one.msg.split()[0] for one in found if isinstance(one, Warning)}
    assert {"SANDBOX_ACCOUNTS", "SIMULATOR_STARTING_BALANCE", "PRICE_PROVIDERS_EQUITY"} <= warned


def test_a_first_start_of_make_run_has_settings_that_are_allowed(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    environment.ensure(file, example=ROOT / ".env.example")

    values = read_settings(environment.read(file) | {n: REQUIRED[n] for n in list(REQUIRED)[1:]})

    assert values["DEMO"] is True
    assert len(values["ADMIN_API_KEY"]) == 43
