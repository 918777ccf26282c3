from django.apps import AppConfig


class ExchangeProjectConfig(AppConfig):
    name = "exchange_project"
    verbose_name = "Bourse"

    def ready(self) -> None:
        """Register the checks."""
        from exchange_project import checks  # noqa: F401
