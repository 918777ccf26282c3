"""Settings of a deployment behind a proxy that ends TLS."""

from exchange_project.settings.base import *  # noqa: F403
from exchange_project.settings.base import BEHIND_FRONT, env

PROXY_COUNT = env.int("PROXY_COUNT", default=1) + BEHIND_FRONT
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31_536_000
