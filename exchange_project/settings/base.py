"""Settings of every deployment, complete and secure by default.

The environment (or the file `.env` beside `manage.py`; ENV_FILE names another) is read here and
nowhere else. Nonsense fails at start: a missing secret, a database that is not PostgreSQL, a number
that is none.
"""

import hashlib
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import environ

from exchange_project.settings.alerts import alert_receivers
from exchange_project.settings.retention import kept_for
from exchange_project.settings.schedule import background_tasks, beat_schedule, task_routes
from exchange_project.settings.spectacular import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from exchange_project.settings.unfold import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
environ.Env.read_env(env("ENV_FILE", default=str(BASE_DIR / ".env")))

# --- security -------------------------------------------------------------------------------------
SECRET_KEY: str = env("SECRET_KEY")
DEBUG: bool = env.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Registers brokers and calls /debug. Empty: nobody can.
ADMIN_API_KEY: str = env("ADMIN_API_KEY", default="")
# The first member of staff, made with the demo. Either empty: nobody.
ADMIN_EMAIL: str = env("ADMIN_EMAIL", default="")
ADMIN_PASSWORD: str = env("ADMIN_PASSWORD", default="")
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# --- the venue ------------------------------------------------------------------------------------
VENUE_CURRENCY: str = env("VENUE_CURRENCY", default="USD")
OPEN_LISTING: bool = env.bool("OPEN_LISTING", default=False)
OPEN_LISTING_MAX = 10_000
ALLOW_RESET: bool = env.bool("ALLOW_RESET", default=False)
# Called after a reset, in the engine's process: funds demo and people anew. Empty: nothing.
RESET_HOOK: str = env("RESET_HOOK", default="exchange_project.simulator.fund_after_reset")
# Called with the account of a person who registers, in that transaction. Empty: nothing.
REGISTRATION_HOOK = "exchange_project.simulator.fund_person"
# Play money that each person starts with, in the venue's currency. 0: none.
SIMULATOR_STARTING_BALANCE: Decimal = env(
    "SIMULATOR_STARTING_BALANCE", cast=Decimal, default=Decimal(0)
)
if SIMULATOR_STARTING_BALANCE < 0:
    raise environ.ImproperlyConfigured("SIMULATOR_STARTING_BALANCE is zero or more")
