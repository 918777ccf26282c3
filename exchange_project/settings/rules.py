"""What each setting may be: one table, by which the environment is read and refused.

`read_settings` returns the value of every setting, or raises with all that is wrong at once: name,
value and what is allowed. An empty variable is not the same as none: it is refused where it means
nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from exchange_project.settings.retention import KEPT_DAYS

BASE_DIR = Path(__file__).resolve().parent.parent.parent

_TRUE = frozenset(environ.Env.BOOLEAN_TRUE_STRINGS)
_FALSE = frozenset(("false", "off", "n", "no", "0"))
_SHOWN_CHARACTERS = 60
_AMOUNT_MAX = 10**12
_DAYS_MAX = 36_500
PRICE_SERVICES = ("yahoo", "alphavantage", "book", "fixed", "simulated")
_CODE = re.compile(r"[A-Z][A-Z0-9]{0,19}")
_HOST = re.compile(r"\*|\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9a-fA-F:.]+\]")
_ORIGIN = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9.-]+(?::\d+)?")
_CALLER = re.compile(r"https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?|\*")
_BIND = re.compile(r"unix:/.+|(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}")
_DJANGO_URL = re.compile(r"unix:///.+|https?://.+")
_WEB = re.compile(r"https?://[^\s]+")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_SENDER = re.compile(r"[^@\r\n]*<[^@\s]+@[^@\s]+>|[^@\s]+@[^@\s]+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d [A-Za-z0-9_+\-/]+")
_PRICE = re.compile(r"\d+(?:\.\d+)?(?: [A-Za-z]{3,20})?")


@dataclass(frozen=True)
class Rule:
    """How a setting is read. `parse` raises ValueError for what `allowed` does not name."""

    parse: Callable[[str], Any]
    allowed: str
    default: Any = None
    is_required: bool = False
    # Its value is not shown in messages.
    is_secret: bool = False


def read_settings(environ_: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of all settings, each as the environment or its default has it.

    Raises:
        ImproperlyConfigured: some are not allowed; the message names all of them.
    """
    values: dict[str, Any] = {}
    problems = []
    for name, rule in RULES.items():
        if name not in environ_:
            values[name] = rule.default
            if rule.is_required:
                problems.append(f"{name} is not set; allowed: {rule.allowed}")
            continue
        try:
            values[name] = rule.parse(environ_[name])
        except (ValueError, InvalidOperation):
            problems.append(f"{name} is {_shown(rule, environ_[name])}; allowed: {rule.allowed}")
    if not problems:
        problems = _find_conflicts(values)
    if problems:
        raise environ.ImproperlyConfigured("\n  ".join(["Settings are wrong:", *problems]))
    return values


def _shown(rule: Rule, text: str) -> str:
    if not text:
        return "empty"
    if rule.is_secret:
        return f"a value of {len(text)} characters that is not shown"
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return ascii(shown)


def _find_conflicts(values: Mapping[str, Any]) -> list[str]:
    """What is allowed alone and makes no sense together."""
    cache, stale = values["PRICE_CACHE_SECONDS"], values["PRICE_STALE_SECONDS"]
    if stale < cache:
        return [f"PRICE_STALE_SECONDS is {stale}; allowed: PRICE_CACHE_SECONDS, {cache}, or more"]
    return []


def _check(is_allowed: bool) -> None:
    if not is_allowed:
        raise ValueError


def _whole(default: int | None, low: int, high: int) -> Rule:
    def parse(text: str) -> int:
        value = int(text)
        _check(text.isascii() and "_" not in text and low <= value <= high)
        return value

    return Rule(parse, f"a whole number from {low} to {high}", default)


def _number(text: str) -> Decimal:
    value = Decimal(text)
    _check(text.isascii() and "_" not in text and value.is_finite())
    return value


def _amount(default: int) -> Rule:
    def parse(text: str) -> Decimal:
        value = _number(text)
        _check(0 <= value <= _AMOUNT_MAX)
        return value

    return Rule(parse, f"a number from 0 to {_AMOUNT_MAX}", Decimal(default))


def _notional(default: int) -> Rule:
    return Rule(_positive, f"a number above 0, at most {_AMOUNT_MAX}", Decimal(default))


def _positive(text: str) -> Decimal:
    value = _number(text)
    _check(0 < value <= _AMOUNT_MAX)
    return value


