"""Tables of orders, trades and the engine. Facts: written by the engine, read by everybody.

Orders and trades have time-ordered ids (`common.ids`), so that the tables can be partitioned by id.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from brokers.models import Broker, TradingAccount
from common.models import money_field, rate_field
from marketdata.models import Instrument
from orders.result_models import DealPrice as DealPrice
from orders.result_models import DealResult as DealResult
from orders.result_models import OrderRefusal as OrderRefusal


class Side(models.TextChoices):
    BUY = "BUY", "Buy"
    SELL = "SELL", "Sell"


class Venue(models.TextChoices):
    """Where something is traded: a dealer or booked trade has the venue on the other side.

    A forced one is a liquidation's, be it on the book: it makes no market price.
    """

    BOOK = "BOOK", "Order book"
    DEALER = "DEALER", "Dealer"
    EXTERNAL = "EXTERNAL", "Booked execution"
    FORCED = "FORCED", "Liquidation or deleveraging"


class Order(models.Model):
    """An order as it stood after the last committed batch. `sequence` is its time priority.

    Only those of the book are the engine's; services decide the others, whose sequence is zero.
    """

    class Type(models.TextChoices):
        LIMIT = "LIMIT", "Limit"
        MARKET = "MARKET", "Market"

    class TimeInForce(models.TextChoices):
        GTC = "GTC", "Good till canceled"
        GTD = "GTD", "Good till date"
        IOC = "IOC", "Immediate or cancel"

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"
        OPEN = "OPEN", "Open"
        PARTIALLY_FILLED = "PARTIALLY_FILLED", "Partially filled"
        FILLED = "FILLED", "Filled"
        CANCELED = "CANCELED", "Canceled"
        EXPIRED = "EXPIRED", "Expired"
        REJECTED = "REJECTED", "Rejected"

    OPEN_STATUSES = (Status.OPEN, Status.PARTIALLY_FILLED)

    id = models.UUIDField(primary_key=True)
    # That account and instrument are there is checked once a statement by a trigger; a foreign key
    # would check it once a row (docs/adr/0011).
    account = models.ForeignKey(
        TradingAccount,
        on_delete=models.PROTECT,
        related_name="orders",
        db_constraint=False,
        db_index=False,
    )
    # Follows from the account; kept here so that a broker's orders are one index range.
    broker = models.ForeignKey(
        Broker, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    instrument = models.ForeignKey(
        Instrument,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    client_order_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001
    venue = models.CharField(max_length=8, choices=Venue, default=Venue.BOOK, db_default=Venue.BOOK)
    side = models.CharField(max_length=4, choices=Side)
    order_type = models.CharField(max_length=10, choices=Type)
    time_in_force = models.CharField(max_length=3, choices=TimeInForce)
    limit_price = money_field(null=True, blank=True)
    quantity = money_field()
    filled_quantity = money_field(default=0)
    valid_until = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status)
    reason = models.CharField(max_length=40, blank=True, default="")
    hold_amount = money_field(
        default=0, help_text="Set aside for what is open: quote asset of a buy, base of a sell."
    )
    margin_reserve = money_field(
        default=0,
        db_default=0,
        help_text="Of a perpetual: what the open rest would lose by the mark of its arrival.",
    )
    maker_fee_rate = rate_field(default=0)
    taker_fee_rate = rate_field(default=0)
    maker_notional = money_field(default=0)
    taker_notional = money_field(default=0)
    maker_fee = money_field(default=0)
    taker_fee = money_field(default=0)
    sequence = models.BigIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "-id"], name="order_of_account"),
            models.Index(fields=["broker", "-id"], name="order_of_broker"),
            models.Index(
                fields=["instrument", "sequence"],
                name="order_open",
                condition=Q(status__in=["OPEN", "PARTIALLY_FILLED"]),
            ),
            # Few of a broker's orders are open, and they may be its oldest.
            models.Index(
                fields=["broker", "-id"],
                name="order_open_of_broker",
                condition=Q(status__in=["OPEN", "PARTIALLY_FILLED"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="order_filled_within_quantity",
                condition=Q(quantity__gt=0, filled_quantity__gte=0)
                & Q(filled_quantity__lte=F("quantity")),
            ),
            models.CheckConstraint(
                name="order_hold_only_while_open",
                condition=Q(hold_amount=0)
                | Q(hold_amount__gt=0, status__in=["PENDING", "OPEN", "PARTIALLY_FILLED"]),
            ),
            models.CheckConstraint(
                name="order_reserve_only_while_open",
                condition=Q(margin_reserve=0)
                | Q(margin_reserve__gt=0, status__in=["OPEN", "PARTIALLY_FILLED"]),
            ),
            models.CheckConstraint(
                name="order_filled_means_all",
                condition=~Q(status="FILLED") | Q(filled_quantity=F("quantity")),
            ),
            # What rests is loaded by the engine; what is pending waits to be booked.
            models.CheckConstraint(
                name="order_rests_on_book_only",
                condition=Q(venue="BOOK") & ~Q(status="PENDING")
                | ~Q(venue="BOOK") & ~Q(status__in=["OPEN", "PARTIALLY_FILLED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.id}"


class OrderKey(models.Model):
    """The claim of an order on its `client_order_id`: one order for one key of an account."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    client_order_id = models.CharField(max_length=64)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "client_order_id"], name="order_key_once")
        ]

    def __str__(self) -> str:
        return self.client_order_id


