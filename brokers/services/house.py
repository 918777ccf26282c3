"""The venue's own accounts, at a broker of its own: they hold positions as clients do.

Nobody has a key of that broker, and its accounts are never liquidated.
"""

from uuid import UUID

from brokers.models import Broker, Funding
from brokers.services.accounts import get_or_create_account_id

# Fixed, so that any number of processes make the same one.
HOUSE_BROKER_ID = UUID("00000000-0000-7000-8000-000000000001")
_DEALER = "DEALER"


def get_dealer_account_id() -> int:
    """The account with which the venue takes the other side of dealer trades of perpetuals.

    Made, with its broker, when it is first needed.
    """
    house = Broker(id=HOUSE_BROKER_ID, name="House", default_funding=Funding.PREFUNDED)
    if not Broker.objects.filter(id=HOUSE_BROKER_ID).exists():
        Broker.objects.bulk_create([house], ignore_conflicts=True)
    return get_or_create_account_id(broker_id=HOUSE_BROKER_ID, document_number=_DEALER)