def _flag() -> Rule:
    return _flag_with(False)


def _flag_with(default: bool) -> Rule:
    def parse(text: str) -> bool:
        _check(text.lower() in _TRUE | _FALSE)
        return text.lower() in _TRUE

    return Rule(parse, "true or false", default)


def _choice(default: str, *names: str) -> Rule:
    def parse(text: str) -> str:
        _check(text in names)
        return text

    return Rule(parse, f"one of {', '.join(names)}", default)


def _text(pattern: re.Pattern[str], allowed: str, default: str, *, may_be_empty: bool) -> Rule:
    def parse(text: str) -> str:
        _check((not text and may_be_empty) or pattern.fullmatch(text) is not None)
        return text

    return Rule(parse, f"empty, or {allowed}" if may_be_empty else allowed, default)


def _plain(default: str, length_max: int = 100) -> Rule:
    pattern = re.compile(rf"(?!\s)[^\x00-\x1f\x7f]{{1,{length_max}}}(?<!\s)")
    return _text(pattern, f"1 to {length_max} characters", default, may_be_empty=False)


def _secret(length_min: int, *, is_required: bool = False, alphabet: str = "!-~") -> Rule:
    pattern = re.compile(rf"[{alphabet}]{{{length_min},}}")

    def parse(text: str) -> str:
        _check((not text and not is_required) or pattern.fullmatch(text) is not None)
        return text

    named = "letters and digits" if alphabet != "!-~" else "characters without spaces"
    allowed = f"at least {length_min} {named}" + ("" if is_required else ", or empty")
    return Rule(parse, allowed, "", is_required=is_required, is_secret=True)


def _list(pattern: re.Pattern[str], each: str, default: list[str], *, may_be_empty: bool) -> Rule:
    def parse(text: str) -> list[str]:
        items = _items(text)
        _check((may_be_empty or bool(items)) and all(pattern.fullmatch(one) for one in items))
        return items

    prefix = "empty, or " if may_be_empty else ""
    return Rule(parse, f"{prefix}{each}, with commas between", default)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _table(parse_value: Callable[[str], Any], allowed: str, default: dict[str, Any]) -> Rule:
    def parse(text: str) -> dict[str, Any]:
        pairs = [item.split("=", 1) for item in _items(text)]
        _check(all(len(pair) == 2 and pair[0].strip() for pair in pairs))
        return {name.strip(): parse_value(value.strip()) for name, value in pairs}

    return Rule(parse, f"empty, or {allowed}, with commas between", default)


def _of_assets(parse_value: Callable[[str], Decimal], default: dict[str, Decimal]) -> Rule:
    rule = _table(parse_value, "ASSET=number of each above 0", default)

    def parse(text: str) -> dict[str, Decimal]:
        found: dict[str, Decimal] = rule.parse(text)
        _check(all(_CODE.fullmatch(name) for name in found))
        return found

    return Rule(parse, rule.allowed, default)


def _levels(text: str) -> list[Decimal]:
    levels = [_number(item) for item in _items(text)]
    _check(bool(levels) and all(Decimal("0.05") < one <= 1 for one in levels))
    return levels


def _service_limit(text: str) -> int:
    limit: int = _whole(None, 1, 1_000_000).parse(text)
    return limit


def _services() -> Rule:
    names = re.compile("|".join(PRICE_SERVICES))
    allowed = f"some of {', '.join(PRICE_SERVICES)}"
    return _list(names, allowed, ["yahoo", "alphavantage"], may_be_empty=False)


def _fixed_price(text: str) -> str:
    _check(_PRICE.fullmatch(text) is not None)
    return text


def _url(schemes: tuple[str, ...], example: str) -> Rule:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        _check(parts.scheme in schemes and bool(parts.netloc or parts.path))
        _check(parts.port is None or parts.port > 0)
        return text

    return Rule(parse, f"an address such as {example}", is_required=True, is_secret=True)


def _mail_server(text: str) -> dict[str, Any]:
    _check(urlsplit(text).scheme in environ.Env.EMAIL_SCHEMES)
    return dict(environ.Env.email_url_config(text))


def _seconds(default: float) -> Rule:
    def parse(text: str) -> float:
        value = _number(text)
        _check(Decimal("0.1") <= value <= 60)
        return float(value)

    return Rule(parse, "a number of seconds from 0.1 to 60", default)