class RequestKey(models.Model):
    """The claim of an order on an Idempotency-Key: one order for one key of its owner.

    `key` and `fingerprint` are digests: of the owner and the key, and of the request.
    """

    key = models.UUIDField(primary_key=True)
    fingerprint = models.UUIDField()
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["created_at"], name="request_key_by_time")]

    def __str__(self) -> str:
        return str(self.key)


class Trade(models.Model):
    """One match with both halves; `Fill` is the view of one half.

    A dealer or booked trade has an order on the client's side only. `sequence` counts the events of
    an engine; trades that services make have zero.
    """

    id = models.UUIDField(primary_key=True)
    # That instrument and orders are there is checked once a statement by a trigger.
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    venue = models.CharField(max_length=8, choices=Venue, default=Venue.BOOK)
    price = money_field()
    quantity = money_field()
    notional = money_field(help_text="price × quantity, in the quote asset.")
    buy_order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_index=False,
        db_constraint=False,
    )
    sell_order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_index=False,
        db_constraint=False,
    )
    # These two follow from the orders; kept here for the fills of an account.
    buy_account = models.ForeignKey(
        TradingAccount,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_index=False,
        db_constraint=False,
    )
    sell_account = models.ForeignKey(
        TradingAccount,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_index=False,
        db_constraint=False,
    )
    buy_fee = money_field(default=0)
    sell_fee = money_field(default=0)
    taker_side = models.CharField(max_length=4, choices=Side)
    sequence = models.BigIntegerField()
    executed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["instrument", "-id"], name="trade_of_instrument"),
            models.Index(fields=["buy_order"], name="trade_of_buy_order"),
            models.Index(fields=["sell_order"], name="trade_of_sell_order"),
            models.Index(fields=["buy_account", "-id"], name="trade_of_buy_account"),
            models.Index(fields=["sell_account", "-id"], name="trade_of_sell_account"),
        ]
        constraints = [
            models.CheckConstraint(
                name="trade_amounts_positive",
                condition=Q(price__gt=0, quantity__gt=0, notional__gt=0),
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} @ {self.price}"


class AveragePrice(models.Model):
    """What an account paid on average for a holding, after the first `account_version` postings.

    A point from which reading goes on, so that no read begins at the first trade.
    """

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="+")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    account_version = models.BigIntegerField()
    average_price = models.DecimalField(max_digits=48, decimal_places=18, null=True)
    realized_profit = models.DecimalField(
        max_digits=48, decimal_places=18, default=0, help_text="Of all sales so far, before fees."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "instrument"], name="average_price_once")
        ]

    def __str__(self) -> str:
        return f"{self.average_price}"


class Fill(models.Model):
    """One account's half of a trade: a database view over `Trade` (migrations 0002 and 0007).

    Every half that an order stands for, and both of a forced trade, which may have none.
    """

    class Role(models.TextChoices):
        MAKER = "MAKER", "Maker"
        TAKER = "TAKER", "Taker"

    id = models.CharField(max_length=41, primary_key=True, help_text="Trade id and side.")
    trade = models.ForeignKey(Trade, on_delete=models.DO_NOTHING, related_name="fills")
    order = models.ForeignKey(Order, on_delete=models.DO_NOTHING, related_name="fills", null=True)
    account = models.ForeignKey(TradingAccount, on_delete=models.DO_NOTHING, related_name="+")
    instrument = models.ForeignKey(Instrument, on_delete=models.DO_NOTHING, related_name="+")
    counter_account = models.ForeignKey(
        TradingAccount, on_delete=models.DO_NOTHING, related_name="+", null=True
    )
    side = models.CharField(max_length=4, choices=Side)
    liquidity_role = models.CharField(max_length=5, choices=Role)
    price = money_field()
    quantity = money_field()
    notional = money_field()
    fee = money_field()
    executed_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "orders_fill"

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} @ {self.price}"


class BrokerNet(models.Model):
    """Sold minus bought on the book, without fees, per broker, shard and quote asset."""

    broker = models.ForeignKey(Broker, on_delete=models.PROTECT, related_name="+")
    shard = models.PositiveSmallIntegerField()
    asset = models.ForeignKey("marketdata.Asset", on_delete=models.PROTECT, related_name="+")
    net_amount = money_field(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broker", "shard", "asset"], name="broker_net_once")
        ]

    def __str__(self) -> str:
        return f"{self.net_amount}"


class EngineShard(models.Model):
    """The checkpoint of a shard and its fence: a batch commits only under its own epoch."""

    shard = models.PositiveSmallIntegerField(primary_key=True)
    epoch = models.BigIntegerField(default=0, help_text="Raised by every new leader.")
    last_id = models.CharField(max_length=40, default="0-0", help_text="Last stream id done.")
    next_sequence = models.BigIntegerField(default=1)
    batch_time = models.BigIntegerField(default=0, help_text="Microseconds since 1970, UTC.")
    starts = models.PositiveSmallIntegerField(
        default=0, help_text="Starts since the last committed batch."
    )

    def __str__(self) -> str:
        return f"shard {self.shard}, epoch {self.epoch}"


class EngineHeartbeat(models.Model):
    """When the leader of a shard last showed that it lives."""

    shard = models.PositiveSmallIntegerField(primary_key=True)
    epoch = models.BigIntegerField()
    holder = models.CharField(max_length=100, help_text="Host and process id.")
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"shard {self.shard} at {self.beat_at}"


class EngineCommand(models.Model):
    """A command that is no order, with its result: it acts once, however often it arrives."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=20)
    result = models.CharField(max_length=40)
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
