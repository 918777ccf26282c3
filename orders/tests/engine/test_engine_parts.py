"""Long batches, which are written part by part while the rest is still being matched."""

from orders.engine.core.processor import PART
from orders.models import Order, Trade
from orders.tests.engine.harness import BUY, SELL, Harness, fund, make_account, stored
from orders.tests.engine.invariants import check_all


def test_orders_of_one_part_trade_and_are_canceled_in_another(harness: Harness) -> None:
    buyer, seller = make_account("PREFUNDED", name="B"), make_account(name="S")
    fund(buyer, "USD", "1000000")
    asks = [harness.place_command(seller, SELL, 2, 1_000 + n) for n in range(PART)]
    bids = [harness.place_command(buyer, BUY, 1, 2_000) for _ in range(PART)]
    cancels = [harness.cancel_command(seller, ask.command_id) for ask in asks[-50:]]
    outcomes = harness.carry_out(*asks, *bids, *cancels)

    # Each ask of two is bought by two bids: the first half is gone, the last fifty are canceled.
    assert [o.status for o in outcomes[PART : 2 * PART]] == ["FILLED"] * PART
    assert [o.result for o in outcomes[2 * PART :]] == ["canceled"] * 50
    sold, canceled = PART // 2, PART - 50
    looked_at = (0, sold - 1, sold, canceled - 1, canceled, PART - 1)
    assert [stored(outcomes[n]).status for n in looked_at] == [
        "FILLED",
        "FILLED",
        "OPEN",
        "OPEN",
        "CANCELED",
        "CANCELED",
    ]
    assert Trade.objects.count() == PART
    check_all(harness.engine)


def test_a_culprit_in_a_late_part_takes_no_other_with_it(harness: Harness) -> None:
    buyer, seller = make_account(name="B"), make_account(name="S")
    asks = [harness.place_command(seller, SELL, 1, 1_000) for _ in range(PART + 10)]
    poison = harness.place_command(buyer, BUY, 1, 1_000, account_id=10**12)
    bids = [harness.place_command(buyer, BUY, 1, 1_000) for _ in range(PART)]
    outcomes = harness.carry_out(*asks, poison, *bids)

    assert outcomes[PART + 10].code == "engine_error"
    assert Order.objects.filter(status="FILLED").count() == 2 * PART
    assert Order.objects.filter(status="OPEN").count() == 10
    check_all(harness.engine)
