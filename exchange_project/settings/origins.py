"""Origins of pages, as settings name them."""

import re
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\*")


def read_origins(origins: Sequence[str]) -> list[str]:
    """The origins, or `*` for any.

    Raises:
        ImproperlyConfigured: one has no scheme, or more than a host and a port behind it.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ImproperlyConfigured(f"CORS_ALLOWED_ORIGINS: {origin!r} is not like https://host")
    return list(origins)
