"""The query strings of margin, liquidations and funding under `/api/v1/`."""

from typing import Annotated

from msgspec import Meta

from common.api.declarations import Moment, Request, RowId, Symbol, one_of
from margin.models import Liquidation
from margin.selectors.report import SORTS

OfAccount = Annotated[RowId | None, Meta(description="Only of this account.")]
InAsset = Annotated[Symbol | None, Meta(description="Only in this quote asset.")]


class PeriodQuery(Request, frozen=True):
    """The span of a list of fundings."""

    since: Annotated[Moment | None, Meta(description="Due at that time or later.")] = None
    until: Annotated[Moment | None, Meta(description="Due before that time.")] = None


class FundingsQuery(PeriodQuery, frozen=True):
    """Which fundings a list shows."""

    symbol: Annotated[Symbol | None, Meta(description="Only of this perpetual.")] = None


class PaymentsQuery(FundingsQuery, frozen=True):
    """Which funding payments a list shows."""

    account_id: OfAccount = None


class HistoryQuery(Request, frozen=True):
    """Which events a list shows."""

    account_id: OfAccount = None
    asset: InAsset = None
    since: Annotated[Moment | None, Meta(description="At that time or later.")] = None
    until: Annotated[Moment | None, Meta(description="Before that time.")] = None


class LiquidationsQuery(HistoryQuery, frozen=True):
    """Which liquidations a list shows."""

    outcome: (
        Annotated[str, one_of("LiquidationOutcome", Liquidation.Outcome.values, any_case=True)]
        | None
    ) = None


class MarginCallsQuery(HistoryQuery, frozen=True):
    """Which margin calls a list shows."""

    open: Annotated[bool | None, Meta(description="Only those that are, or are not.")] = None


class ReportQuery(Request, frozen=True):
    """Which accounts the margin report shows, and in which order."""

    asset: InAsset = None
    account_id: OfAccount = None
    search: Annotated[
        Annotated[str, Meta(max_length=20)] | None,
        Meta(description="An id, or the beginning of a document number."),
    ] = None
    at_risk: Annotated[
        bool, Meta(description="Only accounts that are near liquidation, or beyond it.")
    ] = False
    sort: Annotated[str, one_of("ReportSort", SORTS)] = "risk"
    order: Annotated[str, one_of("SortOrder", ["asc", "desc"])] = "desc"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=1_000, description="Rows of a page.")] = 100
