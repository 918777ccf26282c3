"""Transfers of two steps: set aside first, then posted, declined or timed out."""

import time

from ledger.tasks import expire_transfers
from tests.flows.books import Books, Officer, done, refused


def test_set_aside_then_posted_declined_or_timed_out(engine: object) -> None:
    """Ann sets money aside for Bob: he gets a part of it, declines some, and some times out."""
    books, cleo = Books(), Officer("Cleo")
    ann, bob = books.client("Ann"), books.client("Bob")
    ann_wallet, bob_wallet = ann.wallet("USD"), bob.wallet("USD")
    body = {"wallet_id": ann_wallet, "amount": "100", "reason": "bank reference 17"}
    cleo.approve(done(ann.api.post("/deposits", body))["id"])
    payment = {"from_wallet_id": ann_wallet, "to_wallet_id": bob_wallet, "pending": True}

    # 60 are set aside: they are still Ann's, but she cannot spend them.
    first = done(ann.api.post("/transfers", payment | {"amount": "60"}))
    assert first["status"] == "PENDING"
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 100    | 60   | 40
        Cash in transit | USD   | -100
    """)
    too_much = ann.api.post("/transfers", payment | {"amount": "40.01"})
    assert refused(too_much) == (422, "insufficient_funds")

    # Ann lets 45 of them happen, and the other 15 are free again.
    posted = done(ann.api.post(f"/transfers/{first['id']}/post", {"amount": "45"}))
    assert (posted["status"], posted["amount"], posted["posted_amount"]) == (
        "COMPLETED",
        "60",
        "45",
    )
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 55     | 0    | 55
        Bob             | USD   | 45     | 0    | 45
        Cash in transit | USD   | -100
    """)

    # Bob declines 20 more; so they never were his.
    second = done(ann.api.post("/transfers", payment | {"amount": "20"}))
    declined = done(bob.api.post(f"/transfers/{second['id']}/void"))
    assert (declined["status"], declined["reason"]) == ("FAILED", "voided")
    after_the_second = """
        who             | asset | posted | held | available
        Ann             | USD   | 55     | 0    | 55
        Bob             | USD   | 45     | 0    | 45
        Cash in transit | USD   | -100
    """
    books.expect(after_the_second)

    # 10 wait for a second and no longer: too late to post, and the clock's job frees them.
    third = done(ann.api.post("/transfers", payment | {"amount": "10", "timeout_seconds": 1}))
    books.expect("""
        who             | asset | posted | held | available
        Ann             | USD   | 55     | 10   | 45
        Bob             | USD   | 45     | 0    | 45
        Cash in transit | USD   | -100
    """)
    time.sleep(1)
    late = ann.api.post(f"/transfers/{third['id']}/post")
    assert refused(late) == (409, "transfer_timed_out")
    assert expire_transfers() == 1
    books.expect(after_the_second)

    # Of two that are linked, the second is too much: so the first does not happen either.
    linked = [payment | {"pending": False, "amount": amount} for amount in ("30", "30")]
    answer = ann.api.post("/transfers/batch", {"linked": True, "transfers": linked})
    assert refused(answer) == (422, "insufficient_funds")
    assert answer.json()["index"] == 1
    books.expect(after_the_second)
