"""People under `/api/v1/auth/`: parse, permit, call, answer."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from rest_framework.request import Request
from rest_framework.response import Response

from brokers.api import people_schema as schema
from brokers.api.callers import caller_of
from brokers.api.documents import person_document, token_document
from brokers.api.limits import take_mail, take_registration
from brokers.api.permissions import PERSON
from brokers.models import User
from brokers.selectors import find_retail_account, get_user
from brokers.services import (
    change_password,
    log_in,
    log_out,
    refresh_tokens,
    register_person,
    rename_user,
    reset_password,
    verify_email,
)
from brokers.services.logins import note_reset, take_address_attempt, take_password_attempt
from brokers.services.mail_tokens import read_reset_token
from brokers.services.mails import queue_password_reset_mail, queue_verification_mail
from brokers.services.tokens import TOKEN_CHARACTERS_MAX
from common.addresses import client_address
from common.api.fields import FieldReader
from common.api.idempotency import idempotent
from common.api.views import ApiView

EMAIL_CHARACTERS_MAX = 254
NAME_CHARACTERS_MAX = 150
# Longer ones would only cost time to hash.
PASSWORD_CHARACTERS_MAX = 128


class PublicView(ApiView):
    """A view that strangers may call, so often from one network address. Keys count for nothing."""

    authentication_classes: list[type] = []
    permission_classes: list[type] = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        take_address_attempt(client_address(request))


class RegisterView(PublicView):
    """`auth/register`."""

    @schema.register
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        email = _read_email(reader)
        password = _read_password(reader, "password")
        full_name = reader.optional_text("full_name", max_length=NAME_CHARACTERS_MAX)
        reader.finish()
        take_registration(email, client_address(request))
        registered = register_person(email=email, password=password, full_name=full_name or "")
        return Response(person_document(registered.user, registered.account), status=201)


class TokenView(PublicView):
    """`auth/token`: log in."""

    @schema.log_in
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        email = reader.identifier("email", max_length=EMAIL_CHARACTERS_MAX)
        password = _read_password(reader, "password")
        reader.finish()
        pair = log_in(email=email, password=password, address=client_address(request))
        return Response(token_document(pair))


class RefreshTokenView(PublicView):
    """`auth/token/refresh`."""

    @schema.refresh_tokens
    def post(self, request: Request) -> Response:
        return Response(token_document(refresh_tokens(refresh=_read_token(request, "refresh"))))


class LogoutView(PublicView):
    """`auth/logout`. The refresh token says who it is: the access token may have expired."""

    @schema.log_out
    def post(self, request: Request) -> Response:
        log_out(refresh=_read_token(request, "refresh"))
        return Response(status=204)


class PersonView(ApiView):
    """`auth/me`."""

    required_scope = PERSON
    allowed_while_suspended = True

    @schema.get_person
    def get(self, request: Request) -> Response:
        return _answer(get_user(caller_of(request).own_user_id))

    @schema.update_person
    @idempotent
    def patch(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        full_name = reader.text("full_name", max_length=NAME_CHARACTERS_MAX, min_length=0)
        reader.finish()
        return _answer(rename_user(user_id=caller_of(request).own_user_id, full_name=full_name))


class PasswordView(ApiView):
    """`auth/password`."""

    required_scope = PERSON
    allowed_while_suspended = True

    @schema.change_password
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        old_password = _read_password(reader, "old_password")
        new_password = _read_password(reader, "new_password")
        reader.finish()
        user_id = caller_of(request).own_user_id
        take_password_attempt(user_id=user_id, address=client_address(request))
        change_password(user_id=user_id, old_password=old_password, new_password=new_password)
        return Response(status=204)


class ResetPasswordView(PublicView):
    """`auth/password/reset`: always the same answer, whoever has the address."""

    @schema.reset_password
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        email = _read_email(reader)
        reader.finish()
        take_mail(email)
        queue_password_reset_mail(email)
        return Response(status=202)


class ConfirmPasswordResetView(PublicView):
    """`auth/password/reset/confirm`."""

    @schema.confirm_password_reset
    def post(self, request: Request) -> Response:
        reader = FieldReader.of_body(request.data)
        token = reader.text("token", max_length=TOKEN_CHARACTERS_MAX)
        password = _read_password(reader, "password")
        reader.finish()
        user_id, address = read_reset_token(token), client_address(request)
        take_password_attempt(user_id=user_id, address=address)
        reset_password(token=token, password=password)
        note_reset(user_id=user_id, address=address)
        return Response(status=204)


class VerifyEmailView(PublicView):
    """`auth/email/verify`."""

    @schema.verify_email
    def post(self, request: Request) -> Response:
        verify_email(token=_read_token(request, "token"))
        return Response(status=204)


class ResendVerificationView(ApiView):
    """`auth/email/verify/resend`."""

    required_scope = PERSON
    allowed_while_suspended = True

    @schema.resend_verification
    @idempotent
    def post(self, request: Request) -> Response:
        user = get_user(caller_of(request).own_user_id)
        take_mail(user.email)
        queue_verification_mail(user)
        return Response(status=202)


def _answer(user: User) -> Response:
    return Response(person_document(user, find_retail_account(user.pk)))


def _read_email(reader: FieldReader) -> str:
    email = reader.text("email", max_length=EMAIL_CHARACTERS_MAX)
    try:
        validate_email(email)
    except ValidationError:
        if email:  # what is missing was refused by the reader
            reader.refuse("email", "invalid_email", "An email address.")
    return email


def _read_password(reader: FieldReader, name: str) -> str:
    return reader.text(name, max_length=PASSWORD_CHARACTERS_MAX)


def _read_token(request: Request, name: str) -> str:
    reader = FieldReader.of_body(request.data)
    token = reader.text(name, max_length=TOKEN_CHARACTERS_MAX)
    reader.finish()
    return token
