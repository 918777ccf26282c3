"""Renderers, pages, rate limits, latencies, caches and request ids."""

import json
import time
from collections import OrderedDict
from collections.abc import Collection
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from django.test import Client, RequestFactory
from rest_framework.request import Request

from brokers.models import Funding, TradingAccount
from brokers.tests.factories import AccountFactory, BrokerFactory
from common.api.csv_answers import document_csv
from common.api.declarations import Amount, Document
from common.api.fields import FieldReader
from common.api.latency import LatencyRing
from common.api.pagination import PageRequest, fetch_page, make_page, read_page_request
from common.api.ratelimits import TokenBuckets
from common.api.renderers import encode_json, format_instant
from common.caching import RenewedCache, TtlCache, clear_all_caches
from common.errors import Throttled, ValidationFailed

_ID = UUID("019c5e1a-7b2c-7d3e-8f40-a1b2c3d4e5f6")


class _Shown(Document, frozen=True):
    """An answer."""

    id: UUID
    price: Amount
    note: str | None


# --- renderers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0E-8"), '"0"'),
        (Decimal("35.00000000"), '"35"'),
        (Decimal("1E+3"), '"1000"'),
        (Decimal("0.00000001"), '"0.00000001"'),
        (_ID, '"019c5e1a-7b2c-7d3e-8f40-a1b2c3d4e5f6"'),
        (datetime(2026, 2, 18, 10, tzinfo=UTC), '"2026-02-18T10:00:00.000000Z"'),
        (
            datetime(2026, 2, 18, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=-3))),
            '"2026-02-18T13:00:00.000005Z"',
        ),
        (Funding.CREDIT, '"CREDIT"'),
        (9007199254740993, "9007199254740993"),
        ({"a": (1, [Decimal("1.50")])}, '{"a":[1,["1.5"]]}'),
        (OrderedDict(b=1, a=None), '{"b":1,"a":null}'),
        ("São 😀", '"São 😀"'),
    ],
)
def test_json_out(value: object, text: str) -> None:
    assert encode_json(value).decode() == text


def test_documents_are_encoded_wherever_they_are() -> None:
    document = _Shown(id=_ID, price="1.5", note=None)
    text = '{"id":"019c5e1a-7b2c-7d3e-8f40-a1b2c3d4e5f6","price":"1.5","note":null}'
    assert encode_json(document).decode() == text
    value = {"total": Decimal("2.50"), "results": [document], "first": (document,)}
    assert encode_json(value).decode() == f'{{"total":"2.5","results":[{text}],"first":[{text}]}}'


def test_documents_as_csv() -> None:
    documents = [
        _Shown(id=_ID, price="-1.5", note='=cmd|"x"'),
        _Shown(id=_ID, price="2", note="-1+1"),
        _Shown(id=_ID, price="3", note=None),
    ]
    lines = list(document_csv(_Shown.__struct_fields__, documents))
    assert lines == [
        "id,price,note\r\n",
        f'{_ID},-1.5,"\'=cmd|""x"""\r\n',
        f"{_ID},2,'-1+1\r\n",
        f"{_ID},3,\r\n",
    ]


def test_instants_sort_as_text() -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=n) for n in (0, 1, 10)]
    assert sorted(map(format_instant, moments)) == [format_instant(one) for one in moments]


# --- pages ------------------------------------------------------------------------------------


def _cursor_of(address: str) -> str:
    return address.split("cursor=")[1]


def _read(query: dict[str, str], id_type: type[int] | type[UUID] = int) -> PageRequest:
    reader = FieldReader.of_query(query)
    wanted = read_page_request(reader, id_type)
    reader.finish()
    return wanted


@pytest.mark.django_db
def test_pages_go_to_the_end_and_back_without_gaps() -> None:
    broker = BrokerFactory.create()
    ids = [AccountFactory.create(broker=broker).id for _ in range(7)][::-1]
    pages = [fetch_page(TradingAccount.objects.all(), _read({"page_size": "3"}))]
    while pages[-1].next:
        wanted = _read({"page_size": "3", "cursor": pages[-1].next})
        pages.append(fetch_page(TradingAccount.objects.all(), wanted))
    assert [[row.id for row in page.rows] for page in pages] == [ids[:3], ids[3:6], ids[6:]]
    assert pages[0].previous is None
    AccountFactory.create(broker=broker)  # a new row shifts no page
    back = pages[-1].previous
    assert back is not None
    page = fetch_page(TradingAccount.objects.all(), _read({"page_size": "3", "cursor": back}))
    assert [row.id for row in page.rows] == ids[3:6]


@pytest.mark.django_db
def test_a_page_is_one_query(django_assert_num_queries: pytest.FixtureRequest) -> None:
    AccountFactory.create()
    with django_assert_num_queries(1) as captured:  # type: ignore[operator]
        fetch_page(TradingAccount.objects.all(), _read({"cursor": ""}))
    sql = captured.captured_queries[0]["sql"].upper()
    assert "LIMIT 51" in sql
    assert "OFFSET" not in sql
    assert "COUNT(" not in sql


def test_rows_of_ones_own_sql() -> None:
    rows = [{"id": number} for number in (9, 8, 7)]
    page = make_page(rows, PageRequest(2), lambda row: row["id"])
    assert [row["id"] for row in page.rows] == [9, 8]
    assert page.next is not None
    assert _read({"cursor": page.next}) == PageRequest(50, before=8)


