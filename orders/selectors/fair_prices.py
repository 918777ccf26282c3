"""Prices of the venue's own market that move other people's money, and what counts for them.

The rule: no single party makes such a price. A party is the person who owns an account, else its
broker, which can open as many accounts as it likes.

- Impact prices (funding premiums, computed marks, the `book` price service) are averages over
  `IMPACT_NOTIONAL` of resting orders, best first, of which each party gives at most half.
- A last trade counts if two parties made it, it is worth a tenth of that, and it is recent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from common.ids import first_uuid_from
from marketdata.types import InstrumentSpec
from orders.calculations import impact_price
from orders.models import Order, Side, Trade
from orders.selectors.trades import list_trades

_DUST_SHARE = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class ImpactPrices:
    """What a minimum notional of a book costs on each side; None where too few offer too little."""

    bid: Decimal | None
    ask: Decimal | None

    @property
    def middle(self) -> Decimal | None:
        """Between the two; None where one is missing."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2


def get_impact_notional(asset: str) -> Decimal:
    """How much of a quote asset an impact price averages over."""
    notional: Decimal = settings.IMPACT_NOTIONAL_OF.get(asset, settings.IMPACT_NOTIONAL)
    return notional


def get_impact_prices(spec: InstrumentSpec) -> ImpactPrices:
    """The impact prices of one book."""
    return list_impact_prices([spec])[spec.id]


def list_impact_prices(specs: Sequence[InstrumentSpec]) -> dict[int, ImpactPrices]:
    """The impact prices of some books, by instrument, as the database has them."""
    offers: dict[tuple[int, str], list[tuple[Decimal, Decimal, UUID]]] = {}
    for instrument_id, side, price, party, quantity in _open_quantities(specs):
        offers.setdefault((instrument_id, side), []).append((price, quantity, party))
    prices = {}
    for spec in specs:
        notional = get_impact_notional(spec.quote_asset)
        bids = sorted(offers.get((spec.id, Side.BUY), []), reverse=True)
        asks = sorted(offers.get((spec.id, Side.SELL), []))
        prices[spec.id] = ImpactPrices(impact_price(bids, notional), impact_price(asks, notional))
    return prices


def find_independent_trade(spec: InstrumentSpec, *, since: datetime) -> Trade | None:
    """The last trade on the book since then between two parties, and not of dust."""
    dust = get_impact_notional(spec.quote_asset) * _DUST_SHARE
    trades = list_trades(spec.id).filter(id__gte=first_uuid_from(since), notional__gte=dust)
    between = trades.annotate(buyer=_party_of("buy_account"), seller=_party_of("sell_account"))
    return between.exclude(buyer=F("seller")).order_by("-id").first()


def _open_quantities(specs: Sequence[InstrumentSpec]) -> Any:
    """Instrument, side, price, party and open quantity of what rests and has not expired."""
    resting = Order.objects.filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=timezone.now()),
        instrument_id__in=[spec.id for spec in specs],
        status__in=Order.OPEN_STATUSES,
        limit_price__isnull=False,
    )
    by_party = resting.annotate(party=_party_of("account")).values_list(
        "instrument_id", "side", "limit_price", "party"
    )
    return by_party.annotate(open_quantity=Sum(F("quantity") - F("filled_quantity"))).order_by()


def _party_of(account: str) -> Coalesce:
    return Coalesce(f"{account}__owner_id", f"{account}__broker_id")
