"""The audit trail and its seals are append-only, whoever writes."""

from django.db import migrations

_FORWARD = """
CREATE FUNCTION oversight_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'oversight_append_only';
END $$;
CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE ON oversight_auditrecord
    FOR EACH ROW EXECUTE FUNCTION oversight_refuse_change();
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON oversight_auditseal
    FOR EACH ROW EXECUTE FUNCTION oversight_refuse_change();
"""
_BACKWARD = """
DROP TRIGGER audit_seal_append_only ON oversight_auditseal;
DROP TRIGGER audit_record_append_only ON oversight_auditrecord;
DROP FUNCTION oversight_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("oversight", "0001_initial")]

    operations = [migrations.RunSQL(_FORWARD, _BACKWARD)]
