"""Who takes part in a story, and the table in which it states every balance."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.test import Client

from brokers.models import User
from brokers.services import create_account, create_api_key
from brokers.tests.people import PASSWORD
from common.ids import new_uuid
from exchange_project.reconciliation import check_venue
from ledger.models import LedgerAccount
from ledger.services import deposit
from marketdata.services import create_asset, create_instrument
from orders.tests.fixtures import Api, register

HEADER = ["who", "asset", "posted", "held", "available"]
_VENUE = {kind.label: kind for kind in LedgerAccount.Kind if kind not in LedgerAccount.CLIENT_KINDS}


@dataclass(frozen=True)
class Party:
    """Somebody with an account and a way to call the venue."""

    name: str
    api: Api
    account_id: int

    def wallet(self, currency: str) -> int:
        """The id of the own wallet in a currency, opened where it is missing."""
        found = self.api.get("/wallets", currency=currency, account_id=self.account_id).json()
        if found["results"]:
            return int(found["results"][0]["id"])
        body = {"currency": currency, "account_id": self.account_id}
        return int(done(self.api.post("/wallets", body))["id"])


class Books:
    """The books of a venue as a story tells them."""

    def __init__(self) -> None:
        self._parties: dict[str, Party] = {}

    def client(self, name: str) -> Party:
        """A new client who must have the money first, of a broker of the same name."""
        broker = register(name, default_funding="PREFUNDED").broker
        account = create_account(broker_id=broker.id, document_number="1")
        key = create_api_key(
            broker_id=broker.id, name="story", scopes=["read", "trade", "transfer"]
        )
        return self._know(Party(name, Api(key.secret, "/api/v1"), account.id))

    def person(self, name: str) -> Party:
        """Somebody who registers with an email address and logs in."""
        anybody, email = Api(None, "/api/v1"), email_of(name)
        given = {"email": email, "password": PASSWORD}
        person = done(anybody.post("/auth/register", given))
        token = done(anybody.post("/auth/token", given))["access"]
        return self._know(Party(name, Api(token, "/api/v1"), person["account"]["id"]))

    def expect(self, table: str) -> None:
        """Assert that these are all the balances there are; the table itself must sum to zero.

        Clients see theirs over HTTP; of the venue's accounts only what is posted is told.
        """
        header, *rows = [
            [cell.strip() for cell in line.split("|")]
            for line in table.splitlines()
            if line.strip()
        ]
        assert header == HEADER
        totals: dict[str, Decimal] = {}
        for _, asset, posted, *_ in rows:
            totals[asset] = totals.get(asset, Decimal(0)) + Decimal(posted)
        assert not any(totals.values()), f"the story's own table does not balance: {totals}"
        assert sorted(rows) == sorted(self._rows())
        assert [one for one in check_venue(shown_max=1) if one.difference_count] == []

    def _rows(self) -> list[list[str]]:
        rows = []
        for party in self._parties.values():
            for one in done(party.api.get(f"/accounts/{party.account_id}/balances"))["balances"]:
                amounts = [one["posted_balance"], one["held_amount"], one["available_balance"]]
                if amounts != ["0", "0", "0"]:
                    rows.append([party.name, one["asset"], *amounts])
        venue = LedgerAccount.objects.filter(kind__in=_VENUE.values()).values("kind", "asset__code")
        for one in venue.annotate(posted=Sum("posted_balance")).exclude(posted=0):
            kind = LedgerAccount.Kind(one["kind"])
            rows.append(
                [kind.label, one["asset__code"], f"{one['posted']:f}".rstrip("0").rstrip(".")]
            )
        return rows

    def _know(self, party: Party) -> Party:
        self._parties[party.name] = party
        return party


class Officer:
    """A person of staff in the back office."""

    def __init__(self, name: str) -> None:
        self._office = Client()
        self._office.force_login(User.objects.create_superuser(email_of(name), PASSWORD))

    def approve(self, request_id: str) -> str:
        """Press the button; what the page says then."""
        return self._press(f"moneyrequest/{request_id}/approve/", note="seen")

    def ask_for_reversal(self, entry_id: str, why: str) -> str:
        """Ask that an entry be reversed; the id of the request."""
        self._press(f"journalentry/{entry_id}/ask-for-reversal/", note=why)
        return self._newest_request()

    def ask_for_adjustment(self, ledger_account_id: int, amount: str, why: str) -> str:
        """Ask that a balance be corrected by a signed amount; the id of the request."""
        path = f"ledgeraccount/{ledger_account_id}/ask-for-adjustment/"
        self._press(path, amount=amount, note=why)
        return self._newest_request()

    def _press(self, path: str, **form: str) -> str:
        answer = self._office.post(f"/admin/ledger/{path}", form, follow=True)
        assert answer.status_code == 200, answer
        return " ".join(str(message) for message in answer.context["messages"])

    def _newest_request(self) -> str:
        queue = self._office.get("/admin/ledger/moneyrequest/").context["cl"].queryset
        return str(max(request.id for request in queue))


def email_of(name: str) -> str:
    """The address of a person of a story."""
    return f"{name.lower()}@example.test"


def done(answer: Any) -> Any:
    """The document of a call that succeeded."""
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def refused(answer: Any) -> tuple[int, str]:
    """Status and code of a call that was refused."""
    return answer.status_code, answer.json()["code"]


def bring_shares(party: Party, symbol: str, quantity: str) -> None:
    """Book shares that a client brought along."""
    deposit(
        account_id=party.account_id,
        asset=symbol,
        amount=Decimal(quantity),
        source_id=new_uuid(),
        actor="test",
    )


def list_acme() -> None:
    """A share in dollars that costs a tenth of a percent on either side."""
    create_asset(code="USD", kind="FIAT", scale=4)
    create_asset(code="ACME", kind="SECURITY", scale=0)
    create_instrument(
        symbol="ACME",
        kind="EQUITY",
        base="ACME",
        quote="USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
        price_rule="MAKER",
        maker_fee_rate=Decimal("0.001"),
        taker_fee_rate=Decimal("0.001"),
        shard=0,
    )
