"""Wallets in the OpenAPI document. The classes describe; nothing goes through them."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.csv_answers import FormatQuery
from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import IDEMPOTENCY_KEY, amount_field, page_of, problems
from ledger.api.queries import BalanceQuery, StatementQuery, WalletsQuery
from ledger.api.schema import StatementAccount
from ledger.models import LedgerAccount

TAGS = ["money"]


class WalletDocument(serializers.Serializer):
    id = serializers.IntegerField()
    account_id = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.ChoiceField(LedgerAccount.Status.choices)
    posted_balance = amount_field()
    held_amount = amount_field("Set aside for open orders, pending transfers and withdrawals.")
    available_balance = amount_field("Posted and not held.")
    overdraft_limit = amount_field("How far below zero it may go; null: no limit.", allow_null=True)
    version = serializers.IntegerField(help_text="How often it was posted to.")
    opened_at = serializers.DateTimeField()


class WalletBalance(serializers.Serializer):
    wallet_id = serializers.IntegerField()
    currency = serializers.CharField()
    at = serializers.DateTimeField()
    posted_balance = amount_field()
    version = serializers.IntegerField()


list_wallets = operation(
    tags=TAGS,
    operation_id="wallets_list",
    summary="List wallets, newest first",
    query=(WalletsQuery, PageQuery),
    responses={200: page_of(WalletDocument), **problems(401, 403, 404, 422)},
)
open_wallet = operation(
    tags=TAGS,
    operation_id="wallets_open",
    summary="Open a wallet, or a closed one again",
    parameters=[IDEMPOTENCY_KEY],
    request=inline_serializer(
        "OpenWallet",
        {
            "currency": serializers.CharField(help_text="ISO 4217, or a listed crypto currency."),
            "account_id": serializers.IntegerField(
                required=False, help_text="Not needed where the key is bound to an account."
            ),
        },
    ),
    responses={201: WalletDocument, **problems(400, 401, 403, 404, 409, 422, 503)},
)
get_wallet = operation(
    tags=TAGS,
    operation_id="wallets_get",
    summary="Get a wallet",
    responses={200: WalletDocument, **problems(401, 403, 404)},
)
close_wallet = operation(
    tags=TAGS,
    operation_id="wallets_close",
    summary="Close an empty wallet",
    parameters=[IDEMPOTENCY_KEY],
    request=None,
    responses={200: WalletDocument, **problems(401, 403, 404, 409, 422, 503)},
)
get_wallet_balance = operation(
    tags=TAGS,
    operation_id="wallets_balance",
    summary="Get the balance of a wallet as of an instant",
    query=(BalanceQuery,),
    responses={200: WalletBalance, **problems(401, 403, 404, 422)},
)
get_wallet_statement = operation(
    tags=TAGS,
    operation_id="wallets_statement",
    summary="Get the statement of a wallet, oldest first",
    query=(StatementQuery, FormatQuery),
    responses={
        (200, "application/json"): inline_serializer(
            "WalletStatement",
            {
                "wallet_id": serializers.IntegerField(),
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
