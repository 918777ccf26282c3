"""Deposits, withdrawals and conversions in the OpenAPI document. The classes describe."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import IDEMPOTENCY_KEY, amount_field, page_of, problems
from ledger.api.queries import RequestsQuery
from ledger.api.wallet_schema import TAGS
from ledger.models import MoneyRequest


class MoneyRequestDocument(serializers.Serializer):
    id = serializers.UUIDField()
    wallet_id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    currency = serializers.CharField()
    amount = amount_field()
    reason = serializers.CharField()
    status = serializers.ChoiceField(MoneyRequest.Status.choices)
    status_reason = serializers.CharField(help_text="Why it was rejected, canceled or failed.")
    approvals_needed = serializers.IntegerField(help_text="Persons of staff who must approve.")
    entry_id = serializers.UUIDField(allow_null=True, help_text="What was booked.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ConversionDocument(serializers.Serializer):
    id = serializers.UUIDField(help_text="Of the quote, and of the conversion that it became.")
    account_id = serializers.IntegerField()
    from_wallet_id = serializers.IntegerField()
    to_wallet_id = serializers.IntegerField()
    from_currency = serializers.CharField()
    to_currency = serializers.CharField()
    sell_amount = amount_field("Leaves the wallet `from_wallet_id`.")
    buy_amount = amount_field("Comes to the wallet `to_wallet_id`.")
    rate = serializers.DecimalField(
        max_digits=38,
        decimal_places=18,
        help_text="Bought units for one sold unit, with the venue's spread.",
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until then the quote can be used.")
    converted_at = serializers.DateTimeField(allow_null=True)
    entry_id = serializers.UUIDField(allow_null=True, help_text="What was booked.")


_REQUEST_BODY = inline_serializer(
    "MoneyRequestBody",
    {
        "wallet_id": serializers.IntegerField(),
        "amount": amount_field("Above zero, no finer than the currency."),
        "reason": serializers.CharField(
            max_length=200, help_text="Where the money comes from or goes to."
        ),
    },
)
_REQUEST_PAGE = page_of(MoneyRequestDocument)


def _listing(name: str) -> Any:
    return operation(
        tags=TAGS,
        operation_id=f"{name}s_list",
        summary=f"List {name}s, newest first",
        query=(RequestsQuery, PageQuery),
        responses={200: _REQUEST_PAGE, **problems(401, 403, 404, 422)},
    )


def _asking(name: str, description: str) -> Any:
    return operation(
        tags=TAGS,
        operation_id=f"{name}s_request",
        summary=f"Ask for a {name}",
        description=description,
        parameters=[IDEMPOTENCY_KEY],
        request=_REQUEST_BODY,
        responses={201: MoneyRequestDocument, **problems(400, 401, 403, 404, 409, 422)},
    )


def _getting(name: str) -> Any:
    return operation(
        tags=TAGS,
        operation_id=f"{name}s_get",
        summary=f"Get a {name}",
        responses={200: MoneyRequestDocument, **problems(401, 403, 404)},
    )


def _canceling(name: str) -> Any:
    return operation(
        tags=TAGS,
        operation_id=f"{name}s_cancel",
        summary=f"Cancel a {name} that waits for approval",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: MoneyRequestDocument, **problems(401, 403, 404, 409)},
    )


list_deposits = _listing("deposit")
request_deposit = _asking("deposit", "It is booked when staff have approved it.")
get_deposit = _getting("deposit")
cancel_deposit = _canceling("deposit")
list_withdrawals = _listing("withdrawal")
request_withdrawal = _asking(
    "withdrawal",
    "Its amount is held from now on, and leaves when staff have approved it: above a limit two "
    "persons must. Rejected, canceled or failed it is free again.",
)
get_withdrawal = _getting("withdrawal")
cancel_withdrawal = _canceling("withdrawal")

quote_conversion = operation(
    tags=TAGS,
    operation_id="conversions_quote",
    summary="Ask what a conversion would bring",
    description="One of `to_wallet_id` and `to_currency`, and one of `sell_amount` and "
    "`buy_amount`. Nothing is held; the account's wallet in `to_currency` is opened where it is "
    "missing.",
    parameters=[IDEMPOTENCY_KEY],
    request=inline_serializer(
        "ConversionQuoteBody",
        {
            "from_wallet_id": serializers.IntegerField(),
            "to_wallet_id": serializers.IntegerField(required=False),
            "to_currency": serializers.CharField(max_length=20, required=False),
            "sell_amount": amount_field(required=False),
            "buy_amount": amount_field(required=False),
        },
    ),
    responses={201: ConversionDocument, **problems(400, 401, 403, 404, 409, 422)},
)
convert = operation(
    tags=TAGS,
    operation_id="conversions_convert",
    summary="Convert at a quote",
    description="Once for a quote: used again, it is answered with the conversion and 200.",
    parameters=[IDEMPOTENCY_KEY],
    request=inline_serializer("ConversionBody", {"quote_id": serializers.UUIDField()}),
    responses={
        200: ConversionDocument,
        201: ConversionDocument,
        **problems(400, 401, 403, 404, 409, 422),
    },
)
list_conversions = operation(
    tags=TAGS,
    operation_id="conversions_list",
    summary="List conversions, newest first",
    query=(PageQuery,),
    responses={200: page_of(ConversionDocument), **problems(401, 403, 422)},
)
get_conversion = operation(
    tags=TAGS,
    operation_id="conversions_get",
    summary="Get a conversion by the id of its quote",
    responses={200: ConversionDocument, **problems(401, 403, 404)},
)
