from django.apps import AppConfig


class BrokersConfig(AppConfig):
    name = "brokers"
    verbose_name = "Brokers"

    def ready(self) -> None:
        from brokers.errors import CONSTRAINT_ERRORS
        from common.api.problems import register_constraint_errors

        register_constraint_errors(CONSTRAINT_ERRORS)
