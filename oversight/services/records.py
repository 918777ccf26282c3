"""The audit trail: one record for each thing that staff, or the venue's admin key, did."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Model

from common.ids import new_uuid
from common.limits import LINE_LENGTH_MAX
from oversight.models import AuditIdentity, AuditRecord
from oversight.origin import get_origin

_TEXT_MAX = 254


def record(
    *,
    action: str,
    target: Model,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    actor: str = "",
) -> None:
    """Note an action in the caller's transaction: both are there, or neither is.

    Who, from where and in which request follows from the present request; `actor` is for what a
    program of the venue does for somebody. `before` and `after` hold values of fields, but no
    names, addresses or secrets.
    """
    record_all(
        action=action,
        target=target._meta.label_lower,
        afters={target.pk: after or {}},
        before=before,
        reason=reason,
        actor=actor,
    )


def record_all(
    *,
    action: str,
    target: str,
    afters: Mapping[Any, Mapping[str, Any]],
    before: Mapping[str, Any] | None = None,
    reason: str = "",
    actor: str = "",
) -> None:
    """Note the same action for several rows of a table (`app.model`), by their ids."""
    origin = get_origin()
    who = origin.actor or actor or "venue"
    _keep_name(who, origin.name)
    address_token = _address_token(origin.address)
    AuditRecord.objects.bulk_create(
        AuditRecord(
            actor=who,
            address_token=address_token,
            request_id=origin.request_id,
            action=action,
            target=target,
            target_id=str(row_id),
            before=_texts(before),
            after=_texts(after),
            reason=reason[:LINE_LENGTH_MAX],
        )
        for row_id, after in afters.items()
    )


def _texts(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Numbers as exact text, everything else as JSON has it."""
    return {
        name: value if value is None or isinstance(value, bool | int | list) else str(value)
        for name, value in (values or {}).items()
    }


def _keep_name(actor: str, name: str) -> None:
    kind, _, own_id = actor.partition(":")
    if kind == "user" and name:
        AuditIdentity.objects.get_or_create(
            token=UUID(own_id),
            defaults={"kind": AuditIdentity.Kind.NAME, "text": name[:_TEXT_MAX]},
        )


def _address_token(address: str) -> UUID | None:
    """The token of an address: the same one each time, until it is erased."""
    if not address:
        return None
    identity, _ = AuditIdentity.objects.get_or_create(
        kind=AuditIdentity.Kind.ADDRESS,
        text=address[:_TEXT_MAX],
        defaults={"token": new_uuid()},
    )
    return identity.token
