"""The demo: loaded once, funded again after a reset, its keys kept out of the database."""

import io
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from brokers.models import ApiKey, Broker, TradingAccount, User
from brokers.services import authenticate_key, create_account, register_broker
from exchange_project.demo import fund_demo
from exchange_project.demo.data import BROKERS
from exchange_project.demo.keys import read_keys
from ledger.models import ConversionRate, JournalEntry, LedgerAccount
from ledger.selectors import find_net_rate, list_balances
from marketdata.models import Asset, Instrument
from marketdata.selectors import get_instrument_spec

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys_file(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "state" / "demo_keys.json"
    settings.DEMO_KEYS_FILE = str(path)
    settings.ADMIN_EMAIL = "admin@example.com"
    settings.ADMIN_PASSWORD = "a-long-password-of-staff"
    return path


def load(*arguments: str) -> str:
    output = io.StringIO()
    call_command("load_demo", *arguments, stdout=output)
    return output.getvalue()


def test_account_1_is_what_the_documents_say() -> None:
    load()

    account = TradingAccount.objects.get(id=1)
    assert (account.broker.name, account.funding) == ("Retail", "PREFUNDED")
    balances = {(b.asset, str(b.kind)): b.posted_balance for b in list_balances(1)}
    assert balances["USD", "CASH"] == Decimal(100_000)
    assert balances["USDT", "MARGIN"] == Decimal(10_000)
    assert balances["AAPL", "SECURITY"] == Decimal(100)
    principal = authenticate_key("test-api-key-123")
    assert (principal.broker_name, principal.account_id) == ("Retail", 1)
    assert principal.scopes == {"read", "trade", "transfer", "book", "marks"}


def test_the_insurance_fund_has_money_in_it() -> None:
    load()
    load()

    fund = LedgerAccount.objects.get(kind="INSURANCE")
    perpetual = Instrument.objects.get(symbol="BTC-PERP")
    assert (fund.asset, fund.shard) == (perpetual.quote_asset, perpetual.shard)
    assert fund.posted_balance == Decimal(100_000)


def test_the_next_account_after_account_1_is_another_one() -> None:
    load()

    broker = Broker.objects.get(name="Alpha Securities")
    assert create_account(broker_id=broker.id, document_number="7").id > 1


def test_the_brokers_can_log_in_with_the_keys_of_the_file(keys_file: Path) -> None:
    output = load()

    keys = read_keys(keys_file)
    assert set(keys) == {broker.name for broker in BROKERS}
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    for name, key in keys.items():
        assert authenticate_key(key).broker_name == name
        assert key in output
    assert not ApiKey.objects.filter(key_hash__in=keys.values()).exists()
    assert "a-long-password-of-staff" not in output
    fundings = dict(Broker.objects.values_list("name", "default_funding"))
    assert fundings == {
        "Retail": "PREFUNDED",
        "Alpha Securities": "CREDIT",
        "Beta Brokerage": "CREDIT",
        "Delta Simulated": "PREFUNDED",
        "Gamma Capital": "PREFUNDED",
    }


def test_the_instruments_are_listed_with_their_rules() -> None:
    load()

    assert Instrument.objects.count() == 13
    share, spot, perpetual = map(get_instrument_spec, ("AAPL", "BTC-USDT", "BTC-PERP"))
    assert (share.kind, share.quote_asset, share.price_rule) == ("EQUITY", "USD", "SELLER")
    assert (share.maker_fee_rate, share.taker_fee_rate) == (Decimal(0), Decimal(0))
    assert (spot.kind, spot.quote_asset, spot.price_rule) == ("SPOT", "USDT", "MAKER")
    assert (spot.maker_fee_rate, spot.taker_fee_rate) == (Decimal("0.0002"), Decimal("0.0005"))
    assert (perpetual.kind, perpetual.state) == ("PERPETUAL", "CONTINUOUS")
    scales = dict(Asset.objects.values_list("code", "scale"))
    assert (scales["USD"], scales["USDT"], scales["BTC"], scales["AAPL"]) == (4, 6, 8, 0)


def test_currencies_convert_at_rates_that_staff_may_change() -> None:
    load()
    usd, eur = (Asset.objects.get(code=code).id for code in ("USD", "EUR"))
    assert find_net_rate(eur, usd) == Decimal("1.0978")
    ConversionRate.objects.filter(base=eur, quote=usd).update(base=usd, quote=eur, rate=Decimal(1))
    count = ConversionRate.objects.count()

    load()

    assert (ConversionRate.objects.count(), find_net_rate(usd, eur)) == (count, Decimal("0.998"))
    assert {"GBP", "BRL", "USDT", "BTC", "ETH"} <= set(
        ConversionRate.objects.values_list("base__code", flat=True)
    ) | set(ConversionRate.objects.values_list("quote__code", flat=True))


def test_no_way_round_through_the_demos_currencies_gains() -> None:
    load()
    rates = {(rate.base_id, rate.quote_id) for rate in ConversionRate.objects.all()}
    ways = rates | {(quote, base) for base, quote in rates}
    for first, second in ways:
        for third in {to for begun, to in ways if begun == second and (to, first) in ways}:
            product = Decimal(1)
            for there, here in ((first, second), (second, third), (third, first)):
                product *= find_net_rate(there, here) or Decimal(0)
            assert product < 1


def test_the_first_member_of_staff_is_made_and_left_alone() -> None:
    load()
    staff = User.objects.get(email="admin@example.com")
    assert staff.is_superuser
    assert staff.check_password("a-long-password-of-staff")
    staff.set_password("one-of-their-own-choice")
    staff.save(update_fields=["password"])

    load()

    assert User.objects.get().check_password("one-of-their-own-choice")


def test_loading_again_changes_nothing(
    keys_file: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = load()
    keys = keys_file.read_text()
    entries = set(JournalEntry.objects.values_list("id", flat=True))

    with django_assert_max_num_queries(500):
        assert load() == first

    assert keys_file.read_text() == keys
    assert set(JournalEntry.objects.values_list("id", flat=True)) == entries
    assert (Broker.objects.count(), TradingAccount.objects.count()) == (5, 7)
    assert load("--show") == first


def test_a_lost_file_gives_new_keys_and_ends_the_old_ones(keys_file: Path) -> None:
    load()
    old = read_keys(keys_file)
    keys_file.unlink()

    load()

    new = read_keys(keys_file)
    assert new["Retail"] == old["Retail"] == "test-api-key-123"
    for name in ("Alpha Securities", "Beta Brokerage", "Gamma Capital"):
        assert new[name] != old[name]
        assert authenticate_key(new[name]).broker_name == name
        assert ApiKey.objects.filter(broker__name=name, revoked_at__isnull=True).count() == 1


@pytest.mark.parametrize("content", ["", "[]", '{"Retail": 1}', "no json"])
def test_a_broken_file_is_as_a_lost_one(keys_file: Path, content: str) -> None:
    load()
    keys_file.write_text(content)

    load()

    assert len(read_keys(keys_file)) == 5


def _balances() -> set[tuple[object, ...]]:
    fields = ("trading_account_id", "asset__code", "kind", "posted_balance")
    return set(LedgerAccount.objects.values_list(*fields))


def test_after_a_reset_the_demo_is_funded_anew() -> None:
    load()
    amounts = _balances()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE ledger_posting, ledger_journalentry, ledger_ledgeraccount CASCADE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    assert fund_demo() == JournalEntry.objects.count() > 0
    assert fund_demo() == 0
    again = _balances()
    assert again == amounts


def test_without_a_loaded_demo_nothing_is_funded() -> None:
    register_broker(name="Retail", is_self_registered=True)

    assert fund_demo() == 0
    assert not JournalEntry.objects.exists()


def test_without_demo_nothing_is_made(settings: Settings) -> None:
    settings.DEMO = False

    with pytest.raises(CommandError, match="DEMO is off"):
        load()

    assert fund_demo() == 0
    assert not Broker.objects.exists()


def test_an_account_1_of_somebody_else_is_left_alone() -> None:
    broker = register_broker(name="Somebody").broker
    account = create_account(broker_id=broker.id, document_number="1")
    TradingAccount.objects.filter(id=account.id).update(id=1)

    with pytest.raises(CommandError, match="somebody else"):
        load()

    assert TradingAccount.objects.get(id=1).broker == broker