DEMO: bool = env.bool("DEMO", default=False)
# Where the demo brokers' keys are kept, for their owner's eyes alone.
DEMO_KEYS_FILE: str = env("DEMO_KEYS_FILE", default=str(BASE_DIR / "var" / "demo_keys.json"))
# Accounts on which a client can force refusals, delays and lost answers, to test its programs.
SANDBOX_ACCOUNTS: bool = env.bool("SANDBOX_ACCOUNTS", default=False)
ENGINE_SHARDS: int = env.int("ENGINE_SHARDS", default=1)
# Seconds that an order may wait for the engine before it is refused `deadline_exceeded`.
ORDER_WINDOW_SECONDS: int = env.int("ORDER_WINDOW_SECONDS", default=5)
# Commands that may wait in the stream of a shard before web answers 503.
ENGINE_BACKLOG_MAX: int = env.int("ENGINE_BACKLOG_MAX", default=20_000)
# Of them, those of one key (or person).
ENGINE_BACKLOG_MAX_PER_KEY: int = env.int("ENGINE_BACKLOG_MAX_PER_KEY", default=5_000)
ENGINE_BATCH_MAX: int = env.int("ENGINE_BATCH_MAX", default=1_000)
# Requests a second that one key may send to one web process; 0: as many as it likes.
API_RATE_PER_SECOND: int = env.int("API_RATE_PER_SECOND", default=10_000)
# Cancels are counted apart from all other requests.
API_CANCEL_RATE_PER_SECOND: int = env.int(
    "API_CANCEL_RATE_PER_SECOND", default=2 * API_RATE_PER_SECOND
)
# Orders, cancels, books and prices are answered on the event loop; off: by Django's views.
HOT_LANE: bool = env.bool("HOT_LANE", default=True)
# Where the Django processes listen that answer all but the hot requests: unix:///path, or http://….
DJANGO_URL: str = env("DJANGO_URL", default=f"unix://{BASE_DIR / 'var' / 'django.sock'}")
# Processes of the front, processes of Django and threads in each of those.
WEB_WORKERS: int = env.int("WEB_WORKERS", default=2)
DJANGO_WORKERS: int = env.int("DJANGO_WORKERS", default=2)
DJANGO_THREADS: int = env.int("DJANGO_THREADS", default=8)
# The share of each front process in those threads.
DJANGO_THREADS_PER_FRONT = max(1, DJANGO_WORKERS * DJANGO_THREADS // max(1, WEB_WORKERS))
# This process is reached through the front, which is one more proxy before it.
BEHIND_FRONT: bool = env.bool("BEHIND_FRONT", default=False)

# A withdrawal above this needs two persons; the second one is the limit of single currencies.
WITHDRAWAL_TWO_PERSONS_ABOVE: Decimal = env(
    "WITHDRAWAL_TWO_PERSONS_ABOVE", cast=Decimal, default=Decimal(10_000)
)
WITHDRAWAL_TWO_PERSONS_ABOVE_OF: dict[str, Decimal] = env.dict(
    "WITHDRAWAL_TWO_PERSONS_ABOVE_OF",
    cast={"value": Decimal},
    default={"BTC": Decimal("0.1"), "ETH": Decimal(3)},
)
# Seconds that a conversion may be made at the rate that was quoted.
QUOTE_SECONDS: int = env.int("QUOTE_SECONDS", default=10)

# --- margin ---------------------------------------------------------------------------------------
# Margin ratios (maintenance margin / equity) from which on accounts are asked for collateral.
MARGIN_CALL_LEVELS: list[Decimal] = env.list(
    "MARGIN_CALL_LEVELS", cast=Decimal, default=[Decimal("0.8"), Decimal("0.9")]
)
if not MARGIN_CALL_LEVELS or not all(Decimal("0.05") < one <= 1 for one in MARGIN_CALL_LEVELS):
    raise environ.ImproperlyConfigured("MARGIN_CALL_LEVELS are above 0.05, and at most 1")
# Days that premium samples are kept for who looks at them; funding keeps what it needs itself.
PREMIUM_SAMPLES_KEPT_DAYS: int = env.int("PREMIUM_SAMPLES_KEPT_DAYS", default=30)
if not 0 <= PREMIUM_SAMPLES_KEPT_DAYS <= 36_500:
    raise environ.ImproperlyConfigured("PREMIUM_SAMPLES_KEPT_DAYS is from 0 to 36500")

# Of the venue's own market, prices that move other people's money average over so much of a quote
# asset; the second one is that of single assets.
IMPACT_NOTIONAL: Decimal = env("IMPACT_NOTIONAL", cast=Decimal, default=Decimal(1_000))
IMPACT_NOTIONAL_OF: dict[str, Decimal] = env.dict(
    "IMPACT_NOTIONAL_OF",
    cast={"value": Decimal},
    default={"BTC": Decimal("0.01"), "ETH": Decimal("0.3")},
)
if not all(0 < one <= 10**12 for one in (IMPACT_NOTIONAL, *IMPACT_NOTIONAL_OF.values())):
    raise environ.ImproperlyConfigured("IMPACT_NOTIONAL and IMPACT_NOTIONAL_OF are above 0")

# --- market prices --------------------------------------------------------------------------------
# Price services for shares and for crypto currencies, in the order in which they are asked.
_PRICE_PROVIDERS = {"yahoo", "alphavantage", "book", "fixed", "simulated"}
PRICE_PROVIDERS_EQUITY: list[str] = env.list(
    "PRICE_PROVIDERS_EQUITY", default=["yahoo", "alphavantage"]
)
PRICE_PROVIDERS_CRYPTO: list[str] = env.list(
    "PRICE_PROVIDERS_CRYPTO", default=["yahoo", "alphavantage"]
)
if unknown := {*PRICE_PROVIDERS_EQUITY, *PRICE_PROVIDERS_CRYPTO} - _PRICE_PROVIDERS:
    raise environ.ImproperlyConfigured(f"There is no price service {', '.join(sorted(unknown))}")
# Empty: AlphaVantage is not asked.
ALPHAVANTAGE_API_KEY: str = env("ALPHAVANTAGE_API_KEY", default="")
# Where the services are: a mirror, or a stand-in of tests. Empty: Yahoo's own hosts.
ALPHAVANTAGE_URL = "https://www.alphavantage.co/query"
YAHOO_URL = ""
# Seconds that a price is used without asking again, and after which nobody may deal on it.
PRICE_CACHE_SECONDS: int = env.int("PRICE_CACHE_SECONDS", default=180)
PRICE_STALE_SECONDS: int = env.int("PRICE_STALE_SECONDS", default=900)
# Seconds that a price service has for its answer.
PRICE_TIMEOUT_SECONDS: float = env.float("PRICE_TIMEOUT_SECONDS", default=4.0)
# Requests a minute that a price service gets at most, and symbols that are not listed yet.
PRICE_REQUESTS_PER_MINUTE: dict[str, int] = env.dict(
    "PRICE_REQUESTS_PER_MINUTE", cast={"value": int}, default={"yahoo": 60, "alphavantage": 5}
)
PRICE_PROBES_PER_MINUTE: int = env.int("PRICE_PROBES_PER_MINUTE", default=30)
# Prices of the service "fixed": AAPL=150.25,VOD=72.10 GBX
PRICE_TABLE: dict[str, str] = env.dict("PRICE_TABLE", default={})
# Another seed, another walk of the simulated prices.
PRICE_SIMULATION_SEED: str = env("PRICE_SIMULATION_SEED", default="bourse")

# --- control of the ledger ------------------------------------------------------------------------
SEAL_EVERY_SECONDS: int = env.int("SEAL_EVERY_SECONDS", default=60)
# Entries are sealed when they are older than this and nothing that was posted before them can still
# be committed. A margin for clocks that are set back: longer than any transaction should live.
SEAL_LAG_SECONDS: int = env.int("SEAL_LAG_SECONDS", default=60)
LEDGER_CHECK_EVERY_SECONDS: int = env.int("LEDGER_CHECK_EVERY_SECONDS", default=600)

# Where new alerts are sent, apart from the back office: mail addresses, and one URL.
ALERT_EMAILS, ALERT_WEBHOOK_URL = alert_receivers(env)

# How long rows are kept that nobody needs for good, by the names of their settings.
KEPT: dict[str, timedelta] = kept_for(env)

# --- webhooks -------------------------------------------------------------------------------------
# Receivers on loopback and private networks: refused unless a deployment asks for them.
WEBHOOK_ALLOW_PRIVATE: bool = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
WEBHOOK_TIMEOUT_SECONDS: int = env.int("WEBHOOK_TIMEOUT_SECONDS", default=5)
# Runs that deliver at the same time; each takes a worker process while there is something to do.
WEBHOOK_RUNS_MAX: int = env.int("WEBHOOK_RUNS_MAX", default=1)

# --- applications ---------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "oversight",
    "brokers",
    "marketdata",
    "ledger",
    "margin",
    "orders",
    "exchange_project",
]

