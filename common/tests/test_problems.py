"""Whatever goes wrong is answered as an RFC 9457 document; real errors of real servers."""

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.core.exceptions import SuspiciousOperation
from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from rest_framework import exceptions as drf_errors
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from brokers.errors import AccountExists
from brokers.models import Broker, TradingAccount
from brokers.tests.factories import AccountFactory
from common import errors
from common.api.problems import as_exchange_error, problem_document
from common.errors import SHOWN_ERRORS_MAX, ExchangeError, FieldError


class TooLittle(ExchangeError):
    """The account holds too little. More words."""

    code = "too_little"
    status = 422


def _fail(name: str) -> None:
    if name == "refused":
        raise TooLittle("Needs 5.", required=Decimal("5.00"), available=3)
    if name == "busy":
        raise errors.VenueUnavailable()
    if name == "bug":
        raise RuntimeError("secret detail")
    if name == "waits":
        raise drf_errors.Throttled(wait=2.2)
    if name == "slow":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 20; SELECT pg_sleep(1)")
    if name == "nul":
        Broker.objects.filter(name="a\x00b").exists()
    if name == "no-valkey":
        redis.Redis(host="127.0.0.1", port=1).ping()


class _View(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def get(self, request: Request, name: str) -> Response:
        _fail(name)
        return Response({"ok": True})

    def post(self, request: Request, name: str) -> Response:
        return Response({"received": request.data})


def _plain_view(request: HttpRequest, name: str) -> HttpResponse:
    _fail(name)
    return HttpResponse("ok")


urlpatterns = [
    path("api/drf/<str:name>", _View.as_view()),
    path("api/plain/<str:name>", _plain_view),
    path("page/<str:name>", _plain_view),
]
handler400 = "common.api.handlers.bad_request"
handler403 = "common.api.handlers.permission_denied"
handler404 = "common.api.handlers.not_found"
handler500 = "common.api.handlers.server_error"

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture
def api(client: Client) -> Client:
    client.raise_request_exception = False
    return client


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING, logger="bourse"):
        yield caplog


