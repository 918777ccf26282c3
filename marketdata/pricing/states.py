"""How the price services are, for health."""

from dataclasses import dataclass

from django.conf import settings

from marketdata.pricing import breaker
from marketdata.providers import get_provider


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service of the settings' chains. Ages in whole seconds, None for never.

    `breaker` is `closed` (it is asked), `open` (it is not), or None where it needs none, since it
    is not asked over the network. `last_error` is one word.
    """

    name: str
    is_configured: bool
    breaker: str | None
    failures_in_a_row: int
    last_success_age_seconds: int | None
    last_error: str | None
    last_error_age_seconds: int | None


def list_service_states() -> list[ServiceState]:
    """The services of both chains, in their order.

    Raises:
        redis.RedisError: Valkey, which keeps the breakers, is away.
    """
    names = [*settings.PRICE_PROVIDERS_EQUITY, *settings.PRICE_PROVIDERS_CRYPTO]
    return [_state(name) for name in dict.fromkeys(names)]


def _state(name: str) -> ServiceState:
    provider = get_provider(name)
    state = breaker.get_state(name)
    standing = "open" if state.is_open else "closed"
    return ServiceState(
        name=name,
        is_configured=provider.is_configured(),
        breaker=standing if provider.is_remote else None,
        failures_in_a_row=state.failures_in_a_row,
        last_success_age_seconds=state.last_success_age_seconds,
        last_error=state.last_error,
        last_error_age_seconds=state.last_error_age_seconds,
    )
