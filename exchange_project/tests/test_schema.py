"""The OpenAPI document is valid, without a warning, and tells how to authenticate."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.http import JsonResponse
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from msgspec import inspect

from common.api.declarations import Document
from exchange_project import schema_document
from tests.contract import check_answer, document, errors_of
from tests.support.routes import list_routes


def test_the_document_is_valid_and_complete(tmp_path: Path):
    file = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    document = yaml.safe_load(file.read_text())
    schemes = {"bearerKey", "tokenKey", "headerKey", "bearerToken"}
    assert set(document["components"]["securitySchemes"]) == schemes
    classic = [path for path in document["paths"] if not path.startswith("/api/")]
    assert len(classic) == 12
    for path in classic:
        for operation in document["paths"][path].values():
            assert operation["tags"] == ["classic"]
    for probe in ("/health", "/readyz", "/livez"):
        assert "security" not in document["paths"][probe]["get"]
    assert len(document["paths"]["/orders"]["post"]["security"]) == 4
    assert document["paths"]["/api/v1/auth/me"]["get"]["security"] == [{"bearerToken": []}]
    assert "security" not in document["paths"]["/api/v1/auth/token"]["post"]


@pytest.mark.parametrize(
    ("query", "media_type"),
    [
        ("", "application/vnd.oai.openapi"),
        ("?format=yaml", "application/vnd.oai.openapi"),
        ("?format=json", "application/vnd.oai.openapi+json"),
    ],
)
def test_the_document_is_rendered_once(
    client: Client, monkeypatch: pytest.MonkeyPatch, query: str, media_type: str
):
    first = client.get(f"/api/schema/{query}")
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)  # a second one would fail
    second = client.get(f"/api/schema/{query}", headers={"Authorization": "Bearer wrong"})
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    parsed = yaml.safe_load(first.content)
    assert parsed["info"]["title"] == "Bourse"
    assert first["Content-Type"].partition(";")[0] == media_type
    assert (first["Cache-Control"], first["Vary"]) == ("public, max-age=300", "Accept")
    assert first["ETag"] == second["ETag"]

    known = client.get(f"/api/schema/{query}", headers={"If-None-Match": first["ETag"]})
    assert (known.status_code, known.content, known["ETag"]) == (304, b"", first["ETag"])
    other = client.get(f"/api/schema/{query}", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_strangers_at_once_cost_one_rendering(client: Client, monkeypatch: pytest.MonkeyPatch):
    rendered: list[int] = []
    get_schema = SchemaGenerator.get_schema

    def note(self: Any, **options: Any) -> Any:
        rendered.append(1)
        return get_schema(self, **options)

    monkeypatch.setattr(SchemaGenerator, "get_schema", note)
    monkeypatch.setattr(schema_document, "_rendered", {})
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: Client().get("/api/schema/"), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(rendered) == 1


def test_examples_of_requests_are_valid():
    tried = 0
    for path in document()["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for example in content.get("examples", {}).values():
                    assert list(errors_of(example["value"], content["schema"])) == [], operation
                    tried += 1
    assert tried > 8


def test_a_request_is_described_with_all_names_of_its_fields():
    schema = document()["components"]["schemas"]["DealRequest"]
    deal: dict[str, Any] = {"symbol": "AAPL", "side": "BUY", "quantity": "10"}
    for body in (deal, {"ticker": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 1.5}):
        assert list(errors_of(body, schema)) == []
    for body in ({"side": "BUY", "quantity": "10"}, deal | {"other": 1}, deal | {"quantity": True}):
        assert len(list(errors_of(body, schema))) == 1


def test_words_of_a_dialect_are_described_as_they_are_sent():
    properties = document()["components"]["schemas"]["ClassicOrderRequest"]["properties"]
    assert properties["order_type"]["default"] == "limit"
    assert document()["components"]["schemas"]["ClassicOrderType"]["enum"] == ["limit", "market"]


def test_every_operation_says_what_may_go_wrong():
    for route in list_routes():
        operation = document()["paths"][route.path][route.method]
        expected = set() if route.path in _PROBES else {"400", "422", "429", "503"}
        if operation.get("security"):
            expected |= {"401", "403"}
        if route.method != "get":
            expected |= {"413", "504"}
        if route.method in ("post", "put", "patch"):
            expected |= {"411", "415"}
        if "_id}" in route.path and route.path not in _NO_OP_FOR_UNKNOWN:
            expected |= {"404"}
        assert expected <= set(operation["responses"]), route.name


_PROBES = ("/health", "/readyz", "/livez")
# A cancel of an order that there is not is a no-op there.
_NO_OP_FOR_UNKNOWN = ("/orders/{order_id}/cancel",)


_ORDER = "/api/v1/orders/01890000-0000-7000-8000-000000000000"
_CASH = {"account_id": 1, "asset": "USD", "balances": []}
_CASH |= dict.fromkeys(("balance", "held_amount", "available_balance"), "1.5")


@pytest.mark.parametrize(
    ("path", "status", "media_type", "body"),
    [
        ("/api/v1/balance", 418, "application/json", _CASH),
        ("/api/v1/balance", 200, "text/html", _CASH),
        ("/api/v1/balance", 200, "application/json", {"account_id": 1}),
        ("/api/v1/balance", 200, "application/json", _CASH | {"balance": 1.5}),
        ("/api/v1/balance", 200, "application/json", _CASH | {"balance": "1E+3"}),
        (_ORDER, 404, "application/json", {"detail": "There is no such order"}),
        ("/balance", 403, "application/json", {"code": "missing_scope"}),
    ],
)
def test_an_answer_that_is_not_as_described_fails_a_test(path, status, media_type, body):
    check_answer("GET", "/api/v1/balance", JsonResponse(_CASH))
    with pytest.raises(AssertionError):
        check_answer("GET", path, JsonResponse(body, status=status, content_type=media_type))


def test_no_answer_has_a_field_that_would_be_encoded_otherwise():
    unfit = (inspect.FloatType, inspect.DecimalType, inspect.DateTimeType, inspect.AnyType)
    kinds = _subclasses(Document)
    assert len(kinds) > 30
    for kind in kinds:
        pending: list[Any] = [inspect.type_info(kind)]
        while pending:
            one = pending.pop()
            assert not isinstance(one, unfit), kind
            pending += getattr(one, "types", ())
            pending += [field.type for field in getattr(one, "fields", ())]
            pending += [getattr(one, name) for name in ("type", "item_type") if hasattr(one, name)]


def _subclasses(kind: type) -> set[type]:
    found: set[type] = set(kind.__subclasses__())
    return found.union(*map(_subclasses, found))
