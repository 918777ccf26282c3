"""Closing wallets under `/api/v1/`: open orders stand against it, which the ledger cannot know."""

from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api.callers import caller_of
from brokers.models import Scope
from common.api.idempotency import idempotent
from common.api.views import ApiView
from ledger.api import wallet_schema as schema
from ledger.api.wallet_documents import wallet_document
from ledger.selectors.wallets import get_wallet
from orders.services.wallets import close_unused_wallet


class CloseWalletView(ApiView):
    """`wallets/{id}/close`."""

    required_scope = {"POST": Scope.TRANSFER.value}

    @schema.close_wallet
    @idempotent
    def post(self, request: Request, wallet_id: int) -> Response:
        wallet = get_wallet(wallet_id, principal=caller_of(request))
        return Response(wallet_document(close_unused_wallet(wallet_id=wallet.id)))
