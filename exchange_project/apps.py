from django.apps import AppConfig


class ExchangeProjectConfig(AppConfig):
    name = "exchange_project"
    verbose_name = "Bourse"
