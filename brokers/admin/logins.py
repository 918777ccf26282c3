"""The login history, and the page where staff change the own password."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from brokers.admin.callers import caller_of
from brokers.models import LoginAttempt, NetworkAddress
from brokers.services.logins import take_password_attempt
from common.addresses import client_address
from common.admin import ReadOnlyAdmin


@admin.register(LoginAttempt)
class LoginAttemptAdmin(ReadOnlyAdmin):
    """Passwords that were tried, newest first: by whom, from where, and what came of it."""

    list_display = ("id", "at", "user", "address", "channel", "outcome")
    list_filter = ("outcome", "channel")
    list_select_related = ("user", "address")
    search_fields = ("user__email", "=address__id")
    ordering = ("-id",)


@admin.register(NetworkAddress)
class NetworkAddressAdmin(ReadOnlyAdmin):
    """The addresses themselves. Deleting one, as a person may ask for, leaves the history."""

    list_display = ("id", "address", "first_seen_at")
    search_fields = ("=id", "=address")
    ordering = ("-id",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("brokers.delete_networkaddress")


def change_own_password(request: HttpRequest) -> HttpResponse:
    """Django's page, with attempts at the present password counted.

    Raises:
        Throttled: there were too many.
    """
    if request.method == "POST":
        take_password_attempt(user_id=caller_of(request).pk, address=client_address(request))
    return admin.site.password_change(request)
