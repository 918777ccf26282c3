"""Transfers under `/api/v1/`."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.models import Scope
from brokers.types import Principal
from common.api.fields import FieldReader
from common.api.idempotency import idempotent, read_request_key, replay
from common.api.pagination import make_page, read_page_request
from common.api.problems import problem_document
from common.api.renderers import encode_json
from common.api.views import ApiView
from common.ids import new_uuid
from common.limits import BIGINT_MAX, LINE_LENGTH_MAX
from common.request_keys import StoredAnswer
from ledger.api import transfer_schema as schema
from ledger.api.limits import check_lookups, count_failed_lookups
from ledger.api.queries import TransfersQuery
from ledger.api.wallet_documents import transfer_document
from ledger.errors import TransferRefused
from ledger.selectors.transfers import get_transfer, list_transfers
from ledger.selectors.wallets import get_wallet, list_wallets
from ledger.services.transfers.finishing import post_transfer, void_transfer
from ledger.services.transfers.making import make_transfer, make_transfers
from ledger.services.transfers.orders import (
    BATCH_MAX,
    TIMEOUT_SECONDS,
    TIMEOUT_SECONDS_MAX,
    KeyedRequest,
    TransferOrder,
    TransferOutcome,
)
from ledger.types import TransferReason, TransferState

_EMAIL_LENGTH_MAX = 254
_CREATED = 201


class TransfersView(ApiView):
    """`transfers`: list them, make one."""

    required_scope = {"GET": Scope.READ.value, "POST": Scope.TRANSFER.value}

    @schema.list_transfers
    def get(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_query(request.query_params)
        filters = reader.struct(TransfersQuery)
        wanted = read_page_request(reader, UUID)
        reader.finish()
        rows = list_transfers(
            broker_id=principal.own_broker_id,
            wallet_ids=_own_wallets(principal, filters.wallet_id),
            limit=wanted.limit,
            before=_as_uuid(wanted.before),
            after=_as_uuid(wanted.after),
            direction=filters.direction,
            status=filters.status,
            since=filters.since,
            until=filters.until,
        )
        page = make_page(rows, wanted, lambda row: row.id)
        return Response(page.document(request, transfer_document))

    @schema.create_transfer
    def post(self, request: Request) -> HttpResponseBase:
        key = read_request_key(request)
        write = _writer(getattr(request._request, "request_id", ""))
        keyed = None if key is None else KeyedRequest(key, write)
        reader = FieldReader.of_body(request.data)
        order = _read_order(reader, caller_of(request), request=keyed)
        reader.finish()
        check_lookups([order])
        outcome = make_transfer(order=order)
        count_failed_lookups([(order, outcome)])
        if outcome.earlier is not None:
            return replay(outcome.earlier)
        return Response(transfer_document(_made(outcome)), status=_CREATED)


class TransferBatchView(ApiView):
    """`transfers/batch`: up to 1,000 in one transaction, each for itself or all or none."""

    required_scope = {"POST": Scope.TRANSFER.value}

    @schema.create_transfers
    @idempotent
    def post(self, request: Request) -> Response:
        principal = caller_of(request)
        reader = FieldReader.of_body(request.data)
        linked_id = new_uuid() if reader.optional_boolean("linked") else None
        orders = []
        for item in reader.objects("transfers", max_length=BATCH_MAX):
            orders.append(_read_order(item, principal, linked_id=linked_id))
            item.refuse_unknown()
        reader.finish()
        check_lookups(orders)
        outcomes = make_transfers(orders=orders)
        count_failed_lookups(zip(orders, outcomes, strict=True))
        write = _result(getattr(request._request, "request_id", ""))
        if linked_id is not None:
            _check_linked(outcomes, linked_id)
        return Response({"linked_id": linked_id, "results": [write(one) for one in outcomes]})


class TransferView(ApiView):
    """`transfers/{id}`: for both sides."""

    required_scope = {"GET": Scope.READ.value}

    @schema.get_transfer
    def get(self, request: Request, transfer_id: UUID) -> Response:
        transfer = get_transfer(transfer_id, principal=caller_of(request))
        return Response(transfer_document(transfer))


class PostTransferView(ApiView):
    """`transfers/{id}/post`: let a pending transfer happen."""

    required_scope = {"POST": Scope.TRANSFER.value}

    @schema.post_transfer
    @idempotent
    def post(self, request: Request, transfer_id: UUID) -> Response:
        reader = FieldReader.of_body(request.data)
        amount = reader.optional_decimal("amount")
        reader.finish()
        transfer = post_transfer(
            transfer_id=transfer_id, principal=caller_of(request), amount=amount
        )
        return Response(transfer_document(transfer))


class VoidTransferView(ApiView):
    """`transfers/{id}/void`: end a pending transfer, from either side."""

    required_scope = {"POST": Scope.TRANSFER.value}
    allowed_while_suspended = True

    @schema.void_transfer
    @idempotent
    def post(self, request: Request, transfer_id: UUID) -> Response:
        FieldReader.of_body(request.data).finish()
        transfer = void_transfer(transfer_id=transfer_id, principal=caller_of(request))
        return Response(transfer_document(transfer))


def _read_order(
    reader: FieldReader,
    principal: Principal,
    *,
    request: KeyedRequest | None = None,
    linked_id: UUID | None = None,
) -> TransferOrder:
    """One transfer of a body; what is wrong is noted on `reader`."""
    destination_id = reader.optional_row_id("to_wallet_id")
    to_email = reader.optional_identifier("to_email", max_length=_EMAIL_LENGTH_MAX)
    if (destination_id is None) == (to_email is None):
        reader.refuse("to_wallet_id", "one_of_two", "Give one of to_wallet_id and to_email.")
    is_pending = reader.optional_boolean("pending") or False
    timeout_seconds = reader.optional_integer(
        "timeout_seconds", minimum=1, maximum=TIMEOUT_SECONDS_MAX
    )
    if timeout_seconds is not None and not is_pending:
        reader.refuse("timeout_seconds", "not_pending", "Only a pending transfer has a time-out.")
    return TransferOrder(
        id=new_uuid(),
        broker_id=principal.own_broker_id,
        account_id=principal.account_id,
        actor=principal.actor,
        source_id=reader.row_id("from_wallet_id"),
        amount=reader.decimal("amount"),
        destination_id=destination_id,
        to_email=to_email,
        memo=reader.optional_text("memo", max_length=LINE_LENGTH_MAX, min_length=0) or "",
        timeout_seconds=(timeout_seconds or TIMEOUT_SECONDS) if is_pending else None,
        expected_version=reader.optional_integer("expected_version", minimum=0, maximum=BIGINT_MAX),
        linked_id=linked_id,
        request=request,
    )


def _made(outcome: TransferOutcome) -> TransferState:
    """The transfer that was made.

    Raises:
        ExchangeError: it was refused.
    """
    if outcome.error is not None:
        raise outcome.error
    assert outcome.transfer is not None
    return outcome.transfer


def _writer(request_id: str) -> Callable[[TransferOutcome], StoredAnswer]:
    """Writes the answer to a stored transfer, as the view gives it."""

    def write(outcome: TransferOutcome) -> StoredAnswer:
        assert outcome.transfer is not None
        if outcome.error is not None:
            document = problem_document(outcome.error, request_id)
            return StoredAnswer(outcome.error.status, encode_json(document).decode())
        return StoredAnswer(_CREATED, encode_json(transfer_document(outcome.transfer)).decode())

    return write


def _result(request_id: str) -> Callable[[TransferOutcome], dict[str, object]]:
    """Writes what became of one transfer of a batch: status, transfer and problem."""

    def write(outcome: TransferOutcome) -> dict[str, object]:
        transfer = outcome.transfer and transfer_document(outcome.transfer)
        if outcome.error is None:
            return {"status": _CREATED, "transfer": transfer, "problem": None}
        problem = problem_document(outcome.error, request_id)
        return {"status": outcome.error.status, "transfer": transfer, "problem": problem}

    return write


def _check_linked(outcomes: list[TransferOutcome], linked_id: UUID) -> None:
    """See that linked transfers went through.

    Raises:
        TransferRefused: one failed, so all are stored as FAILED; `index` tells which.
        ExchangeError: one is malformed, so none is stored.
    """
    for index, outcome in enumerate(outcomes):
        if outcome.error is None or outcome.error.code == TransferReason.LINKED_FAILED:
            continue
        if outcome.transfer is None:
            raise outcome.error
        ids = [one.transfer.id for one in outcomes if one.transfer is not None]
        facts = {**outcome.error.facts, "linked_id": linked_id, "transfer_ids": ids}
        raise TransferRefused(outcome.error.code, index=index, **facts)


def _own_wallets(principal: Principal, wallet_id: int | None) -> list[int] | None:
    """The wallets whose transfers are asked for; None: all of a broker.

    Raises:
        WalletNotFound, OtherAccount: the wallet that is named is not the caller's.
    """
    if wallet_id is not None:
        return [get_wallet(wallet_id, principal=principal).id]
    if principal.account_id is None:
        return None
    wallets = list_wallets(broker_id=principal.own_broker_id, account_id=principal.account_id)
    return list(wallets.values_list("id", flat=True))


def _as_uuid(value: int | UUID | None) -> UUID | None:
    assert not isinstance(value, int)
    return value
