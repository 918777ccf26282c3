"""A client who must have the money first: deposit, hold, fill, cancel, told with every balance."""

from decimal import Decimal
from typing import Any

from brokers.services import create_account
from common.ids import new_uuid
from ledger.services import deposit
from orders.tests.fixtures import Api, register
from tests.flows.books import list_acme


def client_with(asset: str, amount: str, name: str) -> tuple[Api, int]:
    """The API of a broker whose one client owns `amount` of an asset."""
    registered = register(name, default_funding="PREFUNDED")
    account = create_account(broker_id=registered.broker.id, document_number="1")
    deposit(
        account_id=account.id,
        asset=asset,
        amount=Decimal(amount),
        source_id=new_uuid(),
        actor="test",
    )
    return Api(registered.secret, "/api/v1"), account.id


def balances(api: Api, account_id: int) -> dict[str, tuple[str, str]]:
    """Posted and held amount by asset, without what is empty."""
    rows = api.get(f"/accounts/{account_id}/balances").json()["balances"]
    amounts = {row["asset"]: (row["posted_balance"], row["held_amount"]) for row in rows}
    return {asset: pair for asset, pair in amounts.items() if pair != ("0", "0")}


def order(api: Api, account_id: int, side: str, quantity: int, price: str) -> Any:
    body = {"account_id": account_id, "symbol": "ACME", "side": side}
    return api.post("/orders", body | {"quantity": quantity, "limit_price": price})


def test_money_is_held_spent_and_freed_to_the_last_unit(engine):
    list_acme()
    buyer, buyer_id = client_with("USD", "1000.00", "Buyer")
    seller, seller_id = client_with("ACME", "10", "Seller")
    assert balances(buyer, buyer_id) == {"USD": ("1000", "0")}

    # 5 at 100.00 hold 500.00, and the fee of 0.50 on it.
    resting = order(buyer, buyer_id, "BUY", 5, "100.00").json()
    assert resting["status"] == "OPEN"
    assert balances(buyer, buyer_id) == {"USD": ("1000", "500.5")}

    # What is held cannot be spent again: refused, stored, nothing moved.
    refused = order(buyer, buyer_id, "BUY", 5, "100.00")
    assert refused.status_code == 422
    facts = refused.json()
    assert facts["code"] == "insufficient_funds"
    assert (facts["required"], facts["available"]) == ("500.5", "499.5")
    assert balances(buyer, buyer_id) == {"USD": ("1000", "500.5")}

    # The seller sells 2 into it at the maker's price; each pays 0.20.
    sale = order(seller, seller_id, "SELL", 2, "99.00").json()
    assert (sale["status"], sale["average_fill_price"], sale["fee"]) == ("FILLED", "100", "0.2")
    assert balances(seller, seller_id) == {"ACME": ("8", "0"), "USD": ("199.8", "0")}
    assert balances(buyer, buyer_id) == {"ACME": ("2", "0"), "USD": ("799.8", "300.3")}

    # The buyer cancels the rest: all that was held is free again.
    answer = buyer.delete(f"/orders/{resting['id']}").json()
    assert answer["result"] == "canceled"
    assert (answer["order"]["filled_quantity"], answer["order"]["fee"]) == ("2", "0.2")
    assert balances(buyer, buyer_id) == {"ACME": ("2", "0"), "USD": ("799.8", "0")}

    # More than the seller has cannot be sold.
    short = order(seller, seller_id, "SELL", 9, "100.00")
    assert short.json()["code"] == "insufficient_position"
    assert (short.json()["required"], short.json()["available"]) == ("9", "8")
