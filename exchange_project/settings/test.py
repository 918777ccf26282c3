"""Settings of the test suite; `tests.servers` starts the servers and names them."""

import os

# What `make run` wrote for this machine is no concern of the tests.
os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", "tests-only-and-long-enough-for-a-key")
os.environ.setdefault("DATABASE_URL", "postgres://unset@localhost/unset")
os.environ.setdefault("REDIS_URL", "redis://localhost:1/0")

from exchange_project.settings.base import *  # noqa: F403

DEBUG = False
ADMIN_API_KEY = "tests-admin-key"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
OPEN_LISTING = True
ALLOW_RESET = True
SANDBOX_ACCOUNTS = True
DEMO = True
WEBHOOK_ALLOW_PRIVATE = True
# Tests register more people than a person does; those of the limit set it.
AUTH_ATTEMPTS_PER_MINUTE = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
PRICE_PROVIDERS_EQUITY = ["simulated"]
PRICE_PROVIDERS_CRYPTO = ["simulated"]
# What a thread of the hot lane has read, it does not keep a connection for.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405
