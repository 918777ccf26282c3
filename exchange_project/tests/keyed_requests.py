"""A venue on which every request that takes an Idempotency-Key can be sent, and those requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from django.conf import settings
from django.utils import timezone

from brokers.models import ApiKey, Scope, TradingAccount, WebhookDelivery
from brokers.services import (
    create_account,
    create_api_key,
    create_webhook_endpoint,
    register_broker,
)
from brokers.tests.people import register, tokens_of
from common.ids import new_uuid
from ledger.services import deposit
from ledger.tests.factories import make_rate, wallet_of
from ledger.types import AccountKind
from margin.tests.world import make_perpetual, set_mark
from marketdata.tests.factories import make_instrument
from orders.tests.fixtures import Api
from tests.support.lanes import LaneClient

V1 = "/api/v1/"


class KeyedApi(Api):
    """A client that names its requests."""

    def send(self, method: str, path: str, body: Any, key: str | None) -> Any:
        """The response to a request; `body` is encoded unless it is bytes."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        return LaneClient(raise_request_exception=False).generic(
            method, path, raw, content_type="application/json", headers=headers
        )


@dataclass(frozen=True)
class World:
    """A broker with two funded accounts, a perpetual and a share, a person and the venue's key."""

    broker: KeyedApi
    person: KeyedApi
    venue: KeyedApi
    account: TradingAccount
    other: TradingAccount
    api_key: ApiKey

    def make(self, path: str, body: Any = None) -> Any:
        """The document that a request of the broker is answered with."""
        response = self.broker.post(V1 + path, body)
        assert response.status_code in (200, 201), response.content
        return response.json()


def make_world() -> World:
    """Make it; an engine runs."""
    make_instrument("ACME")
    make_perpetual()
    make_rate("EUR", "USD", "1.10")
    set_mark(50_000)
    broker = register_broker(name="Alpha").broker
    accounts = [
        create_account(broker_id=broker.id, document_number=number, funding="PREFUNDED")
        for number in ("1", "2")
    ]
    for account in accounts:
        _fund(account, "USD", AccountKind.CASH)
        _fund(account, "USDT", AccountKind.CASH)
        _fund(account, "USDT", AccountKind.MARGIN)
    made = create_api_key(broker_id=broker.id, scopes=Scope.values, name="all")
    endpoint = create_webhook_endpoint(broker_id=broker.id, url="https://example.com/hook")
    WebhookDelivery.objects.create(
        endpoint=endpoint, event="trade_executed", payload="{}", created_at=timezone.now()
    )
    person = register()
    return World(
        broker=KeyedApi(made.secret),
        person=KeyedApi(tokens_of(person).access),
        venue=KeyedApi(settings.ADMIN_API_KEY),
        account=accounts[0],
        other=accounts[1],
        api_key=create_api_key(broker_id=broker.id, scopes=["read"], name="to rotate").api_key,
    )


def _fund(account: TradingAccount, asset: str, kind: AccountKind) -> None:
    deposit(
        account_id=account.id,
        asset=asset,
        amount=Decimal(1_000_000),
        source_id=new_uuid(),
        actor="test",
        kind=kind,
    )


Made: TypeAlias = tuple[str, Any]
_MONEY = {"amount": "5", "reason": "rent"}


def _wallet(world: World) -> int:
    return wallet_of(world.account).pk


def _transfer(world: World, **more: Any) -> dict[str, Any]:
    to = wallet_of(world.other).pk
    return {"from_wallet_id": _wallet(world), "to_wallet_id": to, "amount": "5", **more}


def _booked(world: World) -> Made:
    body = {"symbol": "ACME", "order_type": "BUY", "quantity": 1, "price": "10"}
    return f"accounts/{world.account.id}/orders", {**body, "client_order_id": "booked"}


def _execution(world: World) -> Made:
    order = world.make(*_booked(world))
    return f"orders/{order['id']}/execute", {"quantity": "1"}


def _order(world: World) -> Made:
    body = {"symbol": "ACME", "side": "BUY", "quantity": "1", "limit_price": "10"}
    return "orders", {"account_id": world.account.id, **body}


def _cancel_all(world: World) -> Made:
    world.make(*_order(world))
    return "orders/cancel-all", {"symbol": "ACME"}


def _mark(_: World) -> Made:
    return "mark-price", {"symbol": "BTC-PERP", "price": 50_100}


def _deal(world: World) -> Made:
    return "trade", {
        "account_id": world.account.id,
        "ticker": "ACME",
        "action": "buy",
        "quantity": 1,
    }


def _asked(path: str) -> Callable[[World], Made]:
    return lambda world: (path, {"wallet_id": _wallet(world), **_MONEY})


def _canceled(path: str) -> Callable[[World], Made]:
    return lambda world: (f"{path}/{world.make(*_asked(path)(world))['id']}/cancel", None)


def _quote(world: World) -> Made:
    return "conversions/quotes", {
        "from_wallet_id": _wallet(world), "to_currency": "EUR", "sell_amount": "11",
    }  # fmt: skip


