"""Makes the demo through the services: what is there already stays as it is."""

from decimal import Decimal
from pathlib import Path

from django.conf import settings

from brokers.models import ApiKey, Broker, TradingAccount, User
from brokers.services import (
    create_account,
    create_api_key,
    register_broker,
    revoke_api_key,
)
from brokers.services.authentication import hash_key
from brokers.services.keys import BROKER_SCOPES
from common.errors import Conflict
from exchange_project.demo.data import (
    ASSETS,
    BROKERS,
    CONVERSION_RATES,
    EQUITIES,
    OTHER_INSTRUMENTS,
    DemoAccount,
    DemoBroker,
)
from exchange_project.demo.funding import fund_demo
from exchange_project.demo.keys import read_keys, write_keys
from ledger.selectors import get_conversion_pairs
from ledger.services import create_conversion_rate
from marketdata.models import Asset, Instrument
from marketdata.services import create_asset, create_instrument

_KEY_NAMES = ("first key", "demo")


class AccountIdTaken(Conflict):
    """An account id that the documents name belongs to somebody else. Facts: account_id."""

    code = "account_id_taken"


def load_demo() -> None:
    """Make what is missing of the demo: staff, assets, rates, instruments, brokers, keys, money.

    Raises:
        AccountIdTaken: account 1 is somebody else's.
    """
    make_first_staff()
    _make_assets()
    _make_conversion_rates()
    _make_instruments()
    path = Path(settings.DEMO_KEYS_FILE)
    known = read_keys(path)
    keys = {broker.name: _load_broker(broker, known.get(broker.name)) for broker in BROKERS}
    if keys != known:
        write_keys(path, keys)
    fund_demo()


def make_first_staff() -> None:
    """Make the superuser of ADMIN_EMAIL and ADMIN_PASSWORD, if both are set and it is missing."""
    email, password = settings.ADMIN_EMAIL, settings.ADMIN_PASSWORD
    if email and password and not User.objects.filter(email__iexact=email).exists():
        User.objects.create_superuser(email, password)


def _make_assets() -> None:
    known = set(Asset.objects.values_list("code", flat=True))
    for code, kind, scale, name in ASSETS:
        if code not in known:
            create_asset(code=code, kind=kind, scale=scale, name=name)
    if settings.VENUE_CURRENCY not in known | {asset[0] for asset in ASSETS}:
        create_asset(code=settings.VENUE_CURRENCY, kind="FIAT", scale=4)
    for symbol, name in EQUITIES:
        if symbol not in known:
            create_asset(code=symbol, kind="SECURITY", scale=0, name=name)


def _make_conversion_rates() -> None:
    """Rates that are missing; a pair that staff gave the other way round is left as it is."""
    known = get_conversion_pairs()
    for base, quote, rate, spread_rate in CONVERSION_RATES:
        if known.isdisjoint({(base, quote), (quote, base)}):
            create_conversion_rate(
                base=base, quote=quote, rate=rate, spread_rate=spread_rate, follows_market=True
            )


def _make_instruments() -> None:
    known = set(Instrument.objects.values_list("symbol", flat=True))
    for symbol, name in EQUITIES:
        if symbol not in known:
            create_instrument(
                symbol=symbol,
                name=name,
                kind="EQUITY",
                base=symbol,
                quote=settings.VENUE_CURRENCY,
                tick_size=Decimal("0.01"),
                lot_size=Decimal(1),
                price_rule="SELLER",
            )
    for arguments in OTHER_INSTRUMENTS:
        if arguments["symbol"] not in known:
            create_instrument(**arguments)


def _load_broker(demo: DemoBroker, known_key: str | None) -> str:
    """See that a broker, its accounts and its key are there; the key."""
    broker = Broker.objects.filter(name=demo.name, is_self_registered=False).first()
    if broker is None:
        registered = register_broker(name=demo.name, default_funding=demo.funding)
        broker, known_key = registered.broker, registered.secret
        if demo.known_key is not None:
            revoke_api_key(api_key=registered.api_key)
    for account in demo.accounts:
        _load_account(broker, demo, account)
    if demo.known_key is not None:
        return _load_known_key(broker, demo, demo.known_key)
    return _working_key(broker, known_key)


def _load_account(broker: Broker, demo: DemoBroker, account: DemoAccount) -> None:
    if broker.accounts.filter(document_number=account.document_number).exists():
        return
    if account.id is not None and TradingAccount.objects.filter(id=account.id).exists():
        raise AccountIdTaken(
            f"Account {account.id} is somebody else's: load the demo into an empty database",
            account_id=account.id,
        )
    made = create_account(
        broker_id=broker.id, document_number=account.document_number, funding=demo.funding
    )
    if account.id is not None and made.id != account.id:
        # Made a moment ago, so nothing refers to it yet.
        TradingAccount.objects.filter(id=made.id).update(id=account.id)


def _load_known_key(broker: Broker, demo: DemoBroker, secret: str) -> str:
    if not ApiKey.objects.filter(key_hash=hash_key(secret)).exists():
        create_api_key(
            broker_id=broker.id,
            scopes=demo.known_key_scopes,
            name="named in the documents",
            account_id=demo.accounts[0].id,
            secret=secret,
        )
    return secret


def _working_key(broker: Broker, secret: str | None) -> str:
    """The broker's key; a new one where it was lost or revoked. What was lost is revoked."""
    active = ApiKey.objects.filter(broker=broker, revoked_at__isnull=True)
    if secret and active.filter(key_hash=hash_key(secret)).exists():
        return secret
    for lost in active.filter(name__in=_KEY_NAMES):
        revoke_api_key(api_key=lost)
    return create_api_key(broker_id=broker.id, scopes=BROKER_SCOPES, name="demo").secret
