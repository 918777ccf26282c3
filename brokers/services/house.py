"""The venue's own accounts, at a broker of its own: they hold positions as clients do.

Nobody has a key of that broker, and its accounts are never liquidated.
"""

from brokers.models import Broker, Funding
from brokers.services.accounts import get_or_create_account_id
from brokers.types import HOUSE_BROKER_ID, INSURANCE_DOCUMENT

_DEALER = "DEALER"


def get_dealer_account_id() -> int:
    """The account with which the venue takes the other side of dealer trades of perpetuals."""
    return _get_account_id(_DEALER)


def get_insurance_account_id() -> int:
    """The account in which the insurance fund holds the positions that it takes over.

    Its money is the venue's ledger account of the fund.
    """
    return _get_account_id(INSURANCE_DOCUMENT)


def _get_account_id(name: str) -> int:
    """The house's account of that name; made, with its broker, when it is first needed."""
    house = Broker(id=HOUSE_BROKER_ID, name="House", default_funding=Funding.PREFUNDED)
    if not Broker.objects.filter(id=HOUSE_BROKER_ID).exists():
        Broker.objects.bulk_create([house], ignore_conflicts=True)
    return get_or_create_account_id(broker_id=HOUSE_BROKER_ID, document_number=name)
