"""Gunicorn's settings for the front: an event loop in each of a few processes.

`reuse_port` gives each worker a socket of its own, so that keep-alive connections do not pile up on
one of them.
"""

import os

from common.environment import read_number
from common.logs import gunicorn_config

bind = os.environ.get("BIND") or "127.0.0.1:8000"
worker_class = "exchange_project.front.worker.FrontWorker"
workers = read_number("WEB_WORKERS", 2)
worker_connections = read_number("WEB_CONNECTIONS", 10_000)
backlog = 4096
reuse_port = True
# Imported once, before the workers are forked: one that is killed is replaced within a moment, and
# none holds a listening socket while it still imports.
preload_app = True
asgi_loop = "uvloop"
asgi_lifespan = "on"
http_parser = "fast"
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
# No header of a caller changes who or what it is: only `client_address` reads X-Forwarded-For.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
# Longer than the longest wait for an engine, so that a restart cuts no answer off.
graceful_timeout = 15
timeout = 60
keepalive = 75
accesslog = None
errorlog = "-"
logconfig_dict = gunicorn_config(os.environ)
