"""Settings of a deployment behind a proxy that ends TLS."""

import environ

from exchange_project.settings.base import *  # noqa: F403
from exchange_project.settings.base import BEHIND_FRONT, given
from exchange_project.settings.deployment import find_demo_settings

if demo_settings := find_demo_settings(given):
    raise environ.ImproperlyConfigured("\n  ".join(["Not in production:", *demo_settings]))

PROXY_COUNT = (1 if given["PROXY_COUNT"] is None else given["PROXY_COUNT"]) + BEHIND_FRONT
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31_536_000
