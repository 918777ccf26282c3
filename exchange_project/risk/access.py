"""Who may see the risk desk, and who may freeze accounts: staff with the permission of it.

The groups "Risk desk" and "Risk officers" get them when they are made, and nothing more later.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

PERMISSION = "margin.view_position"
GROUP = "Risk desk"
OFFICERS = "Risk officers"
FREEZE_PERMISSION = "margin.change_marginaccount"
_SEEN_MODELS = (
    "position",
    "marginaccount",
    "equitysnapshot",
    "freezechange",
    "liquidation",
    "liquidationstep",
    "margincall",
    "premiumsample",
    "funding",
    "fundingpayment",
)
_SEEN = [f"view_{model}" for model in _SEEN_MODELS]

View = Callable[..., HttpResponseBase]


def risk_page(view: View) -> View:
    """A page of the risk desk: strangers are led to the login, others need the permission.

    Raises:
        PermissionDenied: not of the staff, or without the permission.
    """

    return never_cache(require_safe(_guarded(view, may_see_risk)))


def officers_page(view: View) -> View:
    """A page of the risk desk with a form that freezes: for who may do that.

    Raises:
        PermissionDenied: not of the staff, or without the permission.
    """

    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(_guarded(view, may_freeze)))


def may_see_risk(request: HttpRequest) -> bool:
    """Whether the caller is of the staff and has the permission."""
    user = request.user
    return bool(getattr(user, "is_staff", False)) and user.has_perm(PERMISSION)


def may_freeze(request: HttpRequest) -> bool:
    """Whether the caller may freeze accounts, besides seeing them."""
    return may_see_risk(request) and request.user.has_perm(FREEZE_PERMISSION)


def make_risk_groups() -> None:
    """The groups of those who see the pages and of those who may freeze too."""
    make_risk_desk()
    make_risk_officers()


def make_risk_desk() -> Group:
    """The group whose members see the pages, made if it is missing; more it is never given."""
    return _make_group(GROUP, _SEEN)


def make_risk_officers() -> Group:
    """The group whose members also freeze accounts, made if it is missing."""
    return _make_group(OFFICERS, [*_SEEN, FREEZE_PERMISSION.removeprefix("margin.")])


def _make_group(name: str, codenames: Sequence[str]) -> Group:
    group, is_new = Group.objects.get_or_create(name=name)
    if is_new:
        permissions = Permission.objects.filter(
            content_type__app_label="margin", codename__in=codenames
        )
        group.permissions.set(permissions)
    return group


def _guarded(view: View, may_enter: Callable[[HttpRequest], bool]) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not may_enter(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
