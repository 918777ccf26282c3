"""Django as a WSGI application: what the front hands on, and what `runserver` serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "exchange_project.settings.base")

application = get_wsgi_application()
