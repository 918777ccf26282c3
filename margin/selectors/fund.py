"""What the insurance fund has: money, in one ledger account of the venue for each quote asset, and
the positions that it has taken over."""

from django.db.models import Min

from brokers.selectors import find_account
from brokers.types import HOUSE_BROKER_ID, INSURANCE_DOCUMENT
from ledger.types import AccountKind, VenueAccount
from margin.errors import NoPerpetuals
from margin.selectors.accounts import PositionAtMark, list_positions
from marketdata.models import Asset, Instrument


def get_fund_account(asset: Asset) -> VenueAccount:
    """The fund's ledger account, which the engine of the asset's perpetuals pays from.

    Perpetuals that share a quote asset share a shard.

    Raises:
        NoPerpetuals: there are none in this asset.
    """
    perpetuals = Instrument.objects.filter(kind=Instrument.Kind.PERPETUAL, quote_asset=asset)
    shard = perpetuals.aggregate(shard=Min("shard"))["shard"]
    if shard is None:
        raise NoPerpetuals(asset=asset.code)
    return VenueAccount(AccountKind.INSURANCE, asset.id, shard)


def list_fund_accounts() -> list[VenueAccount]:
    """The fund's ledger accounts, one for each quote asset of perpetuals."""
    perpetuals = Instrument.objects.filter(kind=Instrument.Kind.PERPETUAL)
    shards = perpetuals.values_list("quote_asset_id").annotate(shard=Min("shard"))
    return [VenueAccount(AccountKind.INSURANCE, asset, shard) for asset, shard in shards.order_by()]


def list_fund_positions() -> list[PositionAtMark]:
    """What the fund has taken over and not closed yet, by symbol."""
    fund = find_account(broker_id=HOUSE_BROKER_ID, document_number=INSURANCE_DOCUMENT)
    return [] if fund is None else [one for one in list_positions(fund.id) if one.quantity]
