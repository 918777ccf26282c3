"""The query strings of balances, wallets, transfers and the venue's reports under `/api/v1/`."""

from typing import Annotated

from msgspec import Meta

from common.api.declarations import Moment, Request, RowId, Symbol, one_of
from ledger.models import LedgerAccount, MoneyRequest
from ledger.selectors.transfers import DIRECTIONS
from ledger.types import TransferStatus

OfAccount = Annotated[RowId | None, Meta(description="Only of this account.")]
OfWallet = Annotated[RowId | None, Meta(description="Only of this wallet.")]


class EntriesQuery(Request, frozen=True):
    """Which booked lines a list shows."""

    asset: Annotated[Symbol | None, Meta(description="Only of this asset.")] = None


class StatementQuery(Request, frozen=True):
    """The span of a statement."""

    since: Annotated[
        Moment | None, Meta(description="By default 30 days before `until`; inclusive.")
    ] = None
    until: Annotated[
        Moment | None,
        Meta(
            description="By default now; exclusive. The answer says which end it has: one to come "
            "is now."
        ),
    ] = None


class TrialBalanceQuery(Request, frozen=True):
    """What a trial balance is of."""

    asset: Annotated[Symbol | None, Meta(description="Only of this asset.")] = None
    at: Annotated[
        Moment | None,
        Meta(
            description="As of this instant (exclusive), summed from every posting before it, "
            "which may take long; by default now."
        ),
    ] = None


class WalletsQuery(Request, frozen=True):
    """Which wallets a list shows."""

    account_id: OfAccount = None
    currency: Annotated[Symbol | None, Meta(description="Only in this currency.")] = None
    status: (
        Annotated[str, one_of("WalletStatus", LedgerAccount.Status.values, any_case=True)] | None
    ) = None


class BalanceQuery(Request, frozen=True):
    """The instant of a balance."""

    at: Annotated[Moment | None, Meta(description="By default now; exclusive.")] = None


class RequestsQuery(Request, frozen=True):
    """Which deposits or withdrawals a list shows."""

    account_id: OfAccount = None
    wallet_id: OfWallet = None
    status: Annotated[str, one_of("MoneyRequestStatus", MoneyRequest.Status.values)] | None = None


class TransfersQuery(Request, frozen=True):
    """Which transfers a list shows."""

    wallet_id: OfWallet = None
    direction: Annotated[
        Annotated[str, one_of("TransferDirection", DIRECTIONS)] | None,
        Meta(description="As the caller sees it."),
    ] = None
    status: (
        Annotated[
            str,
            one_of("TransferStatus", [str(status) for status in TransferStatus], any_case=True),
        ]
        | None
    ) = None
    since: Annotated[Moment | None, Meta(description="Created at that time or later.")] = None
    until: Annotated[Moment | None, Meta(description="Created before that time.")] = None
