"""The pagers and downloads of P1-PAGES, against a live server."""

import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks.paging import LISTS, Paging, PagingPlan
from brokers.models import Broker, User
from brokers.services import create_api_key
from exchange_project.history.loading import HistoryPlan, load_history
from exchange_project.history.world import Size
from orders.models import Order
from orders.tests.emptying import empty_tables


@pytest.fixture
def plan(transactional_db: None, valkey: Any, live_server: Any, tmp_path: Path) -> PagingPlan:
    """Two pagers and one download of a statement, on a venue with a small history."""
    load_history(HistoryPlan(orders=300, size=Size(2, 1, 2)))
    User.objects.create_superuser("staff@example.com", "correct horse")
    order = Order.objects.filter(status="FILLED")[0]
    key = create_api_key(broker_id=order.broker_id, scopes=["read"]).secret
    return PagingPlan(
        port=live_server.thread.port,
        email="staff@example.com",
        password="correct horse",
        pagers=2,
        downloads=[(f"/api/v1/accounts/{order.account_id}/statement?format=csv", key)],
        stop=str(tmp_path / "stop"),
    )


def _run_for(plan: PagingPlan, seconds: float) -> dict[str, Any]:
    stop = threading.Timer(seconds, Path(plan.stop).touch)
    stop.start()
    try:
        return Paging(plan).run()
    finally:
        stop.join()
        empty_tables()


def test_pages_and_statements_are_counted(plan: PagingPlan) -> None:
    result = _run_for(plan, 6)

    assert set(result["statuses"]) == {"page 200", "csv 200"}
    assert result["pages"] == result["statuses"]["page 200"] > len(LISTS)
    assert result["page_p50_ms"] > 0
    assert result["csv_megabytes"] > 0


def test_what_is_refused_is_counted_by_status(plan: PagingPlan) -> None:
    other = create_api_key(broker_id=Broker.objects.create(name="Other").id, scopes=["read"]).secret
    plan.downloads = [(plan.downloads[0][0], other)]
    result = _run_for(plan, 4)

    assert "csv 403" in result["statuses"]
    assert result["csv_megabytes"] == 0


def test_a_wrong_password_ends_it(plan: PagingPlan) -> None:
    plan.password = "wrong"
    with pytest.raises(AssertionError, match="login was refused"):
        _run_for(plan, 4)