MIDDLEWARE = [
    "common.api.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "oversight.origin.OriginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "exchange_project.urls"
WSGI_APPLICATION = "exchange_project.wsgi.application"
ASGI_APPLICATION = "exchange_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database, cache, queue -----------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL")}
if "postgresql" not in DATABASES["default"]["ENGINE"]:
    raise environ.ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database")
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})["options"] = (
    "-c lock_timeout=1000 -c statement_timeout=5000 -c idle_in_transaction_session_timeout=30000"
)
# A server that does not answer at all is gone: health has to be able to say so in time.
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 3)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = env("REDIS_URL")
# Put before every key and channel, so that several venues (or test runs) can share a server.
REDIS_PREFIX: str = env("REDIS_PREFIX", default="bourse:")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}cache",
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_TASK_TIME_LIMIT = 120
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 30,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "global_keyprefix": f"{REDIS_PREFIX}celery:",
}
CELERY_TIMEZONE = "UTC"
BACKGROUND_TASKS = background_tasks(
    seal_seconds=SEAL_EVERY_SECONDS, check_seconds=LEDGER_CHECK_EVERY_SECONDS
)
CELERY_BEAT_SCHEDULE = beat_schedule(BACKGROUND_TASKS)
CELERY_BEAT_SCHEDULER = "exchange_project.background.scheduler:VenueScheduler"
CELERY_TASK_ROUTES = task_routes(BACKGROUND_TASKS)
# A task without a route would wait here; a test sees to it that there is none.
CELERY_TASK_DEFAULT_QUEUE = "slow"

