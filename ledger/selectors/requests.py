"""Requests for money, and what an approval would change."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from common.money import EXACT
from ledger.errors import RequestNotFound
from ledger.models import Approval, EntrySource, LedgerAccount, MoneyRequest, Posting
from ledger.selectors.conversions import list_mid_rates

_ONE_PERSONS_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """A ledger account as it stands, and what a request would add to it."""

    account: LedgerAccount
    amount: Decimal
    freed_hold: Decimal = Decimal(0)

    @property
    def available_balance(self) -> Decimal:
        """What is posted and not held."""
        return self.account.posted_balance - self.account.held_amount

    @property
    def posted_balance_after(self) -> Decimal:
        """What is posted once the request is booked."""
        return self.account.posted_balance + self.amount

    @property
    def available_balance_after(self) -> Decimal:
        """What is free to use once the request is booked."""
        return self.available_balance + self.amount + self.freed_hold


def get_request(request_id: UUID, *, kinds: Collection[str]) -> MoneyRequest:
    """A request of one of these kinds, with the account that it concerns.

    Raises:
        RequestNotFound: there is none.
    """
    request = (
        MoneyRequest.objects.select_related(
            "ledger_account__asset", "ledger_account__trading_account"
        )
        .filter(id=request_id, kind__in=kinds)
        .first()
    )
    if request is None:
        raise RequestNotFound(request_id=request_id)
    return request


def list_requests(
    *,
    kind: str,
    broker_id: UUID,
    account_id: int | None = None,
    wallet_id: int | None = None,
    status: str | None = None,
) -> QuerySet[MoneyRequest]:
    """Requests of a kind on the wallets of a broker, of one account, or on one wallet."""
    requests = MoneyRequest.objects.select_related("ledger_account__asset").filter(
        kind=kind, ledger_account__trading_account__broker_id=broker_id
    )
    if account_id is not None:
        requests = requests.filter(ledger_account__trading_account_id=account_id)
    if wallet_id is not None:
        requests = requests.filter(ledger_account_id=wallet_id)
    return requests if status is None else requests.filter(status=status)


def count_approvals(requests: QuerySet[MoneyRequest]) -> QuerySet[MoneyRequest]:
    """`requests`, each with the number of its approvals as `approval_count`."""
    approvals = Approval.objects.filter(request=OuterRef("pk"), is_approved=True)
    counted = approvals.order_by().values("request").annotate(count=Count("*")).values("count")
    return requests.annotate(approval_count=Coalesce(Subquery(counted), 0))


def get_approvals_needed(request: MoneyRequest) -> int:
    """How many persons have to approve it as things stand: never fewer than it was stored with.

    A withdrawal needs two where it is above the limit of its currency together with what left the
    same wallet, by the word of one person each, in the 24 hours before.
    """
    if request.kind != MoneyRequest.Kind.WITHDRAWAL:
        return request.approvals_needed
    assert request.ledger_account is not None and request.amount is not None
    paid_out = MoneyRequest.objects.filter(
        ledger_account=request.ledger_account,
        kind=request.kind,
        status=MoneyRequest.Status.COMPLETED,
        approvals_needed=1,
        finished_at__gt=timezone.now() - _ONE_PERSONS_WINDOW,
    ).aggregate(amount=Sum("amount", default=Decimal(0)))["amount"]
    is_large = _is_above_limit(request.ledger_account.asset.code, paid_out + request.amount)
    return max(request.approvals_needed, 2 if is_large else 1)


def _is_above_limit(currency: str, amount: Decimal) -> bool:
    """Whether an amount takes two persons.

    By the limit of its currency, else by the one in the venue's currency at the rate of conversion;
    without a rate it always does.
    """
    own_limit = settings.WITHDRAWAL_TWO_PERSONS_ABOVE_OF.get(currency)
    if own_limit is not None:
        return amount > own_limit
    if currency != settings.VENUE_CURRENCY:
        rate = list_mid_rates([currency], settings.VENUE_CURRENCY).get(currency)
        if rate is None:
            return True
        amount = EXACT.multiply(amount, rate)
    return amount > settings.WITHDRAWAL_TWO_PERSONS_ABOVE


def find_reversal(entry_id: UUID) -> UUID | None:
    """The entry that reversed `entry_id`."""
    source = EntrySource.objects.filter(kind="reversal", source_id=entry_id).first()
    return None if source is None else source.entry_id


def is_own_request(request: MoneyRequest, user_id: UUID) -> bool:
    """Whether `user_id` asked for it, or owns an account that it concerns."""
    if request.requested_by_id == user_id:
        return True
    if request.ledger_account_id is not None:
        accounts = LedgerAccount.objects.filter(id=request.ledger_account_id)
        return accounts.filter(trading_account__owner_id=user_id).exists()
    return Posting.objects.filter(
        entry_id=request.reversed_entry_id, ledger_account__trading_account__owner_id=user_id
    ).exists()


def list_balance_changes(request: MoneyRequest) -> list[BalanceChange]:
    """What an approval would change now: accounts with their balances, clients' first.

    The venue's own side of a deposit, a withdrawal or an adjustment is cash in transit, which is
    not shown.
    """
    if request.reversed_entry_id is not None:
        return list_reversal_changes(request.reversed_entry_id)
    account, amount = request.ledger_account, request.amount
    assert account is not None and amount is not None
    if request.kind == MoneyRequest.Kind.WITHDRAWAL:
        return [BalanceChange(account, -amount, freed_hold=amount)]
    return [BalanceChange(account, amount)]


def list_reversal_changes(entry_id: UUID) -> list[BalanceChange]:
    """What a reversal of the entry would change now: clients' accounts first."""
    postings = Posting.objects.filter(entry_id=entry_id).select_related(
        "ledger_account__asset", "ledger_account__trading_account"
    )
    changes = [BalanceChange(posting.ledger_account, -posting.amount) for posting in postings]
    return sorted(changes, key=lambda one: (not one.account.trading_account_id, one.account.id))
