"""Who calls, in plain Python."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

# The venue's own broker: fixed, so that any number of processes make the same one.
HOUSE_BROKER_ID = UUID("00000000-0000-7000-8000-000000000001")


# The document number of the house's account in which the insurance fund holds positions.
INSURANCE_DOCUMENT = "INSURANCE"


# The largest credit limit that can be set, by whomever.
CREDIT_MAX = Decimal(10**12)


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller behind an API key or a person's token: `request.auth` of every API request.

    `account_id` is set where the key is bound to one account: it then sees and uses only that one.
    `user_id` is set for a person, who calls with the own account bound; for a key it is empty.
    The venue's own admin key has no broker. A cached principal may be four seconds old.
    """

    key_id: UUID | None
    broker_id: UUID | None
    broker_name: str
    account_id: int | None
    scopes: frozenset[str]
    is_broker_suspended: bool = False
    is_venue_admin: bool = False
    user_id: UUID | None = None

    @property
    def caller_id(self) -> int | None:
        """What rates and shares are counted by: the key, or the person. None of the venue's own.

        The number of its id, since a UUID is hashed in Python.
        """
        own_id = self.key_id or self.user_id
        return None if own_id is None else own_id.int

    @property
    def is_person_with_account(self) -> bool:
        """Whether this is a person who may act for an account of the own."""
        return self.user_id is not None and self.account_id is not None

    @property
    def own_broker_id(self) -> UUID:
        """`broker_id` of a caller with a scope; only the venue's admin key has neither."""
        assert self.broker_id is not None
        return self.broker_id

    @property
    def own_user_id(self) -> UUID:
        """`user_id` of a caller that was found to be a person."""
        assert self.user_id is not None
        return self.user_id

    @property
    def request_owner(self) -> str:
        """Whose the Idempotency-Keys of this caller are."""
        if self.is_venue_admin:
            return "venue"
        if self.account_id is not None:
            return f"account:{self.account_id}"
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return f"broker:{self.own_broker_id}"

    @property
    def actor(self) -> str:
        """How this caller is named in journals and audit rows."""
        if self.user_id is not None:
            return f"user:{self.user_id}"
        return "venue-admin" if self.is_venue_admin else f"key:{self.key_id}"
