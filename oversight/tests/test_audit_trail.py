"""The audit trail: who did what, from where and why; append-only, sealed, erasable."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test import Client

from brokers.models import ApiKey, TradingAccount, User
from brokers.services import create_account, register_broker, revoke_api_key, suspend_account
from exchange_project.tasks import verify_audit_trail
from ledger.models import Alert
from oversight.models import AuditIdentity, AuditRecord, AuditSeal
from oversight.services.sealing import get_audit_head, seal_records, verify_audit_seals

pytestmark = pytest.mark.django_db
AT_ONCE = timedelta(0)


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.com", "password")


@pytest.fixture
def office(root: User) -> Client:
    client = Client(REMOTE_ADDR="203.0.113.9", HTTP_X_REQUEST_ID="request-7")
    client.force_login(root)
    return client


@pytest.fixture
def account() -> TradingAccount:
    broker = register_broker(name="Alpha").broker
    return create_account(broker_id=broker.id, document_number="D1", funding="PREFUNDED")


def act(office: Client, page: str, action: str, row_id: object) -> None:
    sent = {"action": action, "_selected_action": [row_id], "confirmed": "yes"}
    assert office.post(f"/admin/{page}/", sent).status_code == 302


def test_a_record_says_who_when_from_where_and_what(office, root, account):
    act(office, "brokers/tradingaccount", "suspend", account.pk)

    found = AuditRecord.objects.get(action="account.status_changed")
    assert (found.actor, found.request_id) == (f"user:{root.pk}", "request-7")
    assert (found.target, found.target_id) == ("brokers.tradingaccount", str(account.pk))
    assert (found.before, found.after) == ({"status": "ACTIVE"}, {"status": "SUSPENDED"})
    known = {one.token: (one.kind, one.text) for one in AuditIdentity.objects.all()}
    assert known == {
        root.pk: ("NAME", "root@example.com"),
        found.address_token: ("ADDRESS", "203.0.113.9"),
    }


def test_what_a_program_of_the_venue_does_is_the_venues(account):
    suspend_account(account=account)

    found = AuditRecord.objects.get(action="account.status_changed")
    assert (found.actor, found.address_token, found.request_id) == ("venue", None, "")


def test_what_is_rolled_back_leaves_no_record(account):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        suspend_account(account=account)
        raise ZeroDivisionError

    assert not AuditRecord.objects.filter(action="account.status_changed").exists()


def test_pages_without_services_are_noted_too(office):
    office.post("/admin/auth/group/add/", {"name": "Desk"})
    group = Group.objects.get()
    office.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Other desk"})
    office.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})

    made, changed, deleted = AuditRecord.objects.filter(target="auth.group").order_by("id")
    assert (made.action, made.after["name"]) == ("group.created", "Desk")
    assert (changed.before, changed.after) == ({"name": "Desk"}, {"name": "Other desk"})
    assert (deleted.action, deleted.before["name"]) == ("group.deleted", "Other desk")


def test_no_secret_and_no_name_is_in_a_record(office, account):
    created = register_broker(name="Zebra Ltd")
    revoke_api_key(api_key=ApiKey.objects.get(pk=created.api_key.pk))
    office.post(
        "/admin/brokers/user/add/",
        {
            "email": "new@example.com",
            "full_name": "New Person",
            "password1": "long-password-77",
            "password2": "long-password-77",
        },
    )
    assert User.objects.filter(email="new@example.com").exists()

    text = str(list(AuditRecord.objects.values_list("before", "after", "reason", "actor")))
    for secret in (created.secret, "new@example.com", "New Person", "long-password-77"):
        assert secret not in text
    assert "person.created" in AuditRecord.objects.values_list("action", flat=True)


@pytest.mark.parametrize("table", ["oversight_auditrecord", "oversight_auditseal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_refuses_changes(account, table: str, change: str):
    seal_records(lag=AT_ONCE)
    column = "actor" if table.endswith("record") else "hash"

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(table, column, "'x'"))

    assert AuditRecord.objects.exists() and AuditSeal.objects.exists()


def test_names_and_addresses_can_be_erased(office, root, account):
    act(office, "brokers/tradingaccount", "suspend", account.pk)
    seal_records(lag=AT_ONCE)
    page = "/admin/oversight/auditrecord/"
    assert "root@example.com" in office.get(f"{page}?q=203.0.113.9").content.decode()

    for one in AuditIdentity.objects.all():
        office.post(f"/admin/oversight/auditidentity/{one.pk}/delete/", {"post": "yes"})

    AuditIdentity.objects.all().delete()
    result = office.get(f"{page}?action__exact=account.status_changed").context["cl"]
    assert [one.actor for one in result.result_list] == [f"user:{root.pk}"]
    assert [one.finding for one in verify_audit_seals() if one.finding] == []


def test_the_trail_is_read_only_searched_and_exported(office, root, account):
    act(office, "brokers/tradingaccount", "suspend", account.pk)
    page = "/admin/oversight/auditrecord/"
    record = AuditRecord.objects.get(action="account.status_changed")

    assert office.get(f"{page}{record.pk}/change/").status_code == 200
    assert office.post(f"{page}{record.pk}/change/", {"actor": "x"}).status_code == 403
    assert office.get(f"{page}add/").status_code == 403
    for term in (str(root.pk), "root@example.com", "request-7", "203.0.113.9"):
        found = office.get(page, {"q": term}).context["cl"].result_list
        assert record.pk in [one.pk for one in found], term
    assert not office.get(page, {"q": "nobody"}).context["cl"].result_list

    sent = {"action": "export", "_selected_action": [record.pk]}
    exported = b"".join(office.post(page, sent).streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(exported))
    assert (row["action"], row["before"]) == ("account.status_changed", '{"status": "ACTIVE"}')


@pytest.fixture
def sealed(account: TradingAccount) -> None:
    suspend_account(account=account)
    while seal_records(lag=AT_ONCE):
        pass


def without_trigger(statement: str) -> None:
    """What the owner of the tables can do."""
    with connection.cursor() as cursor:
        for switch in ("DISABLE", "ENABLE"):
            cursor.execute(f"ALTER TABLE oversight_auditrecord {switch} TRIGGER USER")
            if switch == "DISABLE":
                cursor.execute(statement)


def test_seals_agree_with_what_they_sealed(sealed):
    assert [one.finding for one in verify_audit_seals() if one.finding] == []
    assert AuditSeal.objects.get().record_count == AuditRecord.objects.count()
    assert get_audit_head() == f"1:{AuditSeal.objects.get().hash}"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE oversight_auditrecord SET actor = 'user:other'",
        "UPDATE oversight_auditrecord SET after = '{}' WHERE action = 'account.status_changed'",
        "DELETE FROM oversight_auditrecord WHERE action = 'account.status_changed'",
        "INSERT INTO oversight_auditrecord (at, actor, request_id, action, target, target_id,"
        " before, after, reason) SELECT min(at), 'x', '', 'x', 'x', 'x', '{}', '{}', ''"
        " FROM oversight_auditrecord",
    ],
)
def test_what_the_owner_of_the_table_changes_is_found(sealed, valkey, statement: str):
    without_trigger(statement)

    assert verify_audit_trail() == 1
    assert Alert.objects.get(kind="audit_broken").severity == "CRITICAL"


def test_seals_go_on_after_the_last_one(sealed, account):
    before = AuditRecord.objects.count()
    register_broker(name="Beta")
    seal_records(lag=AT_ONCE)

    first, second = AuditSeal.objects.order_by("number")
    assert second.previous_hash == first.hash
    assert (first.record_count, second.record_count) == (
        before,
        AuditRecord.objects.count() - before,
    )
    assert [one.finding for one in verify_audit_seals() if one.finding] == []
