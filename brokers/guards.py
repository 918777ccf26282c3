"""The credit of brokers and accounts, which takes two persons, and its bounds."""

from decimal import Decimal

from brokers.models import Broker, TradingAccount
from brokers.services.accounts import create_account
from brokers.services.brokers import store_broker
from brokers.types import CREDIT_MAX
from oversight.registry import GuardedModel, register_guarded
from oversight.types import Bound


def register_guards() -> None:
    """Have the credit that a broker's accounts get, and new accounts, take two persons."""
    register_guarded(
        GuardedModel(
            model=Broker,
            bounds={
                "default_funding": None,
                "default_credit_limit": Bound(Decimal(0), CREDIT_MAX, Decimal(10)),
            },
            save=store_broker,
        )
    )
    register_guarded(
        GuardedModel(
            model=TradingAccount,
            bounds={"funding": None, "credit_limit": Bound(Decimal(0), CREDIT_MAX)},
            save=_refuse,
            create=_create_account,
        )
    )


def _create_account(row: TradingAccount) -> TradingAccount:
    return create_account(
        broker_id=row.broker_id,
        document_number=row.document_number,
        funding=row.funding,
        credit_limit=row.credit_limit,
        is_sandbox=row.is_sandbox,
    )


def _refuse(row: TradingAccount) -> None:
    raise AssertionError("funding and credit of an account never change")
