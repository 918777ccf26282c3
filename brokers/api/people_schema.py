"""People and their tokens in the OpenAPI document. The classes only describe."""

from typing import Any

from rest_framework import serializers

from brokers.api.schema import (
    NONE,
    READ_ERRORS,
    WRITE_ERRORS,
    AccountDocument,
    example,
    operation,
    request_of,
)
from brokers.models import User
from common.api.schema import IDEMPOTENCY_KEY, problems, unkeyed

_PEOPLE = "people"
_PUBLIC_ERRORS = problems(400, 413, 415, 422, 429)
_PASSWORD = "correct horse battery"
_TOKEN = "eyJ…"


class PersonDocument(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    full_name = serializers.CharField(max_length=150, allow_blank=True)
    status = serializers.ChoiceField(User.Status.choices)
    email_verified_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    account = AccountDocument(
        allow_null=True, help_text="At the retail broker; staff may have none."
    )


class TokenDocument(serializers.Serializer):
    access = serializers.CharField(help_text="For `Authorization: Bearer …`.")
    refresh = serializers.CharField(help_text="Works once, at `auth/token/refresh`.")
    token_type = serializers.CharField(help_text="Bearer")
    expires_in = serializers.IntegerField(help_text="Seconds that the access token lives.")


def _email() -> serializers.Field:
    return serializers.EmailField(max_length=254)


def _secret() -> serializers.Field:
    return serializers.CharField(max_length=128)


def _token() -> serializers.Field:
    return serializers.CharField(max_length=2000)


def _people_operation(operation_id: str, summary: str, responses: Any, **options: Any) -> Any:
    return operation(_PEOPLE, f"auth_{operation_id}", summary, responses, **options)


_OF_PERSON: dict[str, Any] = {"auth": [{"bearerToken": []}]}

register = _people_operation(
    "register",
    "Register; opens an account at the retail broker and mails a token for the address",
    {201: PersonDocument, **_PUBLIC_ERRORS, **problems(409)},
    description=unkeyed("a stranger has none; an address registers once, then 409."),
    request=request_of(
        "Register",
        email=_email(),
        password=_secret(),
        full_name=serializers.CharField(max_length=150, required=False),
    ),
    examples=example(email="ada@example.com", password=_PASSWORD, full_name="Ada"),
)
log_in = _people_operation(
    "token",
    "Log in",
    {200: TokenDocument, **_PUBLIC_ERRORS, **problems(401, 403)},
    description=unkeyed("the answer holds secrets; logging in again harms nothing."),
    request=request_of("LogIn", email=_email(), password=_secret()),
    examples=example(email="ada@example.com", password=_PASSWORD),
)
refresh_tokens = _people_operation(
    "token_refresh",
    "New tokens for a refresh token, which works once",
    {200: TokenDocument, **_PUBLIC_ERRORS, **problems(401, 403)},
    description=unkeyed("the refresh token itself is good for one exchange."),
    request=request_of("RefreshToken", refresh=_token()),
    examples=example(refresh=_TOKEN),
)
log_out = _people_operation(
    "logout",
    "End a refresh token; the access token ends by itself after minutes",
    {204: NONE, **_PUBLIC_ERRORS, **problems(401)},
    description=unkeyed("a token that has ended stays so."),
    request=request_of("LogOut", refresh=_token()),
    examples=example(refresh=_TOKEN),
)
get_person = _people_operation("me", "Who I am", {200: PersonDocument, **READ_ERRORS}, **_OF_PERSON)
update_person = _people_operation(
    "me_update",
    "Change my name",
    {200: PersonDocument, **WRITE_ERRORS, **problems(409)},
    parameters=[IDEMPOTENCY_KEY],
    request=request_of(
        "UpdatePerson", full_name=serializers.CharField(max_length=150, allow_blank=True)
    ),
    examples=example(full_name="Ada Lovelace"),
    **_OF_PERSON,
)
change_password = _people_operation(
    "password",
    "Change the password; ends all tokens",
    {204: NONE, **WRITE_ERRORS},
    description=unkeyed(
        "once it is changed the old password is wrong, and no trace of a password is kept."
    ),
    request=request_of("ChangePassword", old_password=_secret(), new_password=_secret()),
    examples=example(old_password=_PASSWORD, new_password="staple battery horse"),
    **_OF_PERSON,
)
reset_password = _people_operation(
    "password_reset",
    "Mail a token that resets the password, if somebody has this address",
    {202: NONE, **_PUBLIC_ERRORS},
    description=unkeyed("a stranger has none; mails to one address are limited."),
    request=request_of("ResetPassword", email=_email()),
    examples=example(email="ada@example.com"),
)
confirm_password_reset = _people_operation(
    "password_reset_confirm",
    "Set a password by a mailed token; ends all tokens",
    {204: NONE, **_PUBLIC_ERRORS},
    description=unkeyed("the mailed token works once."),
    request=request_of("ConfirmPasswordReset", token=_token(), password=_secret()),
    examples=example(token="…", password="staple battery horse"),
)
verify_email = _people_operation(
    "email_verify",
    "Verify the address by a mailed token",
    {204: NONE, **_PUBLIC_ERRORS},
    description=unkeyed("the mailed token works once."),
    request=request_of("VerifyEmail", token=_token()),
    examples=example(token="…"),
)
resend_verification = _people_operation(
    "email_verify_resend",
    "Mail the token again that verifies the address, if it is not verified yet",
    {202: NONE, **READ_ERRORS, **problems(409)},
    parameters=[IDEMPOTENCY_KEY],
    request=None,
    **_OF_PERSON,
)
