"""What brokers, keys, accounts and webhooks can be refused for."""

from common.errors import (
    Conflict,
    ExchangeError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    ValidationFailed,
    VenueUnavailable,
)


class WrongCredentials(NotAuthenticated):
    """The email address or the password is wrong."""

    code = "wrong_credentials"


class InvalidToken(NotAuthenticated):
    """The token is wrong, expired, used up or ended."""

    code = "invalid_token"


class MissingScope(PermissionDenied):
    """The API key lacks the scope that this request needs."""

    code = "missing_scope"


class BrokerSuspended(PermissionDenied):
    """The broker is suspended: it may read and cancel, but not trade."""

    code = "broker_suspended"


class OtherAccount(PermissionDenied):
    """The account belongs to another broker, or the key is bound to another account."""

    code = "other_account"


class UserSuspended(PermissionDenied):
    """The person is suspended: no token and no key of the own account works."""

    code = "user_suspended"


class UserClosed(PermissionDenied):
    """The person's login is closed and stays so."""

    code = "user_closed"


class WrongPassword(PermissionDenied):
    """The present password is another one."""

    code = "wrong_password"


class ScopeNotHeld(PermissionDenied):
    """A key can only be given scopes that the key which asks for it has."""

    code = "scope_not_held"


class SandboxOff(PermissionDenied):
    """This venue has no sandbox accounts: SANDBOX_ACCOUNTS is off."""

    code = "sandbox_off"


class BrokerNotFound(NotFound):
    """There is no such broker."""

    code = "broker_not_found"


class AccountNotFound(NotFound):
    """There is no such account."""

    code = "account_not_found"


class ApiKeyNotFound(NotFound):
    """The broker has no such API key."""

    code = "api_key_not_found"


class WebhookEndpointNotFound(NotFound):
    """The broker has no such webhook endpoint."""

    code = "webhook_endpoint_not_found"


class WebhookDeliveryNotFound(NotFound):
    """The broker has no such webhook delivery."""

    code = "webhook_delivery_not_found"


class ApiKeyRevoked(Conflict):
    """The API key is revoked and stays so."""

    code = "api_key_revoked"


class AccountExists(Conflict):
    """The broker has an account with this document number already."""

    code = "account_exists"


class AccountClosed(Conflict):
    """The account is closed and stays so."""

    code = "account_closed"


class EmailTaken(Conflict):
    """A user with this email address exists."""

    code = "email_taken"


class TooManyWebhookEndpoints(Conflict):
    """The broker has as many webhook endpoints as it may have."""

    code = "too_many_webhook_endpoints"


class WebhookEndpointInactive(Conflict):
    """The webhook endpoint is not active, so nothing is delivered to it."""

    code = "webhook_endpoint_inactive"


class WebhookUrlRefused(ValidationFailed):
    """Webhooks are not sent to this address."""

    code = "webhook_url_refused"


class InvalidMailToken(ValidationFailed):
    """The token of the mail is wrong, expired or used up."""

    code = "invalid_mail_token"


class ReceiverRefused(Exception):
    """The host of a webhook has no address that webhooks are sent to. Never leaves the sender."""


CONSTRAINT_ERRORS: dict[str, type[ExchangeError]] = {
    "account_once_per_document": AccountExists,
    "user_email_once_any_case": EmailTaken,
    "brokers_user_email_key": EmailTaken,
}


class OwnRights(PermissionDenied):
    """Rights are granted by another person than who asked for them, and than who gets them."""

    code = "own_rights"


class RightsNotHeld(PermissionDenied):
    """Nobody grants rights that they do not have."""

    code = "rights_not_held"


class RightsRequestDecided(Conflict):
    """The request is approved or rejected already. Facts: request_status."""

    code = "rights_request_decided"


class OwnKey(PermissionDenied):
    """A key that staff made is approved by another member of staff."""

    code = "own_key"


class KeyNotWaiting(Conflict):
    """The key waits for no approval."""

    code = "key_not_waiting"


class OwnLogin(PermissionDenied):
    """Nobody suspends or closes the own login, and only a superuser that of a superuser."""

    code = "own_login"


class PasswordsBusy(VenueUnavailable):
    """Too many passwords are checked at the moment; nothing was tried."""

    code = "passwords_busy"
