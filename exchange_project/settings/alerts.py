"""Where alerts are sent, read from the environment."""

import environ


def alert_receivers(env: environ.Env) -> tuple[list[str], str]:
    """The mail addresses and the URL that new alerts go to; both may be empty.

    Raises:
        ImproperlyConfigured: the URL is none of http or https.
    """
    addresses: list[str] = env.list("ALERT_EMAILS", default=[])
    url: str = env("ALERT_WEBHOOK_URL", default="")
    if url and not url.startswith(("https://", "http://")):
        raise environ.ImproperlyConfigured("ALERT_WEBHOOK_URL is an http:// or https:// address")
    return addresses, url
