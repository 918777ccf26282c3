"""The query strings of instruments and candles under `/api/v1/`."""

from typing import Annotated

from msgspec import Meta

from common.api.declarations import Moment, Request, Symbol, one_of
from marketdata.models import Instrument
from marketdata.types import CandleInterval


class InstrumentsQuery(Request, frozen=True):
    """Which instruments a list shows."""

    kind: Annotated[str, one_of("InstrumentKind", Instrument.Kind.values, any_case=True)] | None = (
        None
    )
    state: (
        Annotated[str, one_of("InstrumentState", Instrument.State.values, any_case=True)] | None
    ) = None
    quote: Annotated[Symbol | None, Meta(description="The code of the quote asset.")] = None


class CandlesQuery(Request, frozen=True):
    """Which candles are shown."""

    interval: Annotated[str, one_of("CandleInterval", [str(one) for one in CandleInterval])] = str(
        CandleInterval.MINUTE
    )
    since: Annotated[Moment | None, Meta(description="Those from here on.")] = None
    until: Annotated[Moment | None, Meta(description="Those before this.")] = None
    limit: Annotated[
        int, Meta(ge=1, le=1_000, description="The first ones with `since`, else the last ones.")
    ] = 100
    fill: Annotated[
        bool, Meta(description="Repeat the last close, with volume 0, where nobody traded.")
    ] = False