def test_addresses_keep_the_other_parameters() -> None:
    request = Request(RequestFactory().get("/api/v1/x?side=BUY&page_size=1&cursor=old"))
    page = make_page([_ID, _ID], PageRequest(1), lambda row: row)
    document = page.document(request, str)
    assert document["results"] == [str(_ID)]
    assert document["previous"] is None
    assert document["next"].startswith("http://testserver/api/v1/x?side=BUY&page_size=1&cursor=")
    assert _read({"cursor": _cursor_of(document["next"])}, UUID).before == _ID


@pytest.mark.parametrize(
    "cursor", ["x", "!!", "bjEyM", "é", "n5", "bjk5" * 20, "cA", "eDU", "bl81"]
)
@pytest.mark.parametrize("id_type", [int, UUID])
def test_bad_cursors_are_refused(cursor: str, id_type: type[int] | type[UUID]) -> None:
    with pytest.raises(ValidationFailed) as raised:
        _read({"cursor": cursor}, id_type)
    assert [error.field for error in raised.value.errors] == ["cursor"]


def test_a_cursor_of_another_list_is_refused() -> None:
    page = make_page([_ID, _ID], PageRequest(1), lambda row: row)
    assert page.next is not None
    with pytest.raises(ValidationFailed):
        _read({"cursor": page.next}, int)


# --- rate limits ------------------------------------------------------------------------------


def test_a_bucket_empties_and_refills() -> None:
    now = [0]
    buckets = TokenBuckets(2, clock=lambda: now[0])
    assert buckets.take("a").headers() == ('"key";q=2;w=1', '"key";r=1;t=1')
    assert buckets.take("a").remaining == 0
    with pytest.raises(Throttled) as raised:
        buckets.take("a")
    assert raised.value.retry_after_seconds == 1
    assert buckets.take("b").remaining == 1
    now[0] += 500_000_000
    assert buckets.take("a").remaining == 0
    now[0] += 3_600_000_000_000
    assert buckets.take("a").remaining == 1


def test_a_request_costs_little() -> None:
    buckets = TokenBuckets(1_000_000)
    started = time.thread_time()
    for number in range(20_000):
        buckets.take(number % 100).headers()
    assert (time.thread_time() - started) / 20_000 < 0.00002


# --- latencies --------------------------------------------------------------------------------


def test_latencies_are_those_of_the_last_requests() -> None:
    ring = LatencyRing(size=100)
    assert ring.summary()["p50_us"] is None
    for milliseconds in range(1, 201):
        ring.record(milliseconds * 1_000_000, is_error=milliseconds % 50 == 0)
    summary = ring.summary()
    assert (summary["count"], summary["p50_us"], summary["p99_us"]) == (200, 150_000, 199_000)
    assert (summary["errors"], summary["error_rate_bps"]) == (4, 200)


# --- caches -----------------------------------------------------------------------------------


def test_a_cache_forgets_what_is_old_and_what_is_too_much() -> None:
    now = [0.0]
    cache: TtlCache[str, int] = TtlCache(max_size=2, ttl_seconds=10, clock=lambda: now[0])
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)
    cache.put("c", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (3, None, 4, 2)
    now[0] = 10.1
    assert cache.get("a") is None
    cache.put("a", 5)
    cache.forget("a")
    assert cache.get("a") is None
    cache.put("a", 6)
    clear_all_caches()
    assert cache.get("a") is None


def test_what_is_in_use_is_renewed_before_it_is_too_old() -> None:
    now, source = [0.0], {"a": 1, "b": 1}
    loaded: list[list[str]] = []
    noted: list[list[str]] = []

    def load(keys: Collection[str]) -> dict[str, int]:
        loaded.append(sorted(keys))
        return {key: source[key] for key in keys if key in source}

    cache: RenewedCache[str, int] = RenewedCache(
        max_size=10,
        ttl_seconds=10,
        load=load,
        note_use=lambda keys: noted.append(sorted(keys)),
        clock=lambda: now[0],
    )
    cache.put("a", 1)
    cache.put("b", 1)
    for now[0] in (1.0, 5.0, 6.0, 9.0, 13.0):
        assert cache.get("a") == 1
        cache.renew()  # that at 6.0 comes too early
    assert loaded == [["a", "b"]] * 4
    assert noted == [["a", "b"], ["a"], ["a"], ["a"]]
    assert cache.get("b") == 1, "nobody has read it for a while, and it is still fresh"
    source["a"] = 2
    del source["b"]
    now[0] = 17.0
    cache.renew()
    assert (cache.get("a"), cache.get("b")) == (2, None)


def test_what_nobody_reads_is_not_renewed_for_ever() -> None:
    now, loaded = [0.0], list[int]()

    def load(keys: Collection[str]) -> dict[str, int]:
        loaded.append(len(keys))
        return dict.fromkeys(keys, 1)

    cache: RenewedCache[str, int] = RenewedCache(
        max_size=10, ttl_seconds=10, load=load, clock=lambda: now[0]
    )
    cache.put("a", 1)
    for now[0] in (0.0, 300.0, 600.0, 601.0, 1_000.0):
        cache.renew()
    assert loaded == [1, 1, 1]
    assert cache.get("a") is None


# --- request ids ------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "req_1.2:3/4+5=6@7~8"])
def test_a_safe_request_id_is_taken_over(client: Client, given: str) -> None:
    assert client.get("/api/none", headers={"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "a\tb", 'a"b', "é", "<script>"])
def test_any_other_request_id_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/api/none", headers={"X-Request-ID": given})
    assert len(answer["X-Request-ID"]) == 32
    assert json.loads(answer.content)["request_id"] == answer["X-Request-ID"]
