"""Two people and their money, from the registration on."""

from ledger.tests.factories import make_rate
from tests.flows.books import Books, Officer, done, email_of, refused


def test_register_deposit_send_convert_withdraw(engine: object) -> None:
    """Ada registers, pays in, and sends money to Ben's email address; he changes and withdraws it.

    A euro costs 1.25 dollars, and the venue keeps nothing.
    """
    make_rate("EUR", "USD", "1.25")
    books, cleo = Books(), Officer("Cleo")
    ada, ben = books.person("Ada"), books.person("Ben")
    dollars = ada.wallet("USD")

    # Ada pays 250.00 in.
    body = {"wallet_id": dollars, "amount": "250", "reason": "bank reference 17"}
    assert cleo.approve(done(ada.api.post("/deposits", body))["id"]) == "Deposit completed."
    books.expect("""
        who             | asset | posted | held | available
        Ada             | USD   | 250    | 0    | 250
        Cash in transit | USD   | -250
    """)

    # She sends 100.00 to Ben, who has no wallet yet: it is opened for him. Nobody else is known.
    payment = {"from_wallet_id": dollars, "amount": "100", "memo": "rent"}
    done(ada.api.post("/transfers", payment | {"to_email": email_of("Ben")}))
    unknown = ada.api.post("/transfers", payment | {"to_email": email_of("Zoe")})
    assert refused(unknown) == (404, "recipient_not_found")
    books.expect("""
        who             | asset | posted | held | available
        Ada             | USD   | 150    | 0    | 150
        Ben             | USD   | 100    | 0    | 100
        Cash in transit | USD   | -250
    """)

    # Ben buys 60.00 euros for 75.00 dollars. Ada's wallet is not his to use.
    body = {"to_currency": "EUR", "buy_amount": "60"}
    not_his = ben.api.post("/conversions/quotes", body | {"from_wallet_id": dollars})
    assert not_his.status_code == 403
    quote = done(ben.api.post("/conversions/quotes", body | {"from_wallet_id": ben.wallet("USD")}))
    assert (quote["sell_amount"], quote["buy_amount"], quote["rate"]) == ("75", "60", "0.8")
    for _ in range(2):  # the second time it is answered as it was
        done(ben.api.post("/conversions", {"quote_id": quote["id"]}))
    books.expect("""
        who                 | asset | posted | held | available
        Ada                 | USD   | 150    | 0    | 150
        Ben                 | USD   | 25     | 0    | 25
        Ben                 | EUR   | 60     | 0    | 60
        Currency conversion | USD   | 75
        Currency conversion | EUR   | -60
        Cash in transit     | USD   | -250
    """)

    # He asks for 50.00 of them: held at once, gone when staff have approved.
    body = {"wallet_id": ben.wallet("EUR"), "amount": "50", "reason": "to my bank"}
    asked = done(ben.api.post("/withdrawals", body))
    books.expect("""
        who                 | asset | posted | held | available
        Ada                 | USD   | 150    | 0    | 150
        Ben                 | USD   | 25     | 0    | 25
        Ben                 | EUR   | 60     | 50   | 10
        Currency conversion | USD   | 75
        Currency conversion | EUR   | -60
        Cash in transit     | USD   | -250
    """)
    assert cleo.approve(asked["id"]) == "Withdrawal completed."
    books.expect("""
        who                 | asset | posted | held | available
        Ada                 | USD   | 150    | 0    | 150
        Ben                 | USD   | 25     | 0    | 25
        Ben                 | EUR   | 10     | 0    | 10
        Currency conversion | USD   | 75
        Currency conversion | EUR   | -60
        Cash in transit     | USD   | -250
        Cash in transit     | EUR   | 50
    """)
