"""Trading accounts: opened by a broker, or by the first order of a client."""

from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import connection

from brokers.errors import AccountExists, SandboxOff
from brokers.models import TradingAccount, User
from brokers.selectors import find_account, get_broker
from common.caching import TtlCache
from common.errors import ValidationFailed
from common.limits import DOCUMENT_LENGTH_MAX
from common.texts import identifier_error, normal_identifier

# Ids never change, and accounts are only removed together with their broker, whose key then fails:
# the time to live bounds memory alone.
_account_ids: TtlCache[tuple[int, str], int] = TtlCache(max_size=200_000, ttl_seconds=600.0)
# Brokers whose accounts were read together; of those with more, the others are read one by one.
_read_brokers: TtlCache[int, bool] = TtlCache(max_size=10_000, ttl_seconds=300.0)
_READ_TOGETHER = 1_000

_INSERT = """
    INSERT INTO brokers_tradingaccount
        (broker_id, document_number, funding, credit_limit, status, created_at, updated_at)
    SELECT id, %(document_number)s, default_funding, default_credit_limit, 'ACTIVE', now(), now()
    FROM brokers_broker WHERE id = %(broker_id)s
    ON CONFLICT (broker_id, document_number) DO NOTHING
"""


def find_or_create_account(*, broker_id: UUID, document_number: str) -> TradingAccount:
    """The broker's account of a document, opened with the broker's defaults if there is none.

    Any number of callers at the same time get the same account.

    Raises:
        BrokerNotFound: there is no such broker.
    """
    account = find_account(broker_id=broker_id, document_number=document_number)
    if account is None:
        _insert_account(broker_id, document_number)
        account = find_account(broker_id=broker_id, document_number=document_number)
    if account is None:
        get_broker(broker_id)
        raise RuntimeError("The account was removed while it was opened.")
    return account


def get_or_create_account_id(*, broker_id: UUID, document_number: str) -> int:
    """Id of `find_or_create_account`, remembered in this process for the path of an order.

    Raises:
        BrokerNotFound: there is no such broker.
    """
    key = (broker_id.int, document_number)
    account_id = _account_ids.get(key)
    if account_id is None:
        _read_accounts_of(broker_id)
        account_id = _account_ids.get(key)
    if account_id is None:
        account = find_or_create_account(broker_id=broker_id, document_number=document_number)
        account_id = account.id
        _account_ids.put(key, account_id)
    return account_id


def _read_accounts_of(broker_id: UUID) -> None:
    """Remember accounts of a broker together, so that after a start few orders wait for theirs."""
    if _read_brokers.get(broker_id.int):
        return
    accounts = TradingAccount.objects.filter(broker_id=broker_id).order_by()
    for document_number, account_id in accounts.values_list("document_number", "id")[
        :_READ_TOGETHER
    ]:
        _account_ids.put((broker_id.int, document_number), account_id)
    _read_brokers.put(broker_id.int, True)


def create_account(
    *,
    broker_id: UUID,
    document_number: str,
    funding: str | None = None,
    credit_limit: Decimal | None = None,
    owner: User | None = None,
    is_sandbox: bool = False,
) -> TradingAccount:
    """Open an account; without `funding` it gets the broker's default funding and credit limit.

    `owner`: the person whose account it is, where it is one of the retail broker. `is_sandbox`: for
    tests of bots; it is decided now, for ever.

    Raises:
        ValidationFailed: this is no document number.
        BrokerNotFound: there is no such broker.
        AccountExists: the broker has an account of this document.
        SandboxOff: this venue has no sandbox accounts.
    """
    if is_sandbox and not settings.SANDBOX_ACCOUNTS:
        raise SandboxOff()
    document_number = normal_identifier(document_number)
    error = identifier_error("document_number", document_number, max_length=DOCUMENT_LENGTH_MAX)
    if error is not None:
        raise ValidationFailed(errors=[error])
    broker = get_broker(broker_id)
    if funding is None:
        funding, credit_limit = broker.default_funding, broker.default_credit_limit
    if find_account(broker_id=broker_id, document_number=document_number):
        raise AccountExists()
    return TradingAccount.objects.create(
        broker=broker,
        document_number=document_number,
        funding=funding,
        credit_limit=credit_limit,
        owner=owner,
        is_sandbox=is_sandbox,
    )


def _insert_account(broker_id: UUID, document_number: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {"broker_id": broker_id, "document_number": document_number})
