"""The database role of the venue's processes: it writes rows and changes no tables.

Migrations run as the owner of the tables. Whoever owns a table can switch its triggers off; the
application role owns nothing, so the rules that triggers keep (an entry sums to zero, what is
booked is never changed) hold for every process. On append-only tables the role has no right to
change or delete rows in the first place.
"""

from typing import Any

from django.db import connection, transaction
from psycopg import sql

_APPEND_ONLY = """
SELECT c.relname
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE t.tgname LIKE '%\\_append\\_only' AND c.relnamespace = 'public'::regnamespace
 ORDER BY 1
"""
# Rows of it are locked with FOR NO KEY UPDATE, which takes the right to update some column; its
# trigger refuses the update all the same.
_LOCKED = "ledger_journalentry"
_GRANTS = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
)


@transaction.atomic
def grant_application_role(*, name: str, password: str) -> list[str]:
    """Let a role work on all tables, as they are now; return the append-only ones.

    Makes the role where it is missing, which only a superuser can. An empty password leaves that of
    an existing role as it is.
    """
    role, secret = sql.Identifier(name), sql.Literal(password)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(role))
        if password:
            options = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD"
            cursor.execute(sql.SQL(f"ALTER ROLE {{}} {options} {{}}").format(role, secret))
        for grant in _GRANTS:
            cursor.execute(sql.SQL(grant).format(role=role))
        return _protect_append_only(cursor, role)


def _protect_append_only(cursor: Any, role: sql.Identifier) -> list[str]:
    """Take the rights to change and delete what is only ever added to."""
    cursor.execute(_APPEND_ONLY)
    tables = [table for (table,) in cursor.fetchall()]
    for table in tables:
        revoke = sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}")
        cursor.execute(revoke.format(sql.Identifier(table), role))
    cursor.execute(sql.SQL("GRANT UPDATE (id) ON {} TO {}").format(sql.Identifier(_LOCKED), role))
    return tables
