"""Paths of balances and statements, below `/api/v1/`."""

from django.urls import path

from ledger.api import (
    control_views,
    conversion_views,
    request_views,
    transfer_views,
    views,
    wallet_views,
)

urlpatterns = [
    path("accounts/<int:account_id>/balances", views.BalancesView.as_view()),
    path("accounts/<int:account_id>/entries", views.EntriesView.as_view()),
    path("accounts/<int:account_id>/statement", views.StatementView.as_view()),
    path("deposits", request_views.DepositsView.as_view()),
    path("deposits/<uuid:request_id>", request_views.DepositView.as_view()),
    path("deposits/<uuid:request_id>/cancel", request_views.CancelDepositView.as_view()),
    path("withdrawals", request_views.WithdrawalsView.as_view()),
    path("withdrawals/<uuid:request_id>", request_views.WithdrawalView.as_view()),
    path("withdrawals/<uuid:request_id>/cancel", request_views.CancelWithdrawalView.as_view()),
    path("conversions", conversion_views.ConversionsView.as_view()),
    path("conversions/quotes", conversion_views.ConversionQuotesView.as_view()),
    path("conversions/<uuid:quote_id>", conversion_views.ConversionView.as_view()),
    path("trial-balance", control_views.TrialBalanceView.as_view()),
    path("wallets", wallet_views.WalletsView.as_view()),
    path("wallets/<int:wallet_id>", wallet_views.WalletView.as_view()),
    path("wallets/<int:wallet_id>/balance", wallet_views.WalletBalanceView.as_view()),
    path("wallets/<int:wallet_id>/statement", wallet_views.WalletStatementView.as_view()),
    path("transfers", transfer_views.TransfersView.as_view()),
    path("transfers/batch", transfer_views.TransferBatchView.as_view()),
    path("transfers/<uuid:transfer_id>", transfer_views.TransferView.as_view()),
    path("transfers/<uuid:transfer_id>/post", transfer_views.PostTransferView.as_view()),
    path("transfers/<uuid:transfer_id>/void", transfer_views.VoidTransferView.as_view()),
]
