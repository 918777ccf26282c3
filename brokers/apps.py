from django.apps import AppConfig


class BrokersConfig(AppConfig):
    name = "brokers"
    verbose_name = "Brokers"

    def ready(self) -> None:
        from brokers.errors import CONSTRAINT_ERRORS
        from brokers.guards import register_guards
        from common.api.problems import register_constraint_errors

        register_constraint_errors(CONSTRAINT_ERRORS)
        register_guards()
