"""The clock's work on market data."""

from celery import shared_task

from marketdata.pricing import refresh_watched_prices


@shared_task
def refresh_prices() -> int:
    """Ask for watched symbols in bulk; returns how many prices came."""
    return refresh_watched_prices()
