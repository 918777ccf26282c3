from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = "Ledger"

    def ready(self) -> None:
        from common.api.problems import register_constraint_errors
        from ledger.errors import CONSTRAINT_ERRORS

        register_constraint_errors(CONSTRAINT_ERRORS)
