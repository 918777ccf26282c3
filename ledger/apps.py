from django.apps import AppConfig

# Teaches psycopg the arrays of the set-based statements, before Django opens a connection.
import common.postgres_arrays  # noqa: F401


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = "Ledger"

    def ready(self) -> None:
        from common.api.idempotency import register_answer_store
        from common.api.problems import register_constraint_errors
        from ledger.errors import CONSTRAINT_ERRORS
        from ledger.guards import register_guards
        from ledger.services.idempotency import answer_once

        register_guards()
        register_constraint_errors(CONSTRAINT_ERRORS)
        register_answer_store(answer_once)
