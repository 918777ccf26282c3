"""The back office's pages of orders: they show, search, filter, and cancel with a reason."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from brokers.models import User
from common.admin import CappedPaginator
from orders.models import Order, Trade
from orders.tests.dealing import make_client
from orders.tests.fixtures import place
from oversight.models import AuditRecord

MODELS = [
    "order",
    "trade",
    "orderkey",
    "brokernet",
    "engineshard",
    "engineheartbeat",
    "enginecommand",
    "dealresult",
    "orderrefusal",
]


@pytest.fixture
def staff(transactional_db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com", "secret"))
    return client


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_page_opens_and_nothing_can_be_changed(alpha, beta, staff, model):
    place(alpha, "SELL", "10.00", "1", client_order_id="k")
    place(beta, "BUY", "10.00", "1")
    listed = staff.get(f"/admin/orders/{model}/")
    assert listed.status_code == 200
    assert staff.get(f"/admin/orders/{model}/add/").status_code == 403
    for row in listed.context["cl"].result_list[:1]:
        page = staff.get(f"/admin/orders/{model}/{row.pk}/change/")
        assert page.status_code == 200
        assert staff.post(f"/admin/orders/{model}/{row.pk}/change/", {}).status_code == 403
        assert staff.post(f"/admin/orders/{model}/{row.pk}/delete/").status_code == 403
    assert Order.objects.count() == 2


def test_deals_and_booked_orders_are_told_by_their_venue(prices, staff):
    account, api = make_client(("2000", "USD"))
    deal = api.post("/trade", {"symbol": "ACME", "side": "BUY", "quantity": 1}).json()
    body = {"symbol": "ACME", "side": "BUY", "quantity": 1, "price": "1"}
    pending = api.post(f"/accounts/{account.id}/orders", body).json()

    def shown(model: str, venue: str) -> list[str]:
        page = staff.get(f"/admin/orders/{model}/", {"venue__exact": venue})
        return [str(row.pk) for row in page.context["cl"].result_list]

    assert shown("order", "EXTERNAL") == [pending["id"]]
    assert shown("order", "DEALER") == [deal["order_id"]]
    assert (shown("trade", "DEALER"), shown("trade", "BOOK")) == ([deal["trade_id"]], [])
    page = staff.get(f"/admin/orders/trade/{deal['trade_id']}/change/").content.decode()
    assert "fixed, as of" in page


def test_lists_make_no_query_for_each_row(alpha, staff, django_assert_max_num_queries):
    for _ in range(5):
        place(alpha, "SELL", "10.00", "1")
        place(alpha, "BUY", "10.00", "1")
    for model in ("order", "trade"):
        with django_assert_max_num_queries(8):
            staff.get(f"/admin/orders/{model}/")


def test_orders_are_found_by_each_of_their_names(alpha, beta, staff):
    mine = place(alpha, "BUY", "1.00", "1", client_order_id="mine", document_number="777").order
    place(beta, "BUY", "1.00", "1")

    def found(term: str) -> list[object]:
        page = staff.get("/admin/orders/order/", {"q": term})
        return [order.id for order in page.context["cl"].result_list]

    assert found(str(mine.id)) == [mine.id]
    assert found("mine") == [mine.id]
    assert found("777") == [mine.id]
    assert len(found("acme")) == 2
    assert found("nothing") == []
    filtered = staff.get("/admin/orders/order/", {"status__exact": "FILLED"})
    assert list(filtered.context["cl"].result_list) == []


def test_trades_are_found_by_their_orders(alpha, beta, staff):
    order = place(alpha, "SELL", "10.00", "1").order
    place(beta, "BUY", "10.00", "1")
    page = staff.get("/admin/orders/trade/", {"q": str(order.id)})
    assert list(page.context["cl"].result_list) == [Trade.objects.get()]
    assert list(staff.get("/admin/orders/trade/", {"q": "x"}).context["cl"].result_list) == []


def test_cancel_asks_for_a_reason_and_keeps_it(alpha, beta, staff):
    orders = [place(alpha, "BUY", "1.00", "1").order.id, place(beta, "BUY", "1.00", "1").order.id]
    form = {"action": "cancel_selected", "_selected_action": [str(one) for one in orders]}
    asked = staff.post("/admin/orders/order/", form)
    assert "Reason" in asked.content.decode()
    no_reason = staff.post("/admin/orders/order/", form | {"confirmed": "yes", "reason": " "})
    assert "Say why" in no_reason.content.decode()
    assert Order.objects.filter(status="OPEN").count() == 2
    done = staff.post("/admin/orders/order/", form | {"confirmed": "yes", "reason": "a mistake"})
    assert done.status_code == 302
    assert Order.objects.filter(status="CANCELED", reason="by_staff").count() == 2
    records = AuditRecord.objects.filter(action="order.canceled")
    assert {one.target_id for one in records} == {str(one) for one in orders}
    assert {(one.reason, one.after["result"]) for one in records} == {("a mistake", "canceled")}
    assert all(one.actor.startswith("user:") and one.request_id for one in records)
    entries = LogEntry.objects.filter(object_id__in=[str(one) for one in orders])
    assert [entry.change_message for entry in entries] == ["Cancel (canceled): a mistake"] * 2


def test_staff_without_the_permission_cannot_cancel(alpha, transactional_db):
    from django.contrib.auth.models import Permission

    order = place(alpha, "BUY", "1.00", "1").order
    user = User.objects.create_user("viewer@example.com", "secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(user)
    assert client.get("/admin/orders/order/").status_code == 200
    form = {"action": "cancel_selected", "_selected_action": [str(order.id)]}
    client.post("/admin/orders/order/", form | {"confirmed": "yes", "reason": "no"})
    assert Order.objects.get().status == "OPEN"


def test_big_tables_are_counted_no_further_than_a_limit(db, monkeypatch):
    monkeypatch.setattr("common.admin._COUNTED_MAX", 3)
    for number in range(5):
        User.objects.create_user(f"{number}@example.com")
    assert CappedPaginator(User.objects.order_by("email"), 2).count == 3
