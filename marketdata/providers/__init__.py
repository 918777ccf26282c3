"""Price services, one small class each behind `PriceProvider`, by the names of the settings."""

from django.conf import settings

from marketdata.providers.alphavantage import AlphaVantageProvider
from marketdata.providers.fixed import FixedProvider
from marketdata.providers.protocol import PriceProvider
from marketdata.providers.simulated import SimulatedProvider
from marketdata.providers.yahoo import YahooProvider
from marketdata.types import InstrumentClass

_PROVIDERS: dict[str, PriceProvider] = {
    provider.name: provider
    for provider in (
        YahooProvider(),
        AlphaVantageProvider(),
        FixedProvider(),
        SimulatedProvider(),
    )
}


def add_provider(provider: PriceProvider) -> None:
    """Let a provider of an app above this one be asked: what the venue's own market says."""
    _PROVIDERS[provider.name] = provider


def get_provider(name: str) -> PriceProvider:
    """The provider of that name; the settings let no other name through.

    Raises:
        KeyError: there is none.
    """
    return _PROVIDERS[name]


def list_chain_names(instrument_class: InstrumentClass) -> list[str]:
    """The names of the services that the settings want asked for that class, in order."""
    names: dict[InstrumentClass, list[str]] = {
        InstrumentClass.EQUITY: settings.PRICE_PROVIDERS_EQUITY,
        InstrumentClass.CRYPTO: settings.PRICE_PROVIDERS_CRYPTO,
    }
    return names[instrument_class]


def list_provider_names() -> list[str]:
    """Names that PRICE_PROVIDERS_… may hold."""
    return sorted(_PROVIDERS)
