"""Changes by two persons and the audit trail in the back office."""

from oversight.admin.changes import ChangeRequestAdmin
from oversight.admin.trail import AuditIdentityAdmin, AuditRecordAdmin, AuditSealAdmin

__all__ = ["AuditIdentityAdmin", "AuditRecordAdmin", "AuditSealAdmin", "ChangeRequestAdmin"]
