"""The story of a margin account, told by the API of a venue that is started for it.

    make demo-margin

Ada and Dora are long with thin collateral, Ben is short, Cora bids. The mark falls step by step:
margin calls, a liquidation in part on the book, one whole by the insurance fund, and one that comes
too late and costs the fund money; then the fund sells what it took over. Nothing of a running venue
is touched.
"""

import json
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from embedded.trial import TrialVenue, trial_venue

SYMBOL, ASSET = "BTC-PERP", "USDT"
_SECONDS_MAX = 40.0


class Story:
    """Calls the venue as a broker does, and tells what came of it."""

    def __init__(self, venue: TrialVenue, key: str, accounts: dict[str, int]) -> None:
        self._venue = venue
        self._key = key
        self.accounts = accounts

    def call(self, path: str, body: Any = None, *, method: str = "", key: str = "") -> Any:
        """The document that answers a request; a refusal is an error."""
        headers = {
            "Authorization": f"Bearer {key or self._key}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        method = method or ("GET" if body is None else "POST")
        url = f"http://127.0.0.1:{self._venue.port}/api/v1/{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def order(self, name: str, side: str, quantity: str, price: int) -> Any:
        """A limit order of somebody's account."""
        terms = {"symbol": SYMBOL, "side": side, "quantity": quantity, "limit_price": str(price)}
        order = self.call("orders", {"account_id": self.accounts[name], **terms})
        verb = "buys" if side == "BUY" else "sells"
        tell(f"{name} {verb} {quantity} at {price:,}: {order['status']}")
        return order

    def mark(self, price: int) -> None:
        """Let the mark be another, and show how Ada and Dora stand."""
        self.call("mark-price", {"symbol": SYMBOL, "price": str(price)})
        tell(f"\nThe mark is {price:,}.")

    def show(self, name: str) -> None:
        """How an account stands: its collateral against its position."""
        account = self.call(f"margin/accounts/{self.accounts[name]}")["accounts"][0]
        positions = self.call(f"positions/{self.accounts[name]}")["positions"]
        held = [one for one in positions if Decimal(one["quantity"])]
        position = "no position"
        if held:
            liquidation = held[0]["liquidation_price"]
            position = f"{number(held[0]['quantity'])} BTC, liquidated at {money(liquidation)}"
        tell(
            f"  {name}: equity {money(account['equity'])}, maintenance margin "
            f"{money(account['maintenance_margin'])}, {account['risk_level']}; {position}"
        )

    def wait_for_call(self, name: str, level: str) -> None:
        """Wait until an account has been called at a level of the margin ratio."""
        path = f"margin-calls?account_id={self.accounts[name]}"

        def find() -> Any:
            calls = self.call(path)["results"]
            return next((one for one in calls if Decimal(one["level"]) == Decimal(level)), None)

        found = self.wait(find, f"the margin call of {name} at {level}")
        tell(
            f"  Margin call for {name}: the ratio is above {level} "
            f"({money(found['maintenance_margin'])} / {money(found['equity'])})"
        )

    def wait_for_liquidation(self, name: str, count: int) -> Any:
        """Wait for an account's liquidation number `count` and tell its steps."""
        path = f"liquidations?account_id={self.accounts[name]}"

        def find() -> Any:
            found = self.call(path)["results"]
            return found[0] if len(found) >= count else None

        newest = self.wait(find, f"the liquidation of {name}")
        liquidation = self.call(f"liquidations/{newest['id']}")
        tell(f"  {name} is liquidated: {liquidation['outcome']}")
        for step in liquidation["steps"]:
            tell(f"    {describe(step)}")
        tell(f"  The insurance fund: {signed(liquidation['fund_result'])}")
        return liquidation

    def wait(self, find: Callable[[], Any], what: str) -> Any:
        """What `find` finds, as soon as it does; the venue is looked after meanwhile."""
        found: list[Any] = []

        def is_there() -> bool:
            found.append(find())
            return found[-1] is not None

        if not self._venue.supervisor.wait_until(is_there, seconds=_SECONDS_MAX):
            raise SystemExit(f"{what} did not come\n{self._venue.tell()}")
        return found[-1]

    def fund(self) -> Decimal:
        """What the insurance fund has."""
        assets = self.call("trial-balance", key=self._venue.admin_key)["assets"]
        lines = next(one["lines"] for one in assets if one["asset"] == ASSET)
        return next(Decimal(one["net"]) for one in lines if one["kind"] == "INSURANCE")


def describe(step: dict[str, Any]) -> str:
    """A step of a liquidation in one line."""
    number_of = f"{step['number']}. {step['kind']}"
    if step["price"] is not None:
        verb = "sold" if Decimal(step["quantity"]) < 0 else "bought"
        size = number(step["quantity"]).lstrip("-")
        return f"{number_of}: {verb} {size} at {money(step['price'])}"
    if Decimal(step["amount"]):
        return f"{number_of}: {money(step['amount'])}"
    return number_of if step["quantity"] is None else f"{number_of}: {number(step['quantity'])}"


def number(text: str) -> str:
    """A decimal without the zeros at its end."""
    return f"{Decimal(text).normalize():f}"


def money(text: str | None) -> str:
    """An amount to the cent, for the eye."""
    return "nowhere" if text is None else f"{Decimal(text):,.2f}"


def signed(text: str) -> str:
    """A change of an amount to the cent."""
    return f"{Decimal(text):+,.2f}"


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def run(story: Story) -> None:
    """Tell the story from its beginning to its end."""
    tell(f"The insurance fund has {story.fund():,.2f} USDT.")
    story.order("Ben", "SELL", "0.1", 50_000)
    story.order("Ada", "BUY", "0.1", 50_000)
    story.show("Ada")

    for price, level in ((48_000, None), (45_500, "0.8"), (45_000, "0.9")):
        story.mark(price)
        story.show("Ada")
        if level is not None:
            story.wait_for_call("Ada", level)

    bid = story.order("Cora", "BUY", "0.05", 44_000)
    story.mark(44_000)
    story.wait_for_liquidation("Ada", 1)
    story.show("Ada")

    tell("\nCora takes her bid away: nobody buys any more.")
    story.call(f"orders/{bid['id']}", method="DELETE")
    story.mark(42_000)
    story.wait_for_liquidation("Ada", 2)
    story.show("Ada")

    tell("")
    story.order("Ben", "SELL", "0.1", 42_000)
    story.order("Dora", "BUY", "0.1", 42_000)
    story.show("Dora")
    story.mark(38_500)
    story.show("Dora")
    tell("\nThen it falls so far at once that Dora owes money.")
    story.mark(31_000)
    story.wait_for_liquidation("Dora", 1)
    story.show("Dora")

    before = story.fund()
    tell(f"\nThe insurance fund has {before:,.2f} USDT, and 0.1859 BTC to get rid of.")
    story.order("Cora", "BUY", "0.2", 31_000)
    after = story.wait(
        lambda: None if (now := story.fund()) == before else now, "a sale by the fund"
    )
    tell(f"  It sells them to Cora at the mark, and has {after:,.2f} USDT.")
    story.show("Cora")


def main() -> None:
    """Start a venue, tell the story, check its books, stop it."""
    tell("Starting a venue for the story …")
    with trial_venue(environ={"WEB_WORKERS": "1"}) as venue:
        cast = json.loads(venue.manage("prepare_margin_story").splitlines()[-1])
        run(Story(venue, cast["key"], cast["accounts"]))
        tell(f"\nThe books: {venue.manage('check_ledger').splitlines()[-1]}")


if __name__ == "__main__":
    main()
