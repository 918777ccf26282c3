"""`python -m tests.faults.accounts`: lists the shares and opens the funded account of the tests.

Runs in the environment of a trial venue and prints one line of JSON: the key of a prefunded
broker and the id of its account, which owns plenty of money and of every share.
"""

import json
from decimal import Decimal

SHARES = ("KILL", "STOP", "CALM")
_FEE_RATES = {"maker_fee_rate": Decimal("0.0002"), "taker_fee_rate": Decimal("0.0005")}


def prepare() -> dict[str, object]:
    """Make what the tests trade with."""
    from brokers.services import create_account, register_broker
    from marketdata.services import create_asset, create_instrument

    create_asset(code="USD", kind="FIAT", scale=4)
    for symbol in SHARES:
        create_asset(code=symbol, kind="SECURITY", scale=0)
        create_instrument(
            symbol=symbol,
            kind="EQUITY",
            base=symbol,
            quote="USD",
            tick_size=Decimal("0.01"),
            lot_size=Decimal(1),
            price_rule="SELLER",
            shard=0,
            **_FEE_RATES,
        )
    registered = register_broker(name="Prefunded", default_funding="PREFUNDED")
    account = create_account(broker_id=registered.broker.id, document_number="1")
    for asset in ("USD", *SHARES):
        _deposit(account.id, asset)
    return {"key": registered.secret, "account_id": account.id}


def _deposit(account_id: int, asset: str) -> None:
    from common.ids import new_uuid
    from ledger.services import deposit

    deposit(
        account_id=account_id,
        asset=asset,
        amount=Decimal(10_000_000),
        source_id=new_uuid(),
        actor="fault tests",
    )


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(prepare()))
