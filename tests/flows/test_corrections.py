"""A mistake is corrected by two persons, and never by an edit."""

import json

from ledger.models import JournalEntry
from tests.flows.books import Books, Officer, done, refused


def test_a_wrong_deposit_is_reversed_and_booked_anew(engine: object) -> None:
    """1,000 were booked for Ann where 100 had come in.

    Cleo, who finds it, cannot put it right alone: Dan must approve. Then the bank takes a charge of
    0.50, which an adjustment books. The journal keeps all that was booked.
    """
    books, cleo, dan = Books(), Officer("Cleo"), Officer("Dan")
    ann = books.client("Ann")
    wallet = ann.wallet("USD")
    wrong = done(
        ann.api.post("/deposits", {"wallet_id": wallet, "amount": "1000", "reason": "reference 17"})
    )
    cleo.approve(wrong["id"])
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 1000   | 0    | 1000
        Cash in transit | USD   | -1000
    """)

    # Cleo asks, and is refused as the one who approves: nothing is booked.
    entry_id = done(ann.api.get(f"/deposits/{wrong['id']}"))["entry_id"]
    reversal = cleo.ask_for_reversal(entry_id, "100 came in, not 1,000")
    assert "Nobody decides on a request of their own" in cleo.approve(reversal)
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 1000   | 0    | 1000
        Cash in transit | USD   | -1000
    """)

    # Dan approves; then the right amount is booked. (All is zero in between.)
    assert dan.approve(reversal) == "Reversal completed."
    books.expect("""
        who             | asset | posted | held | available
    """)
    right = done(
        ann.api.post("/deposits", {"wallet_id": wallet, "amount": "100", "reason": "reference 17"})
    )
    assert dan.approve(right["id"]) == "Deposit completed."

    # The bank took 0.50 of it; Dan asks this time, and Cleo approves.
    adjustment = dan.ask_for_adjustment(wallet, "-0.5", "charge of the bank")
    assert cleo.approve(adjustment) == "Adjustment completed."
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 99.5   | 0    | 99.5
        Cash in transit | USD   | -99.5
    """)

    # More than Ann has cannot be taken back, and what was reversed is not reversed again.
    assert refused(
        ann.api.post("/withdrawals", {"wallet_id": wallet, "amount": "99.51", "reason": "all"})
    ) == (422, "insufficient_funds")
    kinds = JournalEntry.objects.order_by("posted_at").values_list("kind", flat=True)
    assert list(kinds) == ["DEPOSIT", "REVERSAL", "DEPOSIT", "ADJUSTMENT"]
    statement = ann.api.get(f"/wallets/{wallet}/statement").getvalue()
    lines = json.loads(statement)["accounts"][0]["lines"]
    assert [(line["amount"], line["balance_after"]) for line in lines] == [
        ("1000", "1000"),
        ("-1000", "0"),
        ("100", "100"),
        ("-0.5", "99.5"),
    ]