def _share(text: str) -> Decimal:
    value = _number(text)
    _check(0 <= value < 1)
    return value


RULES: Mapping[str, Rule] = {
    "SECRET_KEY": _secret(32, is_required=True),
    "ADMIN_API_KEY": _secret(20),
    "ADMIN_EMAIL": _text(_MAIL, "an email address", "", may_be_empty=True),
    "ADMIN_PASSWORD": _secret(8),
    "DEBUG": _flag(),
    "ALLOWED_HOSTS": _list(_HOST, "host names", ["localhost", "127.0.0.1"], may_be_empty=False),
    "PRICE_PROVIDERS_EQUITY": _services(),
    "PRICE_PROVIDERS_CRYPTO": _services(),
    "DEMO": _flag(),
    "DEMO_MARKET": _flag(),
    "OPEN_LISTING": _flag(),
    "ALLOW_RESET": _flag(),
    "SIMULATOR_STARTING_BALANCE": _amount(0),
    "SANDBOX_ACCOUNTS": _flag(),
    "WEBHOOK_ALLOW_PRIVATE": _flag(),
    "DATABASE_URL": _url(
        ("postgres", "postgresql", "psql", "pgsql"), "postgresql://user:password@host:5432/name"
    ),
    "REDIS_URL": _url(("redis", "rediss", "unix"), "redis://:password@host:6379/0"),
    "REDIS_PREFIX": _text(
        re.compile(r"[A-Za-z0-9:._-]{1,100}"),
        "1 to 100 letters, digits and any of :._-",
        "bourse:",
        may_be_empty=False,
    ),
    "VENUE_CURRENCY": _text(
        _CODE, "an asset's code in capitals, such as USD", "USD", may_be_empty=False
    ),
    # Twelve bits of an order's id hold the number of its shard.
    "ENGINE_SHARDS": _whole(1, 1, 4_096),
    "ENGINE_BATCH_MAX": _whole(1_000, 1, 10_000),
    "ENGINE_BACKLOG_MAX": _whole(20_000, 1, 10_000_000),
    "ORDER_WINDOW_SECONDS": _whole(5, 1, 60),
    "ENGINE_CLOCK_OFFSET_MAX_SECONDS": _seconds(2.0),
    # 0: no limit.
    "API_RATE_PER_SECOND": _whole(10_000, 0, 10_000_000),
    # By default twice as many as requests.
    "API_CANCEL_RATE_PER_SECOND": _whole(None, 0, 20_000_000),
    "ENGINE_BACKLOG_MAX_PER_KEY": _whole(5_000, 1, 10_000_000),
    "WEB_WORKERS": _whole(2, 1, 256),
    "DJANGO_WORKERS": _whole(2, 1, 256),
    "DJANGO_THREADS": _whole(8, 1, 256),
    "WEB_CONNECTIONS": _whole(10_000, 1, 1_000_000),
    "HOT_LANE": _flag_with(True),
    "SEAL_EVERY_SECONDS": _whole(60, 1, 86_400),
    "SEAL_LAG_SECONDS": _whole(60, 0, 86_400),
    "LEDGER_CHECK_EVERY_SECONDS": _whole(600, 10, 86_400),
    "WEBHOOK_TIMEOUT_SECONDS": _whole(5, 1, 60),
    "WEBHOOK_RUNS_MAX": _whole(1, 1, 64),
    "RETAIL_BROKER": _plain("Retail"),
    "REQUIRE_VERIFIED_EMAIL": _flag(),
    # 0: no limit.
    "AUTH_ATTEMPTS_PER_MINUTE": _whole(10, 0, 1_000_000),
    "PASSWORD_HASHES_AT_ONCE": _whole(2, 1, 64),
    "STAFF_IDLE_SECONDS": _whole(1_800, 60, 1_209_600),
    "LOGIN_HISTORY_KEPT_DAYS": _whole(90, 1, _DAYS_MAX),
    # Without a value none, in production one.
    "PROXY_COUNT": _whole(None, 0, 10),
    "EMAIL_URL": Rule(
        _mail_server,
        "consolemail://, or an address such as smtp+tls://user:password@host:587",
        environ.Env.email_url_config("consolemail://"),
        is_secret=True,
    ),
    "DEFAULT_FROM_EMAIL": _text(
        _SENDER, "Name <name@host>", "Bourse <no-reply@localhost>", may_be_empty=False
    ),
    "RESET_HOOK": _text(
        _DOTTED,
        "the dotted path of a function",
        "exchange_project.simulator.fund_after_reset",
        may_be_empty=True,
    ),
    "DEMO_KEYS_FILE": _plain(str(BASE_DIR / "var" / "demo_keys.json"), 4_096),
    "ALERT_EMAILS": _list(_MAIL, "mail addresses", [], may_be_empty=True),
    "ALERT_WEBHOOK_URL": _text(
        _WEB, "an address such as https://alerts.example.com/hook", "", may_be_empty=True
    ),
    **{name: _whole(days, 1, _DAYS_MAX) for name, days in KEPT_DAYS.items()},
    "WITHDRAWAL_TWO_PERSONS_ABOVE": _amount(10_000),
    "WITHDRAWAL_TWO_PERSONS_ABOVE_OF": _of_assets(
        _positive, {"BTC": Decimal("0.1"), "ETH": Decimal(3)}
    ),
    "QUOTE_SECONDS": _whole(10, 1, 3_600),
    "MARGIN_CALL_LEVELS": Rule(
        _levels,
        "ratios above 0.05, and at most 1, with commas between",
        [Decimal("0.8"), Decimal("0.9")],
    ),
    "PREMIUM_SAMPLES_KEPT_DAYS": _whole(30, 0, _DAYS_MAX),
    "IMPACT_NOTIONAL": _notional(1_000),
    "IMPACT_NOTIONAL_OF": _of_assets(_positive, {"BTC": Decimal("0.01"), "ETH": Decimal("0.3")}),
    "ALPHAVANTAGE_API_KEY": _secret(1),
    "PRICE_CACHE_SECONDS": _whole(180, 1, 86_400),
    "PRICE_STALE_SECONDS": _whole(900, 1, 604_800),
    "PRICE_STALE_SECONDS_EQUITY": _whole(1_800, 1, 604_800),
    "EQUITY_MARKET_HOURS": _text(
        _HOURS,
        "opening and closing time and a zone, such as 09:30-16:00 America/New_York",
        "09:30-16:00 America/New_York",
        may_be_empty=False,
    ),
    "PRICE_TIMEOUT_SECONDS": _seconds(4.0),
    "PRICE_REQUESTS_PER_MINUTE": _table(
        _service_limit, "service=whole number above 0", {"yahoo": 60, "alphavantage": 5}
    ),
    "PRICE_PROBES_PER_MINUTE": _whole(30, 0, 1_000_000),
    "PRICE_TABLE": _table(_fixed_price, "SYMBOL=price or SYMBOL=price CURRENCY", {}),
    "DEALER_SPREAD_RATE": Rule(_share, "a number from 0 to below 1", Decimal(0)),
    "PRICE_SIMULATION_SEED": _plain("bourse"),
    "CSRF_TRUSTED_ORIGINS": _list(
        _ORIGIN, "addresses such as https://venue.example.com", [], may_be_empty=True
    ),
    "CORS_ALLOWED_ORIGINS": _list(
        _CALLER, "addresses such as https://app.example.com, or *", [], may_be_empty=True
    ),
    "STATIC_ROOT": _plain(str(BASE_DIR / "var" / "static"), 4_096),
    "LOG_LEVEL": _choice("INFO", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "LOG_FORMAT": _choice("text", "text", "json"),
    # For docker-compose.yml, which puts them into the addresses above.
    "POSTGRES_PASSWORD": _secret(8, alphabet="A-Za-z0-9"),
    "POSTGRES_APP_PASSWORD": _secret(8, alphabet="A-Za-z0-9"),
    "VALKEY_PASSWORD": _secret(8, alphabet="A-Za-z0-9"),
    # Given by what starts the processes.
    "BIND": _text(_BIND, "host:port, or unix:/path", "", may_be_empty=True),
    "DJANGO_BIND": _text(_BIND, "host:port, or unix:/path", "", may_be_empty=True),
    "DJANGO_URL": _text(
        _DJANGO_URL,
        "unix:///path, or http://host:port",
        f"unix://{BASE_DIR / 'var' / 'django.sock'}",
        may_be_empty=False,
    ),
    "BEHIND_FRONT": _flag(),
}
