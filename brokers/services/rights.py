"""Rights of staff: asked for by one person, granted by another one; taken away by one alone.

Neither may grant what they do not have themselves, and nobody decides on rights of their own. Who
becomes staff gets another password, by a mailed token: whoever made the login may know the first.
"""

import secrets
from collections.abc import Collection
from uuid import UUID

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from brokers.errors import OwnRights, RightsNotHeld, RightsRequestDecided
from brokers.locks import lock_rights_request, lock_user
from brokers.models import StaffRightsRequest, User
from brokers.services.access import forget_user
from brokers.services.mails import queue_password_reset_mail
from brokers.services.tokens import end_tokens
from common.database import retry_on_conflict
from common.limits import LINE_LENGTH_MAX
from common.texts import check_text
from oversight.services.records import record

_Status = StaffRightsRequest.Status


@retry_on_conflict
@transaction.atomic
def request_rights(
    *,
    requested_by: UUID,
    reason: str,
    user_id: UUID | None = None,
    group_id: int | None = None,
    is_staff: bool = False,
    is_superuser: bool = False,
    group_ids: Collection[int] = (),
    permission_ids: Collection[int] = (),
) -> StaffRightsRequest:
    """Ask that a person, or a group, have exactly these rights; taking some away is done at once.

    Raises:
        RightsNotHeld: the one who asks has not all of them.
        ValidationFailed: no reason is given, or it is no text.
    """
    check_text("reason", reason, max_length=LINE_LENGTH_MAX, min_length=1)
    request = StaffRightsRequest.objects.create(
        user_id=user_id,
        group_id=group_id,
        is_staff=is_staff or is_superuser,
        is_superuser=is_superuser,
        reason=reason,
        requested_by_id=requested_by,
    )
    request.groups.set(group_ids)
    request.permissions.set(permission_ids)
    _note(request, "rights.requested", reason)
    if _only_takes_away(request):
        _grant(request)
        return _decide(request, _Status.APPROVED, requested_by, "takes rights away")
    _check_holds(User.objects.get(pk=requested_by), request)
    return request


@retry_on_conflict
@transaction.atomic
def approve_rights(*, request_id: int, user_id: UUID) -> StaffRightsRequest:
    """Grant what another person has asked for.

    Raises:
        RightsRequestDecided: it is granted or rejected already.
        OwnRights: this person asked for it, or would get the rights.
        RightsNotHeld: this person has not all of them.
    """
    request = _take_up(request_id)
    person = User.objects.get(pk=user_id)
    in_group = request.group_id and person.groups.filter(pk=request.group_id).exists()
    if user_id in (request.requested_by_id, request.user_id) or in_group:
        raise OwnRights()
    _check_holds(person, request)
    _grant(request)
    return _decide(request, _Status.APPROVED, user_id, "")


@retry_on_conflict
@transaction.atomic
def reject_rights(*, request_id: int, user_id: UUID, note: str = "") -> StaffRightsRequest:
    """Refuse a request, or take one's own back.

    Raises:
        RightsRequestDecided: it is granted or rejected already.
    """
    return _decide(_take_up(request_id), _Status.REJECTED, user_id, note)


def _take_up(request_id: int) -> StaffRightsRequest:
    request = lock_rights_request(request_id)
    if request.status != _Status.REQUESTED:
        raise RightsRequestDecided(request_status=request.status)
    return request


def _decide(
    request: StaffRightsRequest, status: "_Status", user_id: UUID, note: str
) -> StaffRightsRequest:
    request.status, request.decided_by_id, request.note = status, user_id, note
    request.decided_at = timezone.now()
    request.save(update_fields=["status", "decided_by", "decided_at", "note"])
    _note(request, f"rights.{status.lower()}", note)
    return request


def _note(request: StaffRightsRequest, action: str, reason: str) -> None:
    """The rights that a person, or a group, is to have."""
    record(
        action=action,
        target=request,
        after={
            "user": request.user_id,
            "group": request.group_id,
            "is_staff": request.is_staff,
            "is_superuser": request.is_superuser,
            "groups": list(request.groups.values_list("pk", flat=True)),
            "permissions": list(request.permissions.values_list("pk", flat=True)),
        },
        reason=reason,
    )


def _only_takes_away(request: StaffRightsRequest) -> bool:
    wanted = set(request.permissions.values_list("pk", flat=True))
    if request.group is not None:
        return wanted <= set(request.group.permissions.values_list("pk", flat=True))
    user = request.user
    assert user is not None, "a request is about a person or a group"
    groups = set(request.groups.values_list("pk", flat=True))
    return (
        request.is_staff <= user.is_staff
        and request.is_superuser <= user.is_superuser
        and wanted <= set(user.user_permissions.values_list("pk", flat=True))
        and groups <= set(user.groups.values_list("pk", flat=True))
    )


def _check_holds(person: User, request: StaffRightsRequest) -> None:
    """See that a person has what the request would grant."""
    if person.is_superuser:
        return
    by_groups = Permission.objects.filter(group__in=request.groups.all())
    names = {
        f"{permission.content_type.app_label}.{permission.codename}"
        for wanted in (by_groups, request.permissions.all())
        for permission in wanted.select_related("content_type")
    }
    if request.is_superuser or not person.has_perms(names):
        raise RightsNotHeld()


def _grant(request: StaffRightsRequest) -> None:
    if request.group is not None:
        group: Group = request.group
        group.permissions.set(request.permissions.all())
        return
    assert request.user_id is not None, "a request is about a person or a group"
    user = lock_user(request.user_id)
    becomes_staff = request.is_staff and not user.is_staff
    user.is_staff, user.is_superuser = request.is_staff, request.is_superuser
    if becomes_staff:
        user.set_password(secrets.token_urlsafe(32))
        end_tokens(user=user)
        queue_password_reset_mail(user.email)
    user.save(update_fields=["is_staff", "is_superuser", "password", "updated_at"])
    user.groups.set(request.groups.all())
    user.user_permissions.set(request.permissions.all())
    transaction.on_commit(lambda: forget_user(user.pk))
