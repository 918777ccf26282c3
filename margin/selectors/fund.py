"""Where the insurance fund's money is: one ledger account of the venue for each quote asset."""

from django.db.models import Min

from ledger.types import AccountKind, VenueAccount
from margin.errors import NoPerpetuals
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
