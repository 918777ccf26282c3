"""The money of one client from the deposit to the reversal, told with every balance."""

from ledger.tests.factories import make_rate
from tests.flows.books import Books, Officer, bring_shares, done, list_acme, refused


def test_deposit_order_withdrawal_conversion_reversal(engine: object) -> None:
    """Ann pays dollars in and buys shares of Bob; what her order holds she cannot withdraw.

    She cancels what is left of the order, withdraws, changes money into euros, and the venue takes
    the conversion back. A dollar is worth 0.90 euros, of which the venue keeps 1 %.
    """
    list_acme()
    make_rate("USD", "EUR", "0.9", spread_rate="0.01")
    books, cleo, dan = Books(), Officer("Cleo"), Officer("Dan")
    ann, bob = books.client("Ann"), books.client("Bob")
    dollars = ann.wallet("USD")
    bring_shares(bob, "ACME", "10")

    # Ann has sent 1,000.00 dollars; nothing is booked before staff have seen them.
    body = {"wallet_id": dollars, "amount": "1000", "reason": "bank reference 17"}
    asked = done(ann.api.post("/deposits", body))
    books.expect("""
        who             | asset | posted | held | available
        Bob             | ACME  | 10     | 0    | 10
        Cash in transit | ACME  | -10
    """)
    assert cleo.approve(asked["id"]) == "Deposit completed."
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 1000   | 0    | 1000
        Bob             | ACME  | 10     | 0    | 10
        Cash in transit | USD   | -1000
        Cash in transit | ACME  | -10
    """)

    # Ann bids 100.00 for 5: held are 500.00 and the fee of 0.50 on it.
    body = {"account_id": ann.account_id, "symbol": "ACME", "side": "BUY"}
    order = done(ann.api.post("/orders", body | {"quantity": 5, "limit_price": "100.00"}))
    books.expect("""
        who             | asset | posted | held     | available
        Ann             | USD   | 1000   | 500.5    | 499.5
        Bob             | ACME  | 10     | 0        | 10
        Cash in transit | USD   | -1000
        Cash in transit | ACME  | -10
    """)

    # Bob sells 2 of them into it: 200.00 change hands, and each pays a fee of 0.20.
    body = {"account_id": bob.account_id, "symbol": "ACME", "side": "SELL"}
    done(bob.api.post("/orders", body | {"quantity": 2, "limit_price": "99.00"}))
    after_the_trade = """
        who             | asset | posted | held     | available
        Ann             | USD   | 799.8  | 300.3    | 499.5
        Ann             | ACME  | 2      | 0        | 2
        Bob             | USD   | 199.8  | 0        | 199.8
        Bob             | ACME  | 8      | 0        | 8
        Fees            | USD   | 0.4
        Cash in transit | USD   | -1000
        Cash in transit | ACME  | -10
    """
    books.expect(after_the_trade)

    # 500.00 are more than is free: the withdrawal is refused, and nothing changes.
    withdrawal = {"wallet_id": dollars, "amount": "500", "reason": "to my bank"}
    assert refused(ann.api.post("/withdrawals", withdrawal)) == (422, "insufficient_funds")
    books.expect(after_the_trade)

    # Without the rest of the order they are free: asked for, held, and paid when approved.
    done(ann.api.delete(f"/orders/{order['id']}"))
    asked = done(ann.api.post("/withdrawals", withdrawal))
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 799.8  | 500  | 299.8
        Ann             | ACME  | 2      | 0    | 2
        Bob             | USD   | 199.8  | 0    | 199.8
        Bob             | ACME  | 8      | 0    | 8
        Fees            | USD   | 0.4
        Cash in transit | USD   | -1000
        Cash in transit | ACME  | -10
    """)
    assert cleo.approve(asked["id"]) == "Withdrawal completed."
    after_the_withdrawal = """
        who             | asset | posted | held | available
        Ann             | USD   | 299.8  | 0    | 299.8
        Ann             | ACME  | 2      | 0    | 2
        Bob             | USD   | 199.8  | 0    | 199.8
        Bob             | ACME  | 8      | 0    | 8
        Fees            | USD   | 0.4
        Cash in transit | USD   | -500
        Cash in transit | ACME  | -10
    """
    books.expect(after_the_withdrawal)

    # 100.00 dollars at 0.90 less 1 % are 89.10 euros; the venue's conversion account has both legs.
    body = {"from_wallet_id": dollars, "to_currency": "EUR", "sell_amount": "100"}
    quote = done(ann.api.post("/conversions/quotes", body))
    converted = done(ann.api.post("/conversions", {"quote_id": quote["id"]}))
    books.expect("""
        who                 | asset | posted | held | available
        Ann                 | USD   | 199.8  | 0    | 199.8
        Ann                 | EUR   | 89.1   | 0    | 89.1
        Ann                 | ACME  | 2      | 0    | 2
        Bob                 | USD   | 199.8  | 0    | 199.8
        Bob                 | ACME  | 8      | 0    | 8
        Currency conversion | USD   | 100
        Currency conversion | EUR   | -89.1
        Fees                | USD   | 0.4
        Cash in transit     | USD   | -500
        Cash in transit     | ACME  | -10
    """)

    # The rate was wrong. Cleo asks that the conversion be reversed, Dan approves.
    request_id = cleo.ask_for_reversal(converted["entry_id"], "wrong rate")
    assert dan.approve(request_id) == "Reversal completed."
    books.expect(after_the_withdrawal)
