"""What changes by two persons can be refused for."""

from common.errors import Conflict, PermissionDenied


class OwnChange(PermissionDenied):
    """A change is approved by another person than the one who asked for it."""

    code = "own_change"


class ChangeRightsMissing(PermissionDenied):
    """Whoever decides on a change needs the right to make it."""

    code = "change_rights_missing"


class ChangeDecided(Conflict):
    """The change is approved or rejected already. Facts: request_status."""

    code = "change_decided"


class ChangeOutdated(Conflict):
    """The value has changed since the change was asked for. Facts: field."""

    code = "change_outdated"
