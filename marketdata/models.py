"""Tables of assets and instruments. Tick, lot and scale never change once an order exists."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from common.limits import PRICE_SYMBOL_LENGTH_MAX
from common.models import TimeStampedModel, money_field, rate_field
from marketdata.types import CandleInterval


class Asset(TimeStampedModel):
    """What the ledger counts: a currency (ISO 4217), a crypto currency or a security."""

    class Kind(models.TextChoices):
        FIAT = "FIAT", "Currency"
        CRYPTO = "CRYPTO", "Crypto currency"
        SECURITY = "SECURITY", "Security"

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=8, choices=Kind)
    scale = models.PositiveSmallIntegerField(
        help_text="Decimal places: USD 4, USDT 6, BTC 8, shares 0.",
        validators=[MinValueValidator(0), MaxValueValidator(8)],
    )

    class Meta:
        constraints = [
            models.CheckConstraint(name="asset_scale_at_most_8", condition=Q(scale__lte=8))
        ]

    def __str__(self) -> str:
        return self.code


class Instrument(TimeStampedModel):
    """What is traded, with its rules. `tick_size × lot_size` is whole in the quote asset."""

    class Kind(models.TextChoices):
        EQUITY = "EQUITY", "Equity"
        SPOT = "SPOT", "Spot"
        PERPETUAL = "PERPETUAL", "Perpetual"

    class State(models.TextChoices):
        PRE_OPEN = "PRE_OPEN", "Pre-open"
        AUCTION = "AUCTION", "Auction"
        CONTINUOUS = "CONTINUOUS", "Continuous"
        HALTED = "HALTED", "Halted"
        CANCEL_ONLY = "CANCEL_ONLY", "Cancel only"
        CLOSED = "CLOSED", "Closed"

    class PriceRule(models.TextChoices):
        SELLER = "SELLER", "Seller's price"
        MAKER = "MAKER", "Resting order's price"

    symbol = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=100, blank=True)
    price_symbol = models.CharField(
        max_length=PRICE_SYMBOL_LENGTH_MAX,
        blank=True,
        default="",
        help_text="What price services call it (PETR4.SA), where that is not the symbol.",
    )
    kind = models.CharField(max_length=9, choices=Kind)
    base_asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    quote_asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    tick_size = money_field(help_text="Smallest step of a price, in the quote asset.")
    lot_size = money_field(help_text="Smallest step of a quantity, in the base asset.")
    min_quantity = money_field(null=True, blank=True)
    max_quantity = money_field(null=True, blank=True)
    min_notional = money_field(null=True, blank=True)
    max_notional = money_field(null=True, blank=True)
    price_band_rate = rate_field(
        null=True,
        blank=True,
        help_text="A limit price further than this share from the last price, of a perpetual from "
        "its mark, is refused.",
    )
    market_collar_rate = rate_field(
        null=True,
        blank=True,
        help_text="A market order trades no further than this share from the best price.",
    )
    # Of perpetuals, and of nothing else.
    initial_margin_rate = rate_field(
        null=True, blank=True, help_text="Share of a position's value that opening it needs."
    )
    maintenance_margin_rate = rate_field(
        null=True, blank=True, help_text="Share below which an account is liquidated."
    )
    mark_jump_limit_rate = rate_field(
        null=True,
        blank=True,
        help_text="A mark further than this share from the one before must be forced.",
    )
    mark_stale_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="An older mark lets nobody take on more risk."
    )
    max_position = money_field(
        null=True, blank=True, help_text="The largest position of an account, either way."
    )
    liquidation_fee_rate = rate_field(
        null=True,
        blank=True,
        help_text="Share of what is closed by force that the insurance fund gets, out of what is "
        "left.",
    )
    liquidation_buffer_rate = rate_field(
        null=True,
        blank=True,
        help_text="A liquidation in parts goes on until equity is this share above the maintenance "
        "margin.",
    )
    funding_interval_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="How often longs and shorts pay each other."
    )
    funding_interest_rate = rate_field(
        null=True, blank=True, help_text="What an interval costs when the book trades at the index."
    )
    funding_cap_rate = rate_field(
        null=True, blank=True, help_text="The largest rate of an interval, either way."
    )
    maker_fee_rate = rate_field(default=0)
    taker_fee_rate = rate_field(default=0)
    price_rule = models.CharField(max_length=6, choices=PriceRule)
    state = models.CharField(max_length=11, choices=State, default=State.CONTINUOUS)
    shard = models.PositiveSmallIntegerField(default=0)
    is_open_listing = models.BooleanField(
        default=False, help_text="Listed by its first order, not by staff."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="instrument_steps_positive", condition=Q(tick_size__gt=0, lot_size__gt=0)
            ),
            models.CheckConstraint(
                name="instrument_two_assets", condition=~Q(base_asset=F("quote_asset"))
            ),
            models.CheckConstraint(
                name="instrument_fee_rates_in_range",
                condition=Q(maker_fee_rate__gt=-1, maker_fee_rate__lt=1)
                & Q(taker_fee_rate__gte=0, taker_fee_rate__lt=1),
            ),
            models.CheckConstraint(
                name="instrument_margin_terms",
                condition=~Q(kind="PERPETUAL")
                & Q(
                    initial_margin_rate__isnull=True,
                    maintenance_margin_rate__isnull=True,
                    mark_jump_limit_rate__isnull=True,
                    mark_stale_seconds__isnull=True,
                    max_position__isnull=True,
                    liquidation_fee_rate__isnull=True,
                    liquidation_buffer_rate__isnull=True,
                    funding_interval_seconds__isnull=True,
                    funding_interest_rate__isnull=True,
                    funding_cap_rate__isnull=True,
                )
                | Q(
                    kind="PERPETUAL",
                    maintenance_margin_rate__gt=0,
                    initial_margin_rate__gt=F("maintenance_margin_rate"),
                    initial_margin_rate__lte=1,
                    mark_jump_limit_rate__gt=0,
                    mark_stale_seconds__gt=0,
                    price_band_rate__gt=0,
                    liquidation_fee_rate__gte=0,
                    liquidation_buffer_rate__gte=0,
                    funding_interval_seconds__gt=0,
                    funding_interest_rate__isnull=False,
                    funding_cap_rate__gte=0,
                ),
            ),
        ]
        indexes = [models.Index(fields=["shard"], name="instrument_of_shard")]

    def __str__(self) -> str:
        return self.symbol


class MarkPrice(models.Model):
    """A mark price of a perpetual: the latest is the one that holds. Written by the engine."""

    class Source(models.TextChoices):
        POSTED = "POSTED", "Posted"
        COMPUTED = "COMPUTED", "Computed"

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    price = money_field()
    source = models.CharField(max_length=8, choices=Source)
    as_of = models.DateTimeField(help_text="Of when the price is.")
    posted_at = models.DateTimeField(help_text="Since when it holds.")
    actor = models.CharField(max_length=100)
    is_forced = models.BooleanField(default=False, help_text="Whether the jump was wanted.")

    class Meta:
        indexes = [models.Index(fields=["instrument", "-id"], name="mark_of_instrument")]
        constraints = [models.CheckConstraint(name="mark_positive", condition=Q(price__gt=0))]

    def __str__(self) -> str:
        return f"{self.price} at {self.as_of}"


class Candle(models.Model):
    """The trades of an instrument on its book in one interval; one without trades has no row."""

    class Interval(models.TextChoices):
        MINUTE = CandleInterval.MINUTE, "1 minute"
        FIVE_MINUTES = CandleInterval.FIVE_MINUTES, "5 minutes"
        HOUR = CandleInterval.HOUR, "1 hour"
        DAY = CandleInterval.DAY, "1 day"

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    interval = models.CharField(max_length=2, choices=Interval)
    opened_at = models.DateTimeField()
    open_price = money_field()
    high_price = money_field()
    low_price = money_field()
    close_price = money_field()
    volume = money_field(help_text="Of the base asset.")
    amount = money_field(help_text="Sum of price × quantity, in the quote asset.")
    trade_count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "interval", "opened_at"], name="candle_once"
            ),
            models.CheckConstraint(
                name="candle_in_its_range",
                condition=Q(
                    low_price__gt=0,
                    low_price__lte=F("open_price"),
                    high_price__gte=F("open_price"),
                )
                & Q(low_price__lte=F("close_price"), high_price__gte=F("close_price"))
                & Q(volume__gt=0, trade_count__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.interval} {self.opened_at}"


class CandleProgress(models.Model):
    """How far the candles of a shard are built; its row is locked by who builds them."""

    shard = models.PositiveSmallIntegerField(primary_key=True)
    built_until = models.DateTimeField(
        null=True, help_text="Every trade of the shard before this is in its candles."
    )

    def __str__(self) -> str:
        return f"shard {self.shard} until {self.built_until}"
