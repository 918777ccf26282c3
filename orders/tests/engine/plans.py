"""Random plans for the engine: what arrives in which batch, as Hypothesis draws it."""

from dataclasses import dataclass, field
from decimal import Decimal as D

from hypothesis import strategies as st

from brokers.models import TradingAccount
from common.ids import new_uuid
from marketdata.models import Asset, Instrument
from orders.commands import AnyCommand, ExpireDue
from orders.matching.types import OrderType, Side, TimeInForce
from orders.tests.engine.harness import REPLY_TO, Harness, fund, make_account

STEP = 1_000_000


@dataclass(frozen=True)
class Place:
    """An order of an account for an instrument; `lasts` in steps of the clock, 0: no end."""

    account: int
    book: int
    side: Side
    price: int | None
    quantity: int
    is_ioc: bool
    lasts: int
    key: int | None
    # Refused by the database when everything is written: the whole batch is taken back.
    is_bad: bool


@dataclass(frozen=True)
class Cancel:
    """Cancel one of the orders so far, counted from the newest back, for its owner or not."""

    back: int
    is_foreign: bool


@dataclass(frozen=True)
class Repeat:
    """Send one of the commands so far once more."""

    back: int


@dataclass(frozen=True)
class Batch:
    """What arrives together; before it the clock moves on and the engine may be started anew."""

    actions: tuple[Place | Cancel | Repeat, ...]
    steps: int
    restarts: bool


def weighted(choices: dict[object, int]) -> st.SearchStrategy:
    """One of the keys, as often as their weights say."""
    return st.sampled_from([key for key, weight in choices.items() for _ in range(weight)])


places = st.builds(
    Place,
    account=st.integers(0, 3),
    book=st.integers(0, 1),
    side=st.sampled_from(Side),
    price=weighted({**dict.fromkeys(range(97, 104), 3), None: 2}),
    quantity=st.integers(1, 9),
    is_ioc=weighted({False: 9, True: 1}),
    lasts=weighted({0: 6, 1: 1, 2: 1}),
    key=weighted({None: 12, 0: 1, 1: 1, 2: 1}),
    is_bad=weighted({False: 40, True: 1}),
)
cancels = st.builds(Cancel, st.integers(0, 12), weighted({False: 4, True: 1}))
repeats = st.builds(Repeat, st.integers(0, 12))
actions = st.one_of(places, places, places, places, places, cancels, repeats)
batches = st.builds(
    Batch,
    actions=st.lists(actions, min_size=6, max_size=20).map(tuple),
    steps=st.integers(0, 2),
    restarts=weighted({False: 2, True: 1}),
)
plans = st.lists(batches, min_size=3, max_size=6)


@dataclass
class World:
    """Two instruments with fees and four accounts of all kinds of funding."""

    books: list[Instrument]
    accounts: list[TradingAccount]
    sent: list[AnyCommand] = field(default_factory=list)
    owners: dict[bytes, TradingAccount] = field(default_factory=dict)

    def fund(self) -> None:
        for account, money, shares in zip(
            self.accounts, (None, "20", None, "1000"), (None, "15", None, None), strict=True
        ):
            if money:
                fund(account, "USD", money)
            for book in self.books if shares else ():
                fund(account, book.base_asset.code, shares or "")

    def commands(self, harness: Harness, batch: Batch) -> list[AnyCommand]:
        """The commands of a batch; they are remembered for later ones."""
        first = len(self.sent)
        for action in batch.actions:
            command = self._command(harness, action)
            if command is not None:
                self.sent.append(command)
        return self.sent[first:] or [ExpireDue(new_uuid().bytes, REPLY_TO)]

    def _command(self, harness: Harness, action: Place | Cancel | Repeat) -> AnyCommand | None:
        if isinstance(action, Place):
            return self._place(harness, action)
        if isinstance(action, Repeat):
            return self.sent[-1 - action.back] if action.back < len(self.sent) else None
        if action.back >= len(self.owners):
            return None
        order_id = list(self.owners)[-1 - action.back]
        owner = self.owners[order_id]
        if action.is_foreign:
            owner = self.accounts[self.accounts.index(owner) - 1]
        return harness.cancel_command(owner, order_id)

    def _place(self, harness: Harness, action: Place) -> AnyCommand:
        account = self.accounts[action.account]
        key = None if action.key is None else f"key {action.key}"
        is_resting = action.price is not None and not action.is_ioc
        command = harness.place_command(
            account,
            action.side,
            action.quantity,
            action.price,
            instrument_id=self.books[action.book].id,
            order_type=OrderType.MARKET if action.price is None else OrderType.LIMIT,
            time_in_force=TimeInForce.GTC if is_resting else TimeInForce.IOC,
            valid_until=harness.clock() + action.lasts * STEP if action.lasts else None,
            client_order_id="bad" * 30 if action.is_bad else key,
            window_ms=600_000,
        )
        self.owners[command.command_id] = account
        return command


def make_world(number: int) -> World:
    """Fresh instruments and accounts beside those that are there."""
    usd, _ = Asset.objects.get_or_create(code="USD", defaults={"kind": "FIAT", "scale": 4})
    books = [
        _instrument(f"S{number}", usd, "SELLER", "0.0013", "0.0021"),
        _instrument(f"M{number}", usd, "MAKER", "-0.0005", "0.00255"),
    ]
    accounts = [
        make_account(name="unlimited"),
        make_account("PREFUNDED", name="prefunded"),
        make_account(limit=D("7.5"), name="limited"),
        make_account("PREFUNDED", name="money only"),
    ]
    return World(books, accounts)


def _instrument(symbol: str, usd: Asset, rule: str, maker: str, taker: str) -> Instrument:
    share = Asset.objects.create(code=symbol, kind="SECURITY", scale=0)
    return Instrument.objects.create(
        symbol=symbol,
        kind="EQUITY",
        base_asset=share,
        quote_asset=usd,
        tick_size=D("0.01"),
        lot_size=D(1),
        price_rule=rule,
        maker_fee_rate=D(maker),
        taker_fee_rate=D(taker),
        market_collar_rate=D("0.03"),
    )
