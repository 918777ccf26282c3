"""People who log in with an email address."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from brokers.errors import EmailTaken
from brokers.models import User
from common.errors import FieldError, ValidationFailed


def create_user(*, email: str, password: str, full_name: str = "") -> User:
    """Make a person with a login, but without any rights.

    Raises:
        EmailTaken: somebody has this address, in upper or lower case.
        ValidationFailed: the password is too weak.
    """
    if User.objects.filter(email__iexact=email).exists():
        raise EmailTaken()
    try:
        validate_password(password, User(email=email, full_name=full_name))
    except ValidationError as error:
        problems = [FieldError("password", "weak_password", text) for text in error.messages]
        raise ValidationFailed(errors=problems) from error
    with transaction.atomic():
        return User.objects.create_user(email, password, full_name=full_name)
