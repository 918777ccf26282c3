"""Gunicorn's settings: threads in a few processes, nothing shared before the fork.

`reuse_port` gives each worker a socket of its own, so that keep-alive connections do not pile up on
one of them.
"""

import os

bind = os.environ.get("BIND", "127.0.0.1:8000")
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "16"))
reuse_port = True
preload_app = False
# Longer than the longest wait for an engine, so that a restart cuts no answer off.
graceful_timeout = 15
timeout = 60
keepalive = 75
max_requests = 0
accesslog = None
errorlog = "-"
