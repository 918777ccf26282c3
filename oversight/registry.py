"""Which fields take two persons: each app registers its own, with their bounds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from oversight.types import Bound


@dataclass(frozen=True, slots=True)
class GuardedModel:
    """A table with fields that take two persons.

    `bounds` names the fields; None: one that has no bounds, as a choice. `save` stores a changed
    row and checks its rules. `create` stores a new one, where new rows take two persons.
    """

    model: type[Model]
    bounds: Mapping[str, Bound | None]
    save: Callable[[Any], object]
    create: Callable[[Any], object] | None = None
    label: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.model._meta.label_lower)


_guarded: dict[str, GuardedModel] = {}


def register_guarded(guarded: GuardedModel) -> None:
    """Have fields of a table changed by two persons alone."""
    _guarded[guarded.label] = guarded


def get_guarded(label: str) -> GuardedModel:
    """What is registered of a table, `app.model` in lower case."""
    return _guarded[label]


def list_guarded() -> list[GuardedModel]:
    """All that is registered."""
    return list(_guarded.values())
