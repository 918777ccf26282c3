"""The rows of market data that are locked, each for one purpose."""

from marketdata.models import CandleProgress


def lock_candle_progress(shard: int) -> CandleProgress | None:
    """That shard's progress of candles, made if need be; None while somebody else builds them."""
    CandleProgress.objects.bulk_create([CandleProgress(shard=shard)], ignore_conflicts=True)
    return CandleProgress.objects.select_for_update(skip_locked=True).filter(shard=shard).first()
