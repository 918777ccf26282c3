from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = "Orders"

    def ready(self) -> None:
        """Let the venue's own market be a price service."""
        from marketdata.providers import add_provider
        from orders.providers import BookProvider

        add_provider(BookProvider())
