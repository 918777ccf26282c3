"""What margin refuses: one class per broken rule."""

from common.errors import Conflict, ExchangeError, NotFound


class MarginAccountRequired(ExchangeError):
    """Only prefunded accounts have collateral. Facts: account_id."""

    code = "margin_account_required"
    status = 422


class NotCollateralAsset(ExchangeError):
    """No perpetual is quoted in this asset, so it is no collateral. Facts: asset."""

    code = "not_collateral_asset"
    status = 422


class MarginAccountFrozen(ExchangeError):
    """The collateral is frozen: none of it moves out. Facts: account_id, asset."""

    code = "margin_account_frozen"
    status = 422


class MarkPriceStale(ExchangeError):
    """A mark price is too old to say what is free. Facts: symbol, as_of."""

    code = "mark_price_stale"
    status = 422


class InsufficientFreeCollateral(ExchangeError):
    """Positions and open orders need the collateral. Facts: required, available."""

    code = "insufficient_free_collateral"
    status = 422


class MarginAccountNotFrozen(Conflict):
    """The collateral is not frozen. Facts: account_id, asset."""

    code = "margin_account_not_frozen"


class MarginAccountFrozenAlready(Conflict):
    """The collateral is frozen already. Facts: account_id, asset, reason."""

    code = "margin_account_frozen_already"


class HouseAccount(ExchangeError):
    """The venue's own accounts are never frozen. Facts: account_id."""

    code = "house_account"
    status = 422


class NoPerpetuals(ExchangeError):
    """There are no perpetuals in this quote asset. Facts: asset."""

    code = "no_perpetuals"
    status = 422


class LiquidationNotFound(NotFound):
    """There is no such liquidation."""

    code = "liquidation_not_found"
