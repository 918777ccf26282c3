"""Candles out of trades: against a naive fold, whatever the runs between them were."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, groupby
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.ids import derived_uuid
from common.instants import EPOCH, to_microseconds
from marketdata.locks import lock_candle_progress
from marketdata.models import Candle, CandleProgress, Instrument
from marketdata.selectors import list_bars
from marketdata.tests.factories import make_instrument
from marketdata.types import Bar, CandleInterval, InstrumentSpec
from orders.models import EngineShard, Trade
from orders.services.candles import build_candles
from orders.tasks import build_candles as build_all
from orders.tests.fixtures import Api, register

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Event:
    """A trade at a moment (seconds after midnight), in cents; of two accounts unless said."""

    seconds: float
    cents: int
    quantity: int
    is_self_trade: bool = False


class Market:
    """A shard that writes trades as its engine does: in order, with its checkpoint."""

    def __init__(self, shard: int = 0, symbol: str = "ACME") -> None:
        self.instrument = make_instrument(symbol)
        self._shard = shard
        if shard:
            Instrument.objects.filter(id=self.instrument.id).update(shard=shard)
        self._sequence = 0
        EngineShard.objects.update_or_create(shard=shard)

    def trade(self, *events: Event, venue: str = "BOOK") -> None:
        """Store trades; the checkpoint says that nothing older follows."""
        rows = [self._row(event, venue) for event in events]
        Trade.objects.bulk_create(rows)
        self.reach(events[-1].seconds)

    def reach(self, seconds: float) -> None:
        """The engine commits a batch without trades."""
        microseconds = to_microseconds(at(seconds))
        EngineShard.objects.filter(shard=self._shard).update(batch_time=microseconds)

    def _row(self, event: Event, venue: str) -> Trade:
        self._sequence += 1
        price = Decimal(event.cents) / 100
        return Trade(
            id=derived_uuid(
                (at(event.seconds) - EPOCH) // MILLISECOND, self._shard, self._sequence
            ),
            instrument_id=self.instrument.id,
            venue=venue,
            price=price,
            quantity=event.quantity,
            notional=price * event.quantity,
            taker_side="BUY",
            buy_account_id=1,
            sell_account_id=1 if event.is_self_trade else 2,
            sequence=self._sequence,
            executed_at=at(event.seconds),
        )


def at(seconds: float) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


def fold(events: Sequence[Event], interval: CandleInterval) -> list[Bar]:
    """What the candles must be, the plain way."""
    bars = []
    for opened_at, group in groupby(events, lambda event: interval.floor(at(event.seconds))):
        trades = list(group)
        prices = [Decimal(trade.cents) / 100 for trade in trades]
        bars.append(
            Bar(
                opened_at,
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                Decimal(sum(trade.quantity for trade in trades)),
                Decimal(sum(trade.cents * trade.quantity for trade in trades)) / 100,
                len(trades),
            )
        )
    return bars


def candles_of(instrument: InstrumentSpec, interval: CandleInterval) -> list[Bar]:
    return list_bars(instrument.id, interval, since=None, until=None, limit=100_000)


def check(instrument: InstrumentSpec, events: Sequence[Event]) -> None:
    for interval in CandleInterval:
        expected = [astuple(bar) for bar in fold(events, interval)]
        assert [astuple(bar) for bar in candles_of(instrument, interval)] == expected


@pytest.mark.django_db
def test_a_minute_of_trades_is_a_candle_of_every_interval() -> None:
    market = Market()
    market.trade(Event(61, 1000, 5), Event(75.5, 1300, 1), Event(80, 900, 2), Event(119, 1100, 4))

    assert build_candles(shard=0) is False

    numbers = (10, 13, 9, 11, 12, Decimal("125.00"), 4)
    assert list(
        Candle.objects.order_by("id").values_list(
            "interval",
            "opened_at",
            "open_price",
            "high_price",
            "low_price",
            "close_price",
            "volume",
            "amount",
            "trade_count",
        )
    ) == [
        ("1m", at(60), *numbers),
        ("5m", at(0), *numbers),
        ("1h", at(0), *numbers),
        ("1d", at(0), *numbers),
    ]
    assert CandleProgress.objects.get().built_until == at(119)


@pytest.mark.django_db
def test_trades_of_an_account_with_itself_make_no_candle() -> None:
    market = Market()
    market.trade(
        Event(60, 1_000, 5),
        Event(61, 9_000, 1, is_self_trade=True),
        Event(62, 1_100, 2),
        Event(130, 9_000, 1, is_self_trade=True),
    )
    market.reach(240)

    while build_candles(shard=0):
        pass

    check(market.instrument, [Event(60, 1_000, 5), Event(62, 1_100, 2)])


_numbers = count()
_events = st.lists(
    st.builds(
        Event,
        seconds=st.one_of(
            st.floats(0, 200), st.floats(0, 8_000), st.sampled_from([0.0, 59.999, 60.0, 299.999])
        ).map(lambda seconds: round(seconds, 3)),
        cents=st.integers(1, 10_000),
        quantity=st.integers(1, 1_000),
    ),
    min_size=1,
    max_size=30,
).map(lambda events: sorted(events, key=lambda event: event.seconds))


@pytest.mark.django_db
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=_events, pauses=st.lists(st.booleans(), min_size=30, max_size=30))
def test_candles_are_the_naive_fold_wherever_runs_come_between(
    events: list[Event], pauses: list[bool]
) -> None:
    Trade.objects.all().delete()
    Candle.objects.all().delete()
    CandleProgress.objects.all().delete()
    market = Market(symbol=f"S{next(_numbers)}")

    for event, has_pause in zip(events, pauses, strict=False):
        market.trade(event)
        if has_pause:
            build_candles(shard=0)
    while build_candles(shard=0):
        pass
    check(market.instrument, events)
    while build_candles(shard=0):
        pass

    check(market.instrument, events)


@pytest.mark.django_db
def test_a_long_absence_is_caught_up_in_slices() -> None:
    market = Market()
    events = [Event(seconds, 1000 + index, 1) for index, seconds in enumerate((0, 700, 50_000))]
    market.trade(*events)

    runs = [build_candles(shard=0) for _ in range(4)]

    assert runs == [True, True, False, False]
    check(market.instrument, events)


@pytest.mark.django_db
def test_a_trade_that_is_committed_after_a_run_still_counts() -> None:
    market = Market()
    first, late = Event(30, 1000, 1), Event(59.9, 1100, 1)
    market.trade(first)
    build_candles(shard=0)
    market.reach(45)
    build_candles(shard=0)

    market.trade(late)
    build_candles(shard=0)

    check(market.instrument, [first, late])


@pytest.mark.django_db
def test_what_was_interrupted_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market()
    market.trade(Event(30, 1000, 1))

    with monkeypatch.context() as broken:
        broken.setattr("marketdata.bulk._COARSER", "SELECT 1 / 0")
        with pytest.raises(Exception, match="division by zero"):
            build_candles(shard=0)
    assert not Candle.objects.exists()
    build_candles(shard=0)

    check(market.instrument, [Event(30, 1000, 1)])


@pytest.mark.django_db
def test_only_trades_on_the_book_count() -> None:
    market = Market()
    market.trade(Event(10, 1000, 1))
    market.trade(Event(20, 9999, 1), venue="DEALER")
    market.trade(Event(21, 9999, 1), venue="EXTERNAL")

    build_candles(shard=0)

    check(market.instrument, [Event(10, 1000, 1)])


@pytest.mark.django_db
def test_every_shard_has_its_own_progress(settings: Any) -> None:
    settings.ENGINE_SHARDS = 2
    ahead, behind = Market(0, "AHEAD"), Market(1, "BEHIND")
    ahead.trade(Event(5_000, 1000, 1))
    build_all()
    behind.trade(Event(100, 2000, 1))

    build_all()

    check(ahead.instrument, [Event(5_000, 1000, 1)])
    check(behind.instrument, [Event(100, 2000, 1)])


@pytest.mark.django_db
def test_a_venue_without_an_engine_has_no_candles() -> None:
    make_instrument("ACME")

    assert build_candles(shard=0) is False
    assert not Candle.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_builders_do_not_meet() -> None:
    market = Market()
    market.trade(Event(10, 1000, 1))
    build_candles(shard=0)
    market.trade(Event(20, 1100, 1))

    def build() -> bool:
        try:
            return build_candles(shard=0)
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        assert lock_candle_progress(0) is not None
        assert pool.submit(build).result(timeout=10) is False
    check(market.instrument, [Event(10, 1000, 1)])

    build_candles(shard=0)
    check(market.instrument, [Event(10, 1000, 1), Event(20, 1100, 1)])


@pytest.fixture
def api(db: None, valkey: Any) -> Api:
    return Api(register("B").secret, "/api/v1/")


@pytest.fixture
def traded() -> Market:
    """Trades in minutes 1, 2 and 5 of the day; nothing afterwards."""
    market = Market()
    market.trade(Event(60, 1000, 1), Event(120, 1100, 2), Event(300, 900, 3))
    build_candles(shard=0)
    return market


def minutes(answer: Any) -> list[tuple[int, str, str]]:
    """Minute of the day, close and volume of each candle."""
    return [
        (
            (datetime.fromisoformat(candle["opened_at"]) - MIDNIGHT) // timedelta(minutes=1),
            candle["close"],
            candle["volume"],
        )
        for candle in answer.json()["candles"]
    ]


def test_candles_are_told_oldest_first(api: Api, traded: Market) -> None:
    answer = api.get("instruments/acme/candles", limit=2)

    assert answer.status_code == 200
    assert answer.json() == {
        "symbol": "ACME",
        "interval": "1m",
        "candles": [
            {
                "opened_at": "2026-11-20T00:02:00.000000Z",
                "open": "11",
                "high": "11",
                "low": "11",
                "close": "11",
                "volume": "2",
                "amount": "22",
                "trade_count": 1,
            },
            {
                "opened_at": "2026-11-20T00:05:00.000000Z",
                "open": "9",
                "high": "9",
                "low": "9",
                "close": "9",
                "volume": "3",
                "amount": "27",
                "trade_count": 1,
            },
        ],
    }


def test_candles_of_a_time_and_an_interval(api: Api, traded: Market) -> None:
    path = "instruments/ACME/candles"
    one, two, five = (1, "10", "1"), (2, "11", "2"), (5, "9", "3")

    assert minutes(api.get(path)) == [one, two, five]
    assert minutes(api.get(path, since="2026-11-20T00:02:00Z")) == [two, five]
    assert minutes(api.get(path, since="2026-11-20T00:01:00.001Z", limit=1)) == [two]
    assert minutes(api.get(path, until="2026-11-20T00:05:00Z")) == [one, two]
    assert minutes(api.get(path, interval="5m")) == [(0, "11", "3"), (5, "9", "3")]
    assert minutes(api.get(path, interval="1d")) == [(0, "9", "6")]
    assert minutes(api.get(path, since="2026-11-21T00:00:00Z")) == []


def test_gaps_are_filled_with_the_last_close(api: Api, traded: Market) -> None:
    path, until = "instruments/ACME/candles", "2026-11-20T00:06:00.5Z"
    flat = [(3, "11", "0"), (4, "11", "0")]
    filled = [(1, "10", "1"), (2, "11", "2"), *flat, (5, "9", "3"), (6, "9", "0")]

    assert minutes(api.get(path, fill="true", until=until)) == filled
    assert minutes(api.get(path, fill="true", until=until, limit=3)) == filled[-3:]
    since = "2026-11-20T00:03:00Z"
    assert minutes(api.get(path, fill="true", since=since, limit=2)) == flat
    assert minutes(api.get(path, fill="true", until="2026-11-20T00:01:00Z")) == []
    assert minutes(api.get(path, fill="true", since="2999-01-01T00:00:00Z")) == []
    assert minutes(api.get(path, fill="true", until="0001-01-01T00:00:00Z")) == []
    assert len(minutes(api.get(path, fill="true", until="9999-12-31T23:59:59Z"))) == 100
    early = api.get(path, fill="true", since="0001-01-01T00:00:00Z", limit=1)
    assert minutes(early) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "2m"}, "interval"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-11-20T00:00:00"}, "until"),
        ({"fill": "perhaps"}, "fill"),
    ],
)
def test_what_is_asked_wrongly_is_named(
    api: Api, traded: Market, query: dict[str, Any], field: str
) -> None:
    answer = api.get("instruments/ACME/candles", **query)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_candles_of_nothing_are_404(api: Api) -> None:
    assert api.get("instruments/NOPE/candles").status_code == 404
