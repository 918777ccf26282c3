"""Play money for people: what each one's account starts with at a venue that simulates trading."""

from uuid import UUID, uuid5

from django.conf import settings

from brokers.models import TradingAccount
from exchange_project.demo import fund_demo
from ledger.services import deposit
from marketdata.services import ensure_currency

_NAMESPACE = UUID("2b9e1f4e-70a5-4f0f-9a0b-4cf0a4b0a6d4")
ACTOR = "simulator"


def fund_person(account_id: int) -> None:
    """Deposit SIMULATOR_STARTING_BALANCE in the venue's currency, once for an account.

    Called where a person registers (`settings.REGISTRATION_HOOK`), in that transaction.
    """
    if settings.SIMULATOR_STARTING_BALANCE > 0:
        deposit(
            account_id=account_id,
            asset=ensure_currency(settings.VENUE_CURRENCY).code,
            amount=settings.SIMULATOR_STARTING_BALANCE,
            source_id=uuid5(_NAMESPACE, str(account_id)),
            actor=ACTOR,
            memo="Starting balance",
        )


def fund_after_reset() -> None:
    """Fund the demo and everybody's account anew: what the engine calls (`settings.RESET_HOOK`)."""
    fund_demo()
    accounts = TradingAccount.objects.filter(owner__isnull=False)
    open_ones = accounts.exclude(status=TradingAccount.Status.CLOSED)
    for account_id in open_ones.values_list("id", flat=True):
        fund_person(account_id)