def _conversion(world: World) -> Made:
    return "conversions", {"quote_id": world.make(*_quote(world))["id"]}


def _closed(world: World) -> Made:
    wallet = world.make("wallets", {"currency": "EUR", "account_id": world.account.id})
    return f"wallets/{wallet['id']}/close", None


def _pending(step: str) -> Callable[[World], Made]:
    def make(world: World) -> Made:
        transfer = world.make("transfers", _transfer(world, pending=True))
        return f"transfers/{transfer['id']}/{step}", {}

    return make


def _endpoint(world: World) -> Made:
    made = world.make("webhook-endpoints", {"url": "https://example.com/a"})
    return f"webhook-endpoints/{made['id']}", {"url": "https://example.com/b"}


def _margin(step: str, **body: Any) -> Callable[[World], Made]:
    return lambda world: (f"margin/accounts/{world.account.id}/{step}", {"asset": "USDT", **body})


def _unfreezing(world: World) -> Made:
    path, body = _margin("freeze", reason="audit")(world)
    assert world.venue.post(V1 + path, body).status_code == 200
    return _margin("unfreeze", reason="done")(world)


# By route below /api/v1/: who sends it, and what.
V1_REQUESTS: dict[str, tuple[str, Callable[[World], Made]]] = {
    "POST orders": ("broker", _order),
    "POST trade": ("broker", _deal),
    "POST accounts/{account_id}/orders": ("broker", _booked),
    "POST orders/{order_id}/execute": ("broker", _execution),
    "POST orders/cancel-all": ("broker", _cancel_all),
    "POST mark-price": ("broker", _mark),
    "POST accounts": ("broker", lambda _: ("accounts", {"document_number": "3"})),
    "POST webhook-endpoints": (
        "broker", lambda _: ("webhook-endpoints", {"url": "https://example.com/more"}),
    ),
    "PATCH webhook-endpoints/{endpoint_id}": ("broker", _endpoint),
    "POST webhook-deliveries/{delivery_id}/replay": (
        "broker",
        lambda _: (f"webhook-deliveries/{WebhookDelivery.objects.get().pk}/replay", None),
    ),
    "POST brokers": ("venue", lambda _: ("brokers", {"name": "Beta"})),
    "POST api-keys": ("broker", lambda _: ("api-keys", {"name": "more", "scopes": ["read"]})),
    "POST api-keys/{key_id}/rotate": (
        "broker", lambda world: (f"api-keys/{world.api_key.pk}/rotate", {}),
    ),
    "PATCH auth/me": ("person", lambda _: ("auth/me", {"full_name": "Ada Lovelace"})),
    "POST auth/email/verify/resend": ("person", lambda _: ("auth/email/verify/resend", None)),
    "POST deposits": ("broker", _asked("deposits")),
    "POST deposits/{request_id}/cancel": ("broker", _canceled("deposits")),
    "POST withdrawals": ("broker", _asked("withdrawals")),
    "POST withdrawals/{request_id}/cancel": ("broker", _canceled("withdrawals")),
    "POST conversions/quotes": ("broker", _quote),
    "POST conversions": ("broker", _conversion),
    "POST wallets": (
        "broker", lambda world: ("wallets", {"currency": "EUR", "account_id": world.account.id}),
    ),
    "POST wallets/{wallet_id}/close": ("broker", _closed),
    "POST transfers": ("broker", lambda world: ("transfers", _transfer(world))),
    "POST transfers/batch": (
        "broker", lambda world: ("transfers/batch", {"transfers": [_transfer(world)]}),
    ),
    "POST transfers/{transfer_id}/post": ("broker", _pending("post")),
    "POST transfers/{transfer_id}/void": ("broker", _pending("void")),
    "POST margin/accounts/{account_id}/collateral": (
        "broker", _margin("collateral", amount="5", direction="IN"),
    ),
    "POST margin/accounts/{account_id}/freeze": ("venue", _margin("freeze", reason="audit")),
    "POST margin/accounts/{account_id}/unfreeze": ("venue", _unfreezing),
}  # fmt: skip

_CLASSIC_ORDER = {"document_number": "9", "side": "bid", "symbol": "ACME", "quantity": 1}
_CLASSIC_ORDER |= {"price": 1000, "valid_until": "2035-12-31T23:59:59Z"}
CLASSIC_REQUESTS: dict[str, tuple[str, Callable[[World], Made]]] = {
    "POST /orders": ("broker", lambda _: ("/orders", _CLASSIC_ORDER)),
    "POST /register": ("venue", lambda _: ("/register", {"name": "Gamma"})),
}


def list_requests() -> dict[str, tuple[str, Callable[[World], Made]]]:
    """All of them, by name of the route; paths are those of the venue."""
    return CLASSIC_REQUESTS | {
        name.replace(" ", f" {V1}", 1): (who, _below_v1(make))
        for name, (who, make) in V1_REQUESTS.items()
    }


def _below_v1(make: Callable[[World], Made]) -> Callable[[World], Made]:
    def below(world: World) -> Made:
        path, body = make(world)
        return V1 + path, body

    return below
