"""How Django's own logins, those of the back office, check a password."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from brokers.errors import UserClosed, UserSuspended, WrongCredentials
from brokers.models import User
from brokers.services.logins import Channel, check_credentials, take_address_attempt
from common.addresses import client_address


class CountedBackend(ModelBackend):
    """Counts attempts before it hashes, as the login of the API does."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """The person; None where the password is wrong, or the person may not come in.

        Raises:
            Throttled: there were too many attempts; answered 429.
            PasswordsBusy: answered 503.
        """
        if username is None or password is None:
            return None
        address = "" if request is None else client_address(request)
        take_address_attempt(address)
        try:
            return check_credentials(
                email=username, password=password, address=address, channel=Channel.BACK_OFFICE
            )
        except (WrongCredentials, UserSuspended, UserClosed):
            return None
