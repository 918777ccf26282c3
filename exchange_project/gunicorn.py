"""Gunicorn's settings for the Django processes: threads in a few processes behind the front.

The front sends whole requests and reads responses at once, so a thread is held only for as long as
Django works.
"""

import os

from common.environment import read_number
from common.logs import gunicorn_config

bind = os.environ.get("DJANGO_BIND", "127.0.0.1:8001")
worker_class = "gthread"
workers = read_number("DJANGO_WORKERS", 2)
threads = read_number("DJANGO_THREADS", 8)
# Imported once, before the workers are forked: one that is killed is replaced within a moment, and
# none holds a listening socket while it still imports.
preload_app = True
# Longer than the longest wait for an engine, so that a restart cuts no answer off.
graceful_timeout = 15
timeout = 60
# Longer than the front keeps an idle connection.
keepalive = 75
# No header changes the path or the scheme of a request, whoever sends it: the front relays those of
# clients, and gunicorn trusts any peer on a socket. X-Forwarded-Proto is for Django's settings.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
accesslog = None
errorlog = "-"
logconfig_dict = gunicorn_config(os.environ)
