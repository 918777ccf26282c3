"""Empties trading data and ledger: `POST /debug/reset`, where a deployment allows it."""

import logging
from importlib import import_module
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

logger = logging.getLogger(__name__)

# Staff, instruments, and the brokers that were not made by POST /register stay.
_STATEMENTS = (
    """
    TRUNCATE orders_orderkey, orders_requestkey, orders_dealprice, orders_dealresult,
             orders_trade, orders_orderrefusal, orders_order,
             orders_brokernet, orders_averageprice, orders_enginecommand,
             ledger_posting, ledger_entrysource, ledger_journalentry, ledger_ledgeraccount,
             ledger_transfer, ledger_idempotencykey, ledger_conversionquote, ledger_moneyrequest,
             ledger_approval, ledger_seal, ledger_ledgercheck, ledger_alert,
             margin_position, margin_marginaccount, margin_equitysnapshot, marketdata_markprice,
             margin_liquidationstep, margin_liquidation, margin_margincall,
             margin_fundingpayment, margin_funding, margin_premiumsample,
             marketdata_candle, marketdata_candleprogress,
             brokers_webhookdelivery, brokers_tradingstop
    """,
    """
    DELETE FROM brokers_apikey WHERE broker_id IN
           (SELECT id FROM brokers_broker WHERE is_self_registered)
    """,
    """
    DELETE FROM brokers_webhookendpoint WHERE broker_id IN
           (SELECT id FROM brokers_broker WHERE is_self_registered)
    """,
    """
    DELETE FROM brokers_tradingaccount WHERE broker_id IN
           (SELECT id FROM brokers_broker WHERE is_self_registered)
    """,
    """
    DELETE FROM brokers_membership WHERE broker_id IN
           (SELECT id FROM brokers_broker WHERE is_self_registered)
    """,
    "DELETE FROM brokers_broker WHERE is_self_registered",
)


def is_done(connection: psycopg.Connection[Any], command_id: bytes) -> bool:
    """Whether this very command has emptied the venue before."""
    query = "SELECT 1 FROM orders_enginecommand WHERE id = %s::uuid"
    return connection.execute(query, [command_id.hex()]).fetchone() is not None


def empty_tables(connection: psycopg.Connection[Any]) -> None:
    """Run inside the transaction of the reset's batch."""
    for statement in _STATEMENTS:
        connection.execute(statement)


def call_hook() -> bool:
    """Call what settings.RESET_HOOK names, after the COMMIT; whether it did not fail."""
    if not settings.RESET_HOOK:
        return True
    module, _, name = settings.RESET_HOOK.rpartition(".")
    try:
        getattr(import_module(module), name)()
    except Exception:
        logger.exception("the venue is empty, and %s failed", settings.RESET_HOOK)
        return False
    finally:
        connections.close_all()
    return True
