"""Changes that take two persons: asked for by one, with a reason, and applied by another one.

What waits changes nothing. At the approval the row must still be as it was when the change was
asked for, and the bounds are looked at again.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models, transaction
from django.utils import timezone

from common.database import retry_on_conflict
from common.errors import FieldError, ValidationFailed
from common.limits import LINE_LENGTH_MAX
from common.money import plain
from common.texts import check_text
from oversight.calculations import bound_errors
from oversight.errors import ChangeDecided, ChangeOutdated, ChangeRightsMissing, OwnChange
from oversight.models import ChangeRequest
from oversight.registry import GuardedModel, get_guarded
from oversight.services.records import record
from oversight.types import FieldChange

_Status = ChangeRequest.Status
_REPR_MAX = 200


class _Rehearsed(Exception):
    """A change was tried; it is rolled back."""


def list_changes(
    guarded: GuardedModel, row: models.Model, wanted: Mapping[str, Any]
) -> dict[str, FieldChange]:
    """The guarded fields of `row` that `wanted` gives another value; of a new row, all fields."""
    is_new = row._state.adding
    names = wanted if is_new else [name for name in guarded.bounds if name in wanted]
    changes = {}
    for name in names:
        old = None if is_new else as_text(getattr(row, name))
        new = as_text(wanted[name])
        if old != new:
            changes[name] = FieldChange(old, new, _shown(wanted[name]))
    return changes


def check_bounds(guarded: GuardedModel, changes: Mapping[str, FieldChange]) -> None:
    """See that the new numbers are not absurd.

    Raises:
        ValidationFailed: names every number that is out of its bounds, or too far from the old one.
    """
    errors: list[FieldError] = []
    for name, change in changes.items():
        bound = guarded.bounds.get(name)
        if bound is not None:
            errors += bound_errors(name, bound, old=_number(change.old), new=_number(change.new))
    if errors:
        raise ValidationFailed(" ".join(error.detail for error in errors), errors=errors)


def check_change(*, row: models.Model, changes: Mapping[str, FieldChange]) -> None:
    """See that a change could be applied now: it is, and is rolled back.

    Raises:
        ValidationFailed: a number is out of its bounds.
        ExchangeError: what storing the row is refused for.
    """
    guarded = get_guarded(row._meta.label_lower)
    check_bounds(guarded, changes)
    try:
        with transaction.atomic():
            _apply_to(guarded, "" if row._state.adding else str(row.pk), changes)
            raise _Rehearsed
    except _Rehearsed:
        return


@retry_on_conflict
@transaction.atomic
def request_change(
    *,
    row: models.Model,
    changes: Mapping[str, FieldChange],
    requested_by: UUID,
    reason: str,
) -> ChangeRequest:
    """Ask that a row, or a new one, get these values; another person decides.

    Raises:
        ValidationFailed: no reason is given, or a number is out of its bounds.
    """
    check_text("reason", reason, max_length=LINE_LENGTH_MAX, min_length=1)
    label = row._meta.label_lower
    check_change(row=row, changes=changes)
    request = ChangeRequest.objects.create(
        target=label,
        object_id="" if row._state.adding else str(row.pk),
        object_repr=str(row)[:_REPR_MAX],
        changes={
            name: {"old": one.old, "new": one.new, "shown": one.shown}
            for name, one in changes.items()
        },
        reason=reason,
        requested_by=requested_by,
    )
    _record(request, "change.requested", f"user:{requested_by}", reason)
    return request


@retry_on_conflict
@transaction.atomic
def approve_change(*, request_id: int, user_id: UUID) -> ChangeRequest:
    """Apply what another person has asked for.

    Raises:
        ChangeDecided: it is approved or rejected already.
        OwnChange: this person asked for it.
        ChangeRightsMissing: this person may not make such a change.
        ChangeOutdated: a value is no longer the one that was to be replaced.
        ValidationFailed: the row would break a rule.
    """
    request = _lock_open(request_id)
    if user_id == request.requested_by:
        raise OwnChange()
    _check_rights(request, user_id)
    row = _apply(request)
    request.object_id = str(row.pk)
    _decide(request, _Status.APPROVED, user_id, "")
    _record(request, "change.approved", f"user:{user_id}", request.reason)
    return request


@retry_on_conflict
@transaction.atomic
def reject_change(*, request_id: int, user_id: UUID, note: str = "") -> ChangeRequest:
    """Refuse a change, or take one's own back.

    Raises:
        ChangeDecided: it is approved or rejected already.
        ChangeRightsMissing: this person may not make such a change.
    """
    request = _lock_open(request_id)
    _check_rights(request, user_id)
    _decide(request, _Status.REJECTED, user_id, note)
    _record(request, "change.rejected", f"user:{user_id}", note)
    return request


def as_text(value: Any) -> str | None:
    """A value of a field as it is kept; None: empty."""
    if value is None:
        return None
    if isinstance(value, models.Model):
        return str(value.pk)
    return plain(value) if isinstance(value, Decimal) else str(value)


def _lock_open(request_id: int) -> ChangeRequest:
    request = ChangeRequest.objects.select_for_update(no_key=True).get(pk=request_id)
    if request.status != _Status.REQUESTED:
        raise ChangeDecided(request_status=request.status)
    return request


def _check_rights(request: ChangeRequest, user_id: UUID) -> None:
    app, _, model = request.target.partition(".")
    verb = "change" if request.object_id else "add"
    user: Any = get_user_model().objects.get(pk=user_id)
    if not user.has_perm(f"{app}.{verb}_{model}"):
        raise ChangeRightsMissing()


def _apply(request: ChangeRequest) -> models.Model:
    guarded = get_guarded(request.target)
    changes = {name: FieldChange(**one) for name, one in request.changes.items()}
    check_bounds(guarded, changes)
    return _apply_to(guarded, request.object_id, changes)


def _apply_to(
    guarded: GuardedModel, object_id: str, changes: Mapping[str, FieldChange]
) -> models.Model:
    if object_id:
        rows = guarded.model._default_manager.select_for_update(no_key=True)
        row = rows.get(pk=object_id)
        for name, change in changes.items():
            if as_text(getattr(row, name)) != change.old:
                raise ChangeOutdated(field=name)
        _set(row, changes)
        guarded.save(row)
        return row
    assert guarded.create is not None, "only tables whose new rows are guarded get such requests"
    row = guarded.model()
    _set(row, changes)
    created = guarded.create(row)
    return created if isinstance(created, models.Model) else row


def _set(row: models.Model, changes: Mapping[str, FieldChange]) -> None:
    for name, change in changes.items():
        field: Any = row._meta.get_field(name)
        target = field.target_field if field.is_relation else field
        setattr(row, field.attname, None if change.new is None else target.to_python(change.new))


def _decide(request: ChangeRequest, status: "_Status", user_id: UUID, note: str) -> None:
    request.status, request.decided_by, request.note = status, user_id, note
    request.decided_at = timezone.now()
    request.save(update_fields=["status", "decided_by", "decided_at", "note", "object_id"])


def _record(request: ChangeRequest, action: str, actor: str, reason: str) -> None:
    """The audit trail names the row itself, where there is one."""
    record(
        action=action,
        target=request,
        before={name: change["old"] for name, change in request.changes.items()},
        after={
            "target": f"{request.target} {request.object_id or 'new'}",
            **{name: change["new"] for name, change in request.changes.items()},
        },
        reason=reason,
        actor=actor,
    )


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    return str(value) if isinstance(value, models.Model) else str(as_text(value))
