"""Balances and statements in the OpenAPI document. The classes describe; nothing goes through."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.csv_answers import FormatQuery
from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import amount_field, page_of, problems
from ledger.api.queries import EntriesQuery, StatementQuery
from ledger.types import CLIENT_KINDS, EntryKind

_TAGS = ["accounts"]
_CLIENT_KINDS = sorted(str(kind) for kind in CLIENT_KINDS)
_ENTRY_KINDS = [str(kind) for kind in EntryKind]


class BalanceDocument(serializers.Serializer):
    asset = serializers.CharField()
    kind = serializers.ChoiceField(_CLIENT_KINDS)
    posted_balance = amount_field()
    held_amount = amount_field("Set aside for open orders.")
    available_balance = amount_field("Posted and not held.")
    overdraft_limit = amount_field("How far below zero it may go; null: no limit.", allow_null=True)
    version = serializers.IntegerField(help_text="How often it was posted to.")


class BookedLine(serializers.Serializer):
    id = serializers.IntegerField()
    asset = serializers.CharField()
    kind = serializers.ChoiceField(_CLIENT_KINDS)
    amount = amount_field()
    balance_after = amount_field()
    version = serializers.IntegerField(help_text="Counts the lines of an asset and kind.")
    entry_id = serializers.UUIDField()
    entry_kind = serializers.ChoiceField(_ENTRY_KINDS)
    source_kind = serializers.CharField()
    source_id = serializers.UUIDField(help_text="The event: the trade, the deposit, …")
    memo = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    posted_at = serializers.DateTimeField()


class StatementAccount(serializers.Serializer):
    asset = serializers.CharField()
    kind = serializers.ChoiceField(_CLIENT_KINDS)
    opening_balance = amount_field()
    lines = BookedLine(many=True)
    closing_balance = amount_field()


list_balances = operation(
    tags=_TAGS,
    operation_id="accounts_balances",
    summary="List the balances of an account",
    responses={
        200: inline_serializer(
            "Balances",
            {
                "account_id": serializers.IntegerField(),
                "balances": BalanceDocument(many=True),
            },
        ),
        **problems(401, 403, 404),
    },
)
list_entries = operation(
    tags=_TAGS,
    operation_id="accounts_entries",
    summary="List what was booked on an account, newest first",
    query=(EntriesQuery, PageQuery),
    responses={200: page_of(BookedLine), **problems(401, 403, 404, 422)},
)
get_statement = operation(
    tags=_TAGS,
    operation_id="accounts_statement",
    summary="Get the statement of an account, oldest first",
    query=(StatementQuery, FormatQuery),
    responses={
        (200, "application/json"): inline_serializer(
            "Statement",
            {
                "account_id": serializers.IntegerField(),
                "since": serializers.DateTimeField(),
                "until": serializers.DateTimeField(),
                "accounts": StatementAccount(many=True),
            },
        ),
        (200, "text/csv"): OpenApiTypes.STR,
        **problems(401, 403, 404, 422),
    },
)
