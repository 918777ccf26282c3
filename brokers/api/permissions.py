"""What a caller may do: the scopes of the key, the state of the broker, the bound account."""

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from brokers.errors import BrokerSuspended, MissingScope, OtherAccount
from brokers.models import Scope
from brokers.selectors import get_account
from brokers.types import Principal
from common.errors import MethodNotAllowed, NotAuthenticated

if TYPE_CHECKING:  # rest_framework.views imports this module
    from rest_framework.views import APIView

VENUE_ADMIN = "venue_admin"
# Somebody who has logged in; and who may have keys: a broker's administrator, or a person for the
# own account.
PERSON = "person"
ADMIN_OR_PERSON = "admin_or_person"
# Who may read, and the venue, which reads of everybody.
READER_OR_VENUE = "reader_or_venue"
_READING = ("GET", "HEAD", "OPTIONS")


class HasScope(BasePermission):
    """Checks the view's `required_scope`: see `check_may_call`."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """True, or a refusal that says what is missing."""
        check_may_call(cast("Principal | None", request.auth), request.method or "", view)
        return True


def check_may_call(principal: Principal | None, method: str, view: Any) -> None:
    """See that the caller may use a method of a view (or of the class of one).

    Its `required_scope` is a scope or a kind of caller, or one for each method; without one it is
    closed to all. A suspended broker may read; it may write where the view says
    `allowed_while_suspended = True` (cancels).

    Raises:
        NotAuthenticated: no key.
        MethodNotAllowed: the view has none of this name, whatever the key may.
        MissingScope: the key lacks the scope.
        BrokerSuspended: the broker may only read.
    """
    if principal is None:
        raise NotAuthenticated()
    if not hasattr(view, method.lower()):
        raise MethodNotAllowed
    check_scope(principal, _required_scope(view, method))
    if (
        principal.is_broker_suspended
        and method not in _READING
        and not getattr(view, "allowed_while_suspended", False)
    ):
        raise BrokerSuspended()


def check_scope(principal: Principal, scope: str) -> None:
    """See that the caller has `scope`; the venue's admin key has `venue_admin` and nothing else.

    Raises:
        MissingScope: it has not.
    """
    if scope == ADMIN_OR_PERSON:
        if principal.is_person_with_account:
            return
        scope = Scope.ADMIN.value
    if scope == READER_OR_VENUE:
        if principal.is_venue_admin:
            return
        scope = Scope.READ.value
    if not _has_scope(principal, scope):
        raise MissingScope(required_scope=scope)


def check_account_visible(principal: Principal, *, broker_id: UUID, account_id: int) -> None:
    """See that an account of `broker_id` is the caller's (the one, where the key is bound).

    Raises:
        OtherAccount: it is not.
    """
    is_bound_elsewhere = principal.account_id not in (None, account_id)
    if principal.broker_id != broker_id or is_bound_elsewhere:
        raise OtherAccount()


def check_named_account(principal: Principal, account_id: int | None) -> None:
    """See that the account that a request names, where it names one, is the caller's.

    The venue's own key may name any: where it is let in, it sees all of them.

    Raises:
        AccountNotFound, OtherAccount: there is none, or it is not.
    """
    if account_id is None:
        return
    account = get_account(account_id)
    if not principal.is_venue_admin:
        check_account_visible(principal, broker_id=account.broker_id, account_id=account.id)


def _has_scope(principal: Principal, scope: str) -> bool:
    if scope == VENUE_ADMIN:
        return principal.is_venue_admin
    if scope == PERSON:
        return principal.user_id is not None
    return scope in principal.scopes


def _required_scope(view: Any, method: str) -> str:
    required: Any = getattr(view, "required_scope", None)
    if isinstance(required, dict):
        required = required.get("GET" if method in ("HEAD", "OPTIONS") else method)
    if required is None:
        raise MissingScope("This is closed to API keys.")
    return str(required)
