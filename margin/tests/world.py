"""A perpetual with a mark and accounts with keys, on a living engine, for tests of the API."""

from decimal import Decimal
from typing import Any

from brokers.models import TradingAccount
from brokers.services import create_account, create_api_key, register_broker
from common.ids import new_uuid
from ledger.services import deposit
from ledger.types import AccountKind
from marketdata.selectors import get_instrument_spec
from marketdata.tests.factories import make_instrument
from marketdata.types import InstrumentSpec
from orders.services.marks import set_mark_price
from orders.tests.fixtures import Api

_SCOPES = ("read", "trade", "transfer", "book", "marks")


def make_perpetual(symbol: str = "BTC-PERP", **fields: Any) -> InstrumentSpec:
    """A perpetual in USDT: tick 0.01, lot 0.0001, 20 % and 10 %, no fees."""
    values: dict[str, Any] = {
        "base": symbol.split("-")[0],
        "quote": "USDT",
        "kind": "PERPETUAL",
        "lot_size": Decimal("0.0001"),
        "price_rule": "MAKER",
        "price_band_rate": Decimal("0.5"),
    }
    return make_instrument(symbol, **(values | fields))


def set_mark(price: int, symbol: str = "BTC-PERP") -> None:
    set_mark_price(
        instrument=get_instrument_spec(symbol), price=Decimal(price), actor="test", is_forced=True
    )


def make_trader(name: str, collateral: int = 0, cash: int = 0) -> tuple[TradingAccount, Api]:
    """A prefunded account with money in USDT, and a client with a key that is bound to it."""
    broker = register_broker(name=name).broker
    account = create_account(broker_id=broker.id, document_number="1", funding="PREFUNDED")
    for amount, kind in ((collateral, AccountKind.MARGIN), (cash, AccountKind.CASH)):
        if amount:
            deposit(
                account_id=account.id,
                asset="USDT",
                amount=Decimal(amount),
                source_id=new_uuid(),
                actor="test",
                kind=kind,
            )
    key = create_api_key(broker_id=broker.id, scopes=_SCOPES, name="k", account_id=account.id)
    return account, Api(key.secret, "/api/v1/")


def order(side: str, price: int | str, quantity: str, **fields: Any) -> dict[str, Any]:
    """The body of an order."""
    return {
        "symbol": "BTC-PERP", "side": side, "limit_price": str(price), "quantity": quantity,
    } | fields  # fmt: skip
