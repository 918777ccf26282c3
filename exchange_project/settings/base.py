"""Settings of every deployment, complete and secure by default.

The environment (or the file `.env` beside `manage.py`; ENV_FILE names another) is read here, by the
table in `rules.py`. What it does not allow fails at start, all of it in one message.
"""

import hashlib
import os
from datetime import timedelta
from decimal import Decimal

import environ

from common.logs import console_config
from exchange_project.settings.page_policy import CONTENT_SECURITY_POLICY as CONTENT_SECURITY_POLICY
from exchange_project.settings.page_policy import CSP_ADDED as CSP_ADDED
from exchange_project.settings.retention import KEPT_DAYS
from exchange_project.settings.rules import BASE_DIR as BASE_DIR
from exchange_project.settings.rules import read_settings
from exchange_project.settings.schedule import background_tasks, beat_schedule, task_routes
from exchange_project.settings.spectacular import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from exchange_project.settings.unfold import UNFOLD as UNFOLD

environ.Env.read_env(os.environ.get("ENV_FILE", str(BASE_DIR / ".env")))
given = read_settings(os.environ)

# --- security -------------------------------------------------------------------------------------
SECRET_KEY: str = given["SECRET_KEY"]
DEBUG: bool = given["DEBUG"]
ALLOWED_HOSTS: list[str] = given["ALLOWED_HOSTS"]
CSRF_TRUSTED_ORIGINS: list[str] = given["CSRF_TRUSTED_ORIGINS"]
# Pages that may call the API from a browser: https://app.example.com, or * for any.
CORS_ALLOWED_ORIGINS: list[str] = given["CORS_ALLOWED_ORIGINS"]
# Registers brokers and calls /debug. Empty: nobody can.
ADMIN_API_KEY: str = given["ADMIN_API_KEY"]
# The first member of staff, made with the demo. Either empty: nobody.
ADMIN_EMAIL: str = given["ADMIN_EMAIL"]
ADMIN_PASSWORD: str = given["ADMIN_PASSWORD"]
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# --- the venue ------------------------------------------------------------------------------------
VENUE_CURRENCY: str = given["VENUE_CURRENCY"]
OPEN_LISTING: bool = given["OPEN_LISTING"]
OPEN_LISTING_MAX = 10_000
ALLOW_RESET: bool = given["ALLOW_RESET"]
# Called after a reset, in the engine's process: funds demo and people anew. Empty: nothing.
RESET_HOOK: str = given["RESET_HOOK"]
# Called with the account of a person who registers, in that transaction. Empty: nothing.
REGISTRATION_HOOK = "exchange_project.simulator.fund_person"
# Play money that each person starts with, in the venue's currency. 0: none.
SIMULATOR_STARTING_BALANCE: Decimal = given["SIMULATOR_STARTING_BALANCE"]
DEMO: bool = given["DEMO"]
# Simulated traders with a perpetual that moves: margin calls, liquidations. Only with DEMO.
DEMO_MARKET: bool = given["DEMO_MARKET"]
# Where the demo brokers' keys are kept, for their owner's eyes alone.
DEMO_KEYS_FILE: str = given["DEMO_KEYS_FILE"]
# Accounts on which a client can force refusals, delays and lost answers, to test its programs.
SANDBOX_ACCOUNTS: bool = given["SANDBOX_ACCOUNTS"]
ENGINE_SHARDS: int = given["ENGINE_SHARDS"]
# Seconds that an order may wait for the engine before it is refused `deadline_exceeded`.
ORDER_WINDOW_SECONDS: int = given["ORDER_WINDOW_SECONDS"]
# How far the clock of an engine may be from PostgreSQL's; beyond that it does not lead.
ENGINE_CLOCK_OFFSET_MAX_SECONDS: float = given["ENGINE_CLOCK_OFFSET_MAX_SECONDS"]
# Commands that may wait in the stream of a shard before web answers 503.
ENGINE_BACKLOG_MAX: int = given["ENGINE_BACKLOG_MAX"]
# Of them, those of one key (or person).
ENGINE_BACKLOG_MAX_PER_KEY: int = given["ENGINE_BACKLOG_MAX_PER_KEY"]
ENGINE_BATCH_MAX: int = given["ENGINE_BATCH_MAX"]
# Requests a second that one key may send to one web process; 0: as many as it likes.
API_RATE_PER_SECOND: int = given["API_RATE_PER_SECOND"]
# Cancels are counted apart from all other requests.
API_CANCEL_RATE_PER_SECOND: int = (
    2 * API_RATE_PER_SECOND
    if given["API_CANCEL_RATE_PER_SECOND"] is None
    else given["API_CANCEL_RATE_PER_SECOND"]
)
# Orders, cancels, books and prices are answered on the event loop; off: by Django's views.
HOT_LANE: bool = given["HOT_LANE"]
# Where the Django processes listen that answer all but the hot requests: unix:///path, or http://….
DJANGO_URL: str = given["DJANGO_URL"]
# Processes of the front, processes of Django and threads in each of those.
WEB_WORKERS: int = given["WEB_WORKERS"]
DJANGO_WORKERS: int = given["DJANGO_WORKERS"]
DJANGO_THREADS: int = given["DJANGO_THREADS"]
# The share of each front process in those threads.
DJANGO_THREADS_PER_FRONT = max(1, DJANGO_WORKERS * DJANGO_THREADS // max(1, WEB_WORKERS))
# This process is reached through the front, which is one more proxy before it.
BEHIND_FRONT: bool = given["BEHIND_FRONT"]

# A withdrawal above this needs two persons; the second one is the limit of single currencies.
WITHDRAWAL_TWO_PERSONS_ABOVE: Decimal = given["WITHDRAWAL_TWO_PERSONS_ABOVE"]
WITHDRAWAL_TWO_PERSONS_ABOVE_OF: dict[str, Decimal] = given["WITHDRAWAL_TWO_PERSONS_ABOVE_OF"]
# Seconds that a conversion may be made at the rate that was quoted.
QUOTE_SECONDS: int = given["QUOTE_SECONDS"]

# --- margin ---------------------------------------------------------------------------------------
# Margin ratios (maintenance margin / equity) from which on accounts are asked for collateral.
MARGIN_CALL_LEVELS: list[Decimal] = given["MARGIN_CALL_LEVELS"]
# Days that premium samples are kept for who looks at them; funding keeps what it needs itself.
PREMIUM_SAMPLES_KEPT_DAYS: int = given["PREMIUM_SAMPLES_KEPT_DAYS"]

# Of the venue's own market, prices that move other people's money average over so much of a quote
# asset; the second one is that of single assets.
IMPACT_NOTIONAL: Decimal = given["IMPACT_NOTIONAL"]
IMPACT_NOTIONAL_OF: dict[str, Decimal] = given["IMPACT_NOTIONAL_OF"]

# --- market prices --------------------------------------------------------------------------------
# Price services for shares and for crypto currencies, in the order in which they are asked.
PRICE_PROVIDERS_EQUITY: list[str] = given["PRICE_PROVIDERS_EQUITY"]
PRICE_PROVIDERS_CRYPTO: list[str] = given["PRICE_PROVIDERS_CRYPTO"]
# Empty: AlphaVantage is not asked.
ALPHAVANTAGE_API_KEY: str = given["ALPHAVANTAGE_API_KEY"]
# Where the services are: a mirror, or a stand-in of tests. Empty: Yahoo's own hosts.
ALPHAVANTAGE_URL = "https://www.alphavantage.co/query"
YAHOO_URL = ""
# Seconds that a price is used without asking again, and after which nobody may deal on it.
PRICE_CACHE_SECONDS: int = given["PRICE_CACHE_SECONDS"]
PRICE_STALE_SECONDS: int = given["PRICE_STALE_SECONDS"]
# Of shares, the seconds that their market was open since the price; some services report late.
PRICE_STALE_SECONDS_EQUITY: int = given["PRICE_STALE_SECONDS_EQUITY"]
EQUITY_MARKET_HOURS: str = given["EQUITY_MARKET_HOURS"]
# Seconds that a price service has for its answer.
PRICE_TIMEOUT_SECONDS: float = given["PRICE_TIMEOUT_SECONDS"]
# Requests a minute that a price service gets at most, and symbols that are not listed yet.
PRICE_REQUESTS_PER_MINUTE: dict[str, int] = given["PRICE_REQUESTS_PER_MINUTE"]
PRICE_PROBES_PER_MINUTE: int = given["PRICE_PROBES_PER_MINUTE"]
# Prices of the service "fixed": AAPL=150.25,VOD=72.10 GBX
PRICE_TABLE: dict[str, str] = given["PRICE_TABLE"]
# What the dealer keeps of the market price, whichever way it deals; 0.001 is 10 basis points.
DEALER_SPREAD_RATE: Decimal = given["DEALER_SPREAD_RATE"]
# Another seed, another walk of the simulated prices.
PRICE_SIMULATION_SEED: str = given["PRICE_SIMULATION_SEED"]

# --- control of the ledger ------------------------------------------------------------------------
SEAL_EVERY_SECONDS: int = given["SEAL_EVERY_SECONDS"]
# Entries are sealed when they are older than this and nothing that was posted before them can still
# be committed. A margin for clocks that are set back: longer than any transaction should live.
SEAL_LAG_SECONDS: int = given["SEAL_LAG_SECONDS"]
LEDGER_CHECK_EVERY_SECONDS: int = given["LEDGER_CHECK_EVERY_SECONDS"]

# Where new alerts are sent, apart from the back office: mail addresses, and one URL.
ALERT_EMAILS: list[str] = given["ALERT_EMAILS"]
ALERT_WEBHOOK_URL: str = given["ALERT_WEBHOOK_URL"]

# How long rows are kept that nobody needs for good, by the names of their settings.
KEPT: dict[str, timedelta] = {name: timedelta(days=given[name]) for name in KEPT_DAYS}

# --- webhooks -------------------------------------------------------------------------------------
# Receivers on loopback and private networks: refused unless a deployment asks for them.
WEBHOOK_ALLOW_PRIVATE: bool = given["WEBHOOK_ALLOW_PRIVATE"]
WEBHOOK_TIMEOUT_SECONDS: int = given["WEBHOOK_TIMEOUT_SECONDS"]
# Runs that deliver at the same time; each takes a worker process while there is something to do.
WEBHOOK_RUNS_MAX: int = given["WEBHOOK_RUNS_MAX"]

# --- applications ---------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    # Its pages are found by `urls`, so that an engine does not import them.
    "django.contrib.admin.apps.SimpleAdminConfig",
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
    "exchange_project.page_policy.PagePolicyMiddleware",
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
DATABASES = {"default": environ.Env.db_url_config(given["DATABASE_URL"])}
# Django's own, with bounded waits: a server that hangs is gone.
DATABASES["default"]["ENGINE"] = "common.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})["options"] = (
    "-c lock_timeout=1000 -c statement_timeout=5000 -c idle_in_transaction_session_timeout=30000"
)
# A server that does not answer at all is gone: health has to be able to say so in time.
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 3)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = given["REDIS_URL"]
# Put before every key and channel, so that several venues (or test runs) can share a server.
REDIS_PREFIX: str = given["REDIS_PREFIX"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}cache",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
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
    # Also for who queues a task during a request; the worker waits a second at a time.
    "socket_timeout": 10,
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
PASSWORD_HASHES_AT_ONCE: int = given["PASSWORD_HASHES_AT_ONCE"]
AUTHENTICATION_BACKENDS = ["brokers.backends.CountedBackend"]
# Only staff have sessions. One that nobody uses ends after so many seconds.
SESSION_COOKIE_AGE: int = given["STAFF_IDLE_SECONDS"]
SESSION_ENGINE = "brokers.sessions"
# Days that attempts to log in are kept; an address that nobody logged in from since is new again.
LOGIN_HISTORY_KEPT_DAYS: int = given["LOGIN_HISTORY_KEPT_DAYS"]
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
# Where a login goes whose `next` is refused, since it names another host.
LOGIN_REDIRECT_URL = "start"
# The broker of people who register themselves; made when the first one does, if it is not there.
RETAIL_BROKER: str = given["RETAIL_BROKER"]
# Trading and transfers only for verified addresses. Off by default, since a venue without a mail
# server (the embedded one prints its mails) would have nobody who can trade.
REQUIRE_VERIFIED_EMAIL: bool = given["REQUIRE_VERIFIED_EMAIL"]
# Attempts a minute to register, log in and the like: for one email address, and three times as many
# for one network address; 0: as many as anybody likes.
AUTH_ATTEMPTS_PER_MINUTE: int = given["AUTH_ATTEMPTS_PER_MINUTE"]
# Proxies before the venue that add the caller's address to X-Forwarded-For. Too high a number lets
# callers make addresses up, too low a one takes all of them for the proxy.
PROXY_COUNT: int = (given["PROXY_COUNT"] or 0) + BEHIND_FRONT
PASSWORD_RESET_TIMEOUT = 3600
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    # A key of its own: what is signed for another purpose is no token, whatever it says.
    "SIGNING_KEY": hashlib.sha256(f"tokens of people:{SECRET_KEY}".encode()).hexdigest(),
}
# consolemail:// prints mails to the worker's log; smtp+tls://user:password@host:587 sends them.
vars().update(given["EMAIL_URL"])
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = given["DEFAULT_FROM_EMAIL"]

# --- language, time, static files -----------------------------------------------------------------
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = given["STATIC_ROOT"]
STATICFILES_DIRS = [BASE_DIR / "static"]
# Seconds that a browser uses a file without asking. Names stay the same in the next version, so it
# asks after an hour, and gets 304 or the new file.
WHITENOISE_MAX_AGE = 3_600
WHITENOISE_ALLOW_ALL_ORIGINS = False

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
LOG_LEVEL: str = given["LOG_LEVEL"]
LOG_FORMAT: str = given["LOG_FORMAT"]
LOGGING = {
    **console_config(LOG_FORMAT),
    "filters": {
        "with_cause": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: record.exc_info is not None,
        },
        "without_traceback": {"()": "common.logs.WithoutTraceback"},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        # Refusals are answers here, not events: only what has a cause to show is logged.
        "django.request": {"level": "ERROR", "filters": ["with_cause"]},
        # A line for each request with a foreign Host, and no traceback: strangers decide how many.
        "django.security.DisallowedHost": {"filters": ["without_traceback"]},
    },
}