@pytest.mark.parametrize("kind", ["drf", "plain"])
def test_a_refusal_carries_its_facts(api: Client, kind: str) -> None:
    answer = api.get(f"/api/{kind}/refused", headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["X-Request-ID"] == "r-1"
    assert answer.json() == {
        "type": "urn:bourse:problem:too_little",
        "title": "The account holds too little",
        "status": 422,
        "detail": "Needs 5.",
        "code": "too_little",
        "request_id": "r-1",
        "required": "5",
        "available": 3,
    }


def test_facts_never_hide_a_member_of_the_document() -> None:
    document = problem_document(TooLittle(status=200, code="x", type="y"), "r")
    assert (document["status"], document["code"]) == (422, "too_little")
    assert document["type"] == "urn:bourse:problem:too_little"


def test_errors_of_fields_are_listed() -> None:
    error = errors.ValidationFailed(errors=[FieldError("a.0", "required", "Needed.")])
    assert problem_document(error, "r")["errors"] == [
        {"field": "a.0", "code": "required", "detail": "Needed."}
    ]


@pytest.mark.parametrize("kind", ["drf", "plain"])
def test_a_busy_venue_says_when_to_come_back(api: Client, kind: str) -> None:
    answer = api.get(f"/api/{kind}/busy")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def test_a_throttled_client_waits_in_whole_seconds(api: Client) -> None:
    answer = api.get("/api/drf/waits")
    assert (answer.status_code, answer["Retry-After"]) == (429, "3")


def test_a_bug_is_logged_with_the_request_id_and_not_told(
    api: Client, logged: pytest.LogCaptureFixture
) -> None:
    answer = api.get("/api/drf/bug", headers={"X-Request-ID": "r-2"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == "r-2"
    assert "secret" not in answer.content.decode()
    (record,) = [one for one in logged.records if one.name == "bourse.errors"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert "request_id=r-2" in record.getMessage()


def test_a_bug_in_a_plain_view_is_json_under_api(api: Client) -> None:
    answer = api.get("/api/plain/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


@pytest.mark.parametrize("kind", ["drf", "plain"])
@pytest.mark.parametrize("name", ["slow", "no-valkey"])
def test_a_server_that_is_away_is_503(api: Client, kind: str, name: str) -> None:
    answer = api.get(f"/api/{kind}/{name}")
    assert (answer.status_code, answer.json()["code"]) == (503, "venue_unavailable")


def test_a_value_that_postgresql_refuses_is_never_500(
    api: Client, logged: pytest.LogCaptureFixture
) -> None:
    answer = api.get("/api/drf/nul")
    assert answer.status_code == 422


def test_unknown_addresses_are_json_for_programs_and_pages_for_people(api: Client) -> None:
    for address, accept in (("/api/none", "text/html"), ("/none", "*/*"), ("/none", "")):
        answer = api.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    page = api.get("/none", headers={"Accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_foreign_host_is_400(api: Client) -> None:
    answer = api.get("/api/plain/ok", headers={"Host": "evil.example"})
    assert answer.status_code in (200, 400)  # Django looks at the host where it is used
    answer = api.get("/api/plain/ok/", headers={"Host": "evil.example"})
    assert answer.status_code in (400, 404)


def test_a_method_that_is_not_allowed(api: Client) -> None:
    answer = api.delete("/api/drf/ok")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


# --- bodies -----------------------------------------------------------------------------------


def _post(api: Client, body: bytes, content_type: str = "application/json") -> Any:
    return api.generic("POST", "/api/drf/x", body, content_type=content_type)


def test_numbers_come_through_exactly(api: Client) -> None:
    answer = _post(api, b'{"a": 0.10, "b": 9007199254740993}')
    assert answer.content == b'{"received":{"a":"0.1","b":9007199254740993}}'


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", ""]
)
def test_media_types_that_are_json(api: Client, content_type: str) -> None:
    assert _post(api, b"{}", content_type).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"],
)
def test_other_media_types_are_415(api: Client, content_type: str) -> None:
    answer = _post(api, b"{}", content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"a": Infinity}', b"\xff", b"[" * 100_000])
def test_malformed_bodies_are_400(api: Client, body: bytes) -> None:
    answer = _post(api, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_number_of_ten_thousand_digits_is_422(api: Client) -> None:
    assert _post(api, b'{"a": ' + b"9" * 10_000 + b"}").status_code == 422


def test_a_body_of_more_than_a_megabyte_is_413(api: Client) -> None:
    answer = _post(api, b'"' + b"a" * 1_048_576 + b'"')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_an_empty_body_is_an_empty_object(api: Client) -> None:
    assert _post(api, b"").json() == {"received": {}}


def test_a_body_of_unknown_length_is_411(api: Client) -> None:
    request = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/drf/x", "CONTENT_LENGTH": ""}
    answer = api.request(**request, HTTP_TRANSFER_ENCODING="chunked")
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


# --- translation ------------------------------------------------------------------------------


def test_a_broken_constraint_is_translated_by_its_name() -> None:
    account = AccountFactory.create()
    with pytest.raises(Exception) as raised, transaction.atomic():
        TradingAccount.objects.create(
            broker=account.broker, document_number=account.document_number, funding="CREDIT"
        )
    assert isinstance(as_exchange_error(raised.value), AccountExists)


def test_a_constraint_that_nobody_registered_is_a_bug() -> None:
    account = AccountFactory.create()
    with pytest.raises(Exception) as raised, transaction.atomic():
        TradingAccount.objects.filter(pk=account.pk).update(credit_limit=-1)
    assert as_exchange_error(raised.value) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404(), 404),
        (SuspiciousOperation(), 400),
        (drf_errors.ParseError(), 400),
        (drf_errors.NotAuthenticated(), 401),
        (drf_errors.PermissionDenied(), 403),
        (drf_errors.NotFound(), 404),
        (drf_errors.UnsupportedMediaType("x"), 415),
        (drf_errors.ValidationError({"a": ["wrong"]}), 422),
    ],
)
def test_errors_of_the_libraries(error: Exception, status: int) -> None:
    translated = as_exchange_error(error)
    assert translated is not None
    assert translated.status == status


def test_serializers_errors_get_dotted_paths() -> None:
    translated = as_exchange_error(drf_errors.ValidationError({"a": {"b": ["wrong"]}}))
    assert translated is not None
    assert translated.errors == (FieldError("a.b", "invalid", "wrong"),)


def test_programming_errors_are_ours() -> None:
    assert as_exchange_error(RuntimeError()) is None
    assert as_exchange_error(KeyError("x")) is None


def test_a_document_is_json() -> None:
    request = RequestFactory().get("/")
    request.request_id = "r"  # type: ignore[attr-defined]
    assert json.dumps(problem_document(errors.NotFound(), "r"))
    assert SimpleNamespace(**problem_document(errors.NotFound(), "r")).status == 404


@pytest.mark.parametrize("number", [SHOWN_ERRORS_MAX, SHOWN_ERRORS_MAX + 1, 75_000])
def test_a_document_lists_the_first_errors_and_counts_the_rest(number: int) -> None:
    found = [FieldError(f"f{index}", "unknown_field", "No.") for index in range(number)]
    shown = problem_document(errors.ValidationFailed(errors=found), "r")["errors"]
    assert [one["field"] for one in shown[:SHOWN_ERRORS_MAX]] == [
        one.field for one in found[:SHOWN_ERRORS_MAX]
    ]
    left_out = number - SHOWN_ERRORS_MAX
    more = {
        "field": "",
        "code": "more_errors",
        "detail": f"{left_out} more errors are not listed.",
    }
    assert shown[SHOWN_ERRORS_MAX:] == ([more] if left_out else [])
