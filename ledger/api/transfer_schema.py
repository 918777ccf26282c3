"""Transfers in the OpenAPI document. The classes describe; nothing goes through them."""

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from common.api.openapi import operation
from common.api.pagination import PageQuery
from common.api.schema import IDEMPOTENCY_KEY, Problem, amount_field, page_of, problems
from ledger.api.queries import TransfersQuery
from ledger.api.wallet_schema import TAGS
from ledger.services.transfers.orders import BATCH_MAX, TIMEOUT_SECONDS, TIMEOUT_SECONDS_MAX
from ledger.types import TransferReason, TransferStatus

_STATUSES = [str(status) for status in TransferStatus]
_REASONS = [str(reason) for reason in TransferReason]


class TransferRequest(serializers.Serializer):
    from_wallet_id = serializers.IntegerField(help_text="A wallet of the caller's.")
    to_wallet_id = serializers.IntegerField(required=False, help_text="This, or to_email.")
    to_email = serializers.EmailField(
        required=False, help_text="Of a person; a wallet in the currency is opened if need be."
    )
    amount = amount_field("Above zero; as many decimals as the currency has, four for fiat.")
    memo = serializers.CharField(required=False, max_length=200, allow_blank=True)
    pending = serializers.BooleanField(
        required=False, help_text="Hold the amount now; post or void it later."
    )
    timeout_seconds = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=TIMEOUT_SECONDS_MAX,
        help_text=f"Of a pending one; {TIMEOUT_SECONDS} by default.",
    )
    expected_version = serializers.IntegerField(
        required=False, min_value=0, help_text="409 `stale_version` if the source is at another."
    )


class TransferDocument(serializers.Serializer):
    id = serializers.UUIDField()
    from_wallet_id = serializers.IntegerField()
    to_wallet_id = serializers.IntegerField()
    currency = serializers.CharField()
    amount = amount_field()
    posted_amount = amount_field("What moved.", allow_null=True)
    status = serializers.ChoiceField(_STATUSES)
    reason = serializers.ChoiceField(_REASONS, allow_null=True, help_text="Why it failed.")
    is_two_step = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True)
    linked_id = serializers.UUIDField(allow_null=True)
    memo = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class TransferResult(serializers.Serializer):
    status = serializers.IntegerField(help_text="What the transfer alone would have answered.")
    transfer = TransferDocument(allow_null=True, help_text="Null where nothing is stored.")
    problem = Problem(allow_null=True)


list_transfers = operation(
    tags=TAGS,
    operation_id="transfers_list",
    summary="List transfers, newest first",
    query=(TransfersQuery, PageQuery),
    responses={200: page_of(TransferDocument), **problems(401, 403, 404, 422)},
)
create_transfer = operation(
    tags=TAGS,
    operation_id="transfers_create",
    summary="Transfer money to another wallet",
    description="A refused one is stored as FAILED and answers 422 with its `transfer_id`.",
    parameters=[IDEMPOTENCY_KEY],
    request=TransferRequest,
    responses={201: TransferDocument, **problems(400, 401, 403, 404, 409, 422, 503)},
)
create_transfers = operation(
    tags=TAGS,
    operation_id="transfers_batch",
    summary="Make up to 1,000 transfers at once",
    description="With `linked` all of them go through, or none: 422 with the `index` of the first "
    "that was refused.",
    parameters=[IDEMPOTENCY_KEY],
    request=inline_serializer(
        "TransferBatch",
        {
            "linked": serializers.BooleanField(required=False),
            "transfers": serializers.ListField(
                child=TransferRequest(), min_length=1, max_length=BATCH_MAX
            ),
        },
    ),
    responses={
        200: inline_serializer(
            "TransferResults",
            {
                "linked_id": serializers.UUIDField(allow_null=True),
                "results": TransferResult(many=True),
            },
        ),
        **problems(400, 401, 403, 404, 409, 413, 422, 503),
    },
)
get_transfer = operation(
    tags=TAGS,
    operation_id="transfers_get",
    summary="Get a transfer that one sends or gets",
    responses={200: TransferDocument, **problems(401, 403, 404)},
)
post_transfer = operation(
    tags=TAGS,
    operation_id="transfers_post",
    summary="Post a pending transfer, in full or in part; the rest is freed",
    description="For the owner of the wallet that pays.",
    parameters=[IDEMPOTENCY_KEY],
    request=inline_serializer(
        "PostTransfer", {"amount": amount_field("By default all that is held.", required=False)}
    ),
    responses={200: TransferDocument, **problems(400, 401, 403, 404, 409, 422, 503)},
)
void_transfer = operation(
    tags=TAGS,
    operation_id="transfers_void",
    summary="Void a pending transfer: its hold is freed",
    description="For both sides: who pays takes it back, who would be paid declines it.",
    parameters=[IDEMPOTENCY_KEY],
    request=None,
    responses={200: TransferDocument, **problems(401, 403, 404, 409, 422, 503)},
)
