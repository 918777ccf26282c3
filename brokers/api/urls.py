"""Paths of people, brokers, keys, accounts and webhooks, below `/api/v1/`."""

from django.urls import path

from brokers.api import people_views, views, webhook_views

urlpatterns = [
    path("auth/register", people_views.RegisterView.as_view()),
    path("auth/token", people_views.TokenView.as_view()),
    path("auth/token/refresh", people_views.RefreshTokenView.as_view()),
    path("auth/logout", people_views.LogoutView.as_view()),
    path("auth/me", people_views.PersonView.as_view()),
    path("auth/password", people_views.PasswordView.as_view()),
    path("auth/password/reset", people_views.ResetPasswordView.as_view()),
    path("auth/password/reset/confirm", people_views.ConfirmPasswordResetView.as_view()),
    path("auth/email/verify", people_views.VerifyEmailView.as_view()),
    path("auth/email/verify/resend", people_views.ResendVerificationView.as_view()),
    path("brokers", views.BrokersView.as_view()),
    path("brokers/me", views.OwnBrokerView.as_view()),
    path("api-keys", views.ApiKeysView.as_view()),
    path("api-keys/<uuid:key_id>", views.ApiKeyView.as_view()),
    path("api-keys/<uuid:key_id>/revoke", views.RevokeApiKeyView.as_view()),
    path("api-keys/<uuid:key_id>/rotate", views.RotateApiKeyView.as_view()),
    path("accounts", views.AccountsView.as_view()),
    path("accounts/<int:account_id>", views.AccountView.as_view()),
    path("webhook-endpoints", webhook_views.WebhookEndpointsView.as_view()),
    path("webhook-endpoints/<uuid:endpoint_id>", webhook_views.WebhookEndpointView.as_view()),
    path("webhook-deliveries", webhook_views.WebhookDeliveriesView.as_view()),
    path(
        "webhook-deliveries/<int:delivery_id>/replay",
        webhook_views.ReplayWebhookDeliveryView.as_view(),
    ),
]
