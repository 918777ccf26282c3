"""Holds answers against the OpenAPI document: a client for tests that accepts no other ones."""

import json
import re
from functools import cache
from typing import Any

from django.test import Client
from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from orders.api.sandbox import DROP_HEADER

# What any address answers to a method that it does not have, and what nobody describes: our bugs.
_UNDESCRIBED = {405, 500}


class ContractClient(Client):
    """Django's test client, which fails where an answer is not as the document says."""

    def request(self, **request: Any) -> Any:
        """The answer to a request."""
        response = super().request(**request)
        check_answer(request["REQUEST_METHOD"], request["PATH_INFO"], response)
        return response


def check_answer(method: str, path: str, response: Any) -> None:
    """See that an answer has a status, a media type and a body that its operation declares.

    Raises:
        AssertionError: it has not.
    """
    operation = _find_operation(method, path)
    if operation is None or response.status_code in _UNDESCRIBED or DROP_HEADER in response:
        return
    name = f"{operation['operationId']} {response.status_code}"
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"{name} is not described"
    if "content" not in described or response.streaming:
        return
    media_type = response["Content-Type"].split(";")[0]
    assert media_type in described["content"], f"{name}: {media_type} is not described"
    if "json" not in media_type:
        return
    schema = described["content"][media_type]["schema"]
    errors = errors_of(json.loads(response.content), schema)
    assert not errors, f"{name}: {errors[0].json_path}: {errors[0].message}"


def errors_of(value: Any, schema: dict[str, Any]) -> list[ValidationError]:
    """What is wrong with a value of one of the document's schemas."""
    return list(_validator().evolve(schema=schema).iter_errors(value))


def _find_operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation of a request; None where there is none, or nothing describes it."""
    try:
        route = resolve(path).route
    except Resolver404:
        return None
    template = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
    return document()["paths"].get(template, {}).get(method.lower())


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of the venue."""
    return dict(
        SchemaGenerator(urlconf="exchange_project.urls").get_schema(request=None, public=True)
    )


@cache
def _validator() -> Draft202012Validator:
    """A validator that finds the document's components, whatever schema it goes on with."""
    components = {"components": document()["components"]}
    return Draft202012Validator(components, format_checker=FormatChecker())
