"""What the story of `make demo-margin` begins with: a perpetual, traders, an insurance fund."""

from dataclasses import dataclass
from decimal import Decimal

from brokers.models import Funding
from brokers.services import create_account, create_api_key, register_broker
from brokers.services.keys import BROKER_SCOPES
from common.errors import Conflict
from common.ids import new_uuid
from ledger.services import deposit
from ledger.types import AccountKind
from margin.services.fund import deposit_to_fund
from marketdata.models import Instrument
from marketdata.selectors import get_instrument_spec
from marketdata.services import create_asset, create_instrument, set_first_mark

SYMBOL, ASSET = "BTC-PERP", "USDT"
FUND = Decimal(5_000)
COLLATERALS = {
    "Ada": Decimal(1_000),
    "Ben": Decimal(100_000),
    "Cora": Decimal(50_000),
    "Dora": Decimal(1_000),
}
_ACTOR = "margin story"


class VenueNotEmpty(Conflict):
    """This venue trades already: the story is told at one of its own."""

    code = "venue_not_empty"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the broker's key, which may post marks, and the accounts by name."""

    key: str
    accounts: dict[str, int]


def prepare_margin_story() -> Cast:
    """Make everything that the story needs, at a venue without instruments.

    Raises:
        VenueNotEmpty: it has some.
    """
    if Instrument.objects.exists():
        raise VenueNotEmpty
    create_asset(code=ASSET, kind="CRYPTO", scale=6, name="Tether")
    create_asset(code="BTC", kind="CRYPTO", scale=8, name="Bitcoin")
    create_instrument(
        symbol=SYMBOL,
        kind="PERPETUAL",
        base="BTC",
        quote=ASSET,
        name="Bitcoin perpetual",
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.0001"),
        price_rule="MAKER",
        price_band_rate=Decimal("0.2"),
    )
    instrument = get_instrument_spec(SYMBOL)
    set_first_mark(instrument=instrument, price=Decimal(50_000), actor=_ACTOR)
    broker = register_broker(name="Story", default_funding=Funding.PREFUNDED).broker
    accounts = {}
    for name, collateral in COLLATERALS.items():
        accounts[name] = create_account(broker_id=broker.id, document_number=name).id
        deposit(
            account_id=accounts[name],
            asset=ASSET,
            amount=collateral,
            source_id=new_uuid(),
            actor=_ACTOR,
            kind=AccountKind.MARGIN,
        )
    deposit_to_fund(
        asset=ASSET, amount=FUND, source_id=new_uuid(), actor=_ACTOR, memo="To begin with"
    )
    scopes = [*BROKER_SCOPES, "marks"]
    return Cast(create_api_key(broker_id=broker.id, scopes=scopes, name="story").secret, accounts)
