"""How the OpenAPI document of `/api/v1` and the classic dialect is made."""

from typing import Any

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Bourse",
    "DESCRIPTION": "A stock and derivatives exchange with a broker back office.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api.schema.describe_usual_refusals",
    ],
    "TAGS": [
        {"name": "brokers and keys", "description": "Brokers, and the keys of their programs."},
        {"name": "people", "description": "Log in by email address and password; tokens."},
        {"name": "accounts", "description": "Trading accounts of a broker's clients."},
        {"name": "webhooks", "description": "Where events are delivered, and what became of them."},
        {"name": "orders", "description": "Place, cancel and look at orders and their fills."},
        {"name": "market data", "description": "Instruments, books, trades and prices."},
        {"name": "money", "description": "Balances, wallets, transfers, deposits, conversions."},
        {"name": "margin", "description": "Perpetuals: positions, collateral, mark prices."},
        {"name": "classic", "description": "The root paths: whole cents, `bid` and `ask`."},
    ],
    "ENUM_NAME_OVERRIDES": {
        "Funding": "brokers.models.Funding",
        "BrokerStatus": "brokers.models.Broker.Status",
        "AccountStatus": "brokers.models.TradingAccount.Status",
        "DeliveryStatus": "brokers.selectors.DELIVERY_STATUSES",
        "InstrumentKind": "marketdata.models.Instrument.Kind",
        "MoneyRequestStatus": "ledger.models.MoneyRequest.Status",
        "TransferStatus": "ledger.api.transfer_schema._STATUSES",
        "TransferReason": "ledger.api.transfer_schema._REASONS",
        "ClientAccountKind": "ledger.api.schema._CLIENT_KINDS",
        "Side": "orders.models.Side",
        "OrderType": "orders.models.Order.Type",
        "OrderStatus": "orders.models.Order.Status",
    },
}