# --- people ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "brokers.User"
PASSWORD_HASHERS = [
    "brokers.hashers.BoundedArgon2",
    "brokers.hashers.BoundedBCrypt",
    "brokers.hashers.BoundedPBKDF2",
]
# Passwords that each process hashes at a time; others wait, for three seconds at most.
PASSWORD_HASHES_AT_ONCE: int = env.int("PASSWORD_HASHES_AT_ONCE", default=2)
if PASSWORD_HASHES_AT_ONCE < 1:
    raise environ.ImproperlyConfigured("PASSWORD_HASHES_AT_ONCE is at least 1")
AUTHENTICATION_BACKENDS = ["brokers.backends.CountedBackend"]
# Only staff have sessions. One that nobody uses ends after so many seconds.
SESSION_COOKIE_AGE: int = env.int("STAFF_IDLE_SECONDS", default=1_800)
if SESSION_COOKIE_AGE < 60:
    raise environ.ImproperlyConfigured("STAFF_IDLE_SECONDS is at least 60")
SESSION_ENGINE = "brokers.sessions"
# Days that attempts to log in are kept; an address that nobody logged in from since is new again.
LOGIN_HISTORY_KEPT_DAYS: int = env.int("LOGIN_HISTORY_KEPT_DAYS", default=90)
if not 1 <= LOGIN_HISTORY_KEPT_DAYS <= 36_500:
    raise environ.ImproperlyConfigured("LOGIN_HISTORY_KEPT_DAYS is from 1 to 36500")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
# The broker of people who register themselves; made when the first one does, if it is not there.
RETAIL_BROKER: str = env("RETAIL_BROKER", default="Retail")
# Trading and transfers only for verified addresses. Off by default, since a venue without a mail
# server (the embedded one prints its mails) would have nobody who can trade.
REQUIRE_VERIFIED_EMAIL: bool = env.bool("REQUIRE_VERIFIED_EMAIL", default=False)
# Attempts a minute to register, log in and the like: for one email address, and three times as many
# for one network address; 0: as many as anybody likes.
AUTH_ATTEMPTS_PER_MINUTE: int = env.int("AUTH_ATTEMPTS_PER_MINUTE", default=10)
# Proxies before the venue that add the caller's address to X-Forwarded-For. Too high a number lets
# callers make addresses up, too low a one takes all of them for the proxy.
PROXY_COUNT: int = env.int("PROXY_COUNT", default=0) + BEHIND_FRONT
PASSWORD_RESET_TIMEOUT = 3600
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    # A key of its own: what is signed for another purpose is no token, whatever it says.
    "SIGNING_KEY": hashlib.sha256(f"tokens of people:{SECRET_KEY}".encode()).hexdigest(),
}
# consolemail:// prints mails to the worker's log; smtp+tls://user:password@host:587 sends them.
vars().update(env.email("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = env("DEFAULT_FROM_EMAIL", default="Bourse <no-reply@localhost>")

# --- language, time, static files -----------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / "var" / "static"))
STATICFILES_DIRS = [BASE_DIR / "static"]

# --- API ------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["brokers.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["brokers.api.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["common.api.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["common.api.renderers.JsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.api.problems.handle_exception",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.api.renderers.AlwaysJson",
}
# --- admin and logs -------------------------------------------------------------------------------
LOG_LEVEL: str = env("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {
        "with_cause": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: record.exc_info is not None,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        # Refusals are answers here, not events: only what has a cause to show is logged.
        "django.request": {"level": "ERROR", "filters": ["with_cause"]},
    },
}
