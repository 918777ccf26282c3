"""Rights of staff: nobody gets more of them alone, whatever they may change."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.test import Client
from django.urls import reverse

from brokers.errors import OwnRights, RightsNotHeld, RightsRequestDecided
from brokers.models import StaffRightsRequest, User
from brokers.services import log_in, refresh_tokens
from brokers.services.mails import send_password_reset_mail
from brokers.services.rights import approve_rights, reject_rights, request_rights
from brokers.tests.factories import AccountFactory, CreatedKeyFactory, UserFactory
from common.errors import NotAuthenticated

pytestmark = pytest.mark.django_db

PASSWORD = "a-long-test-password"


def permission(name: str) -> Permission:
    app, _, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def make_staff(*permissions: str, is_superuser: bool = False) -> User:
    user = UserFactory.create()
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=is_superuser)
    user.user_permissions.set([permission(one) for one in permissions])
    return User.objects.get(pk=user.pk)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(model: str, page: str, *arguments: object, app: str = "brokers") -> str:
    return reverse(f"admin:{app}_{model}_{page}", args=arguments)


def act(user: User, model: str, action: str, row: Any) -> Any:
    data = {"action": action, "_selected_action": str(row.pk), "confirmed": "yes"}
    return browser(user).post(url(model, "changelist"), data, follow=True)


def picture(user: User) -> tuple[Any, ...]:
    """What nobody may change alone."""
    now = User.objects.get(pk=user.pk)
    return (
        now.is_staff,
        now.is_superuser,
        now.email,
        now.password,
        now.status,
        set(now.groups.values_list("pk", flat=True)),
        set(now.user_permissions.values_list("pk", flat=True)),
    )


@pytest.fixture
def clerk() -> User:
    """Who may see and change people, and nothing else."""
    return make_staff("brokers.view_user", "brokers.change_user", "auth.view_group")


@pytest.fixture
def root() -> User:
    return make_staff(is_superuser=True)


# --- what "can change user" does not do -----------------------------------------------------------


@pytest.mark.parametrize(
    "forged",
    [
        {"is_superuser": "on"},
        {"is_staff": "on"},
        {"groups": "1"},
        {"user_permissions": "1"},
        {"is_superuser": ""},
    ],
)
@pytest.mark.parametrize("whose", ["own", "others", "person"])
@pytest.mark.parametrize("who", ["clerk", "root"])
def test_the_page_of_a_person_grants_nothing(
    clerk: User, root: User, forged: dict[str, str], whose: str, who: str
) -> None:
    caller = {"clerk": clerk, "root": root}[who]
    target = {"own": caller, "others": make_staff(), "person": UserFactory.create()}[whose]
    before = picture(target)
    page = url("user", "change", target.pk)
    assert 'name="is_superuser"' not in browser(caller).get(page).content.decode()

    data = {"email": target.email, "full_name": "Eve", **forged}
    assert browser(caller).post(page, data).status_code == 403

    assert picture(target) == before
    assert User.objects.get(pk=target.pk).full_name == ""


@pytest.mark.parametrize("who", ["clerk", "root"])
def test_the_address_of_staff_does_not_change(clerk: User, root: User, who: str) -> None:
    caller = {"clerk": clerk, "root": root}[who]
    target = make_staff()
    before = picture(target)

    answer = browser(caller).post(
        url("user", "change", target.pk), {"email": "eve@example.test", "full_name": "Eve"}
    )

    assert answer.status_code == 403
    assert picture(target) == before


def test_what_is_no_right_may_be_changed(clerk: User) -> None:
    target, person = make_staff(), UserFactory.create()
    for one in (target, person):
        answer = browser(clerk).post(
            url("user", "change", one.pk), {"email": one.email, "full_name": "Ada"}
        )
        assert answer.status_code == 302
        assert User.objects.get(pk=one.pk).full_name == "Ada"


@pytest.mark.parametrize("who", ["clerk", "root"])
def test_no_form_sets_the_password_of_staff(clerk: User, root: User, who: str) -> None:
    caller = {"clerk": clerk, "root": root}[who]
    for target in (make_staff(), caller):
        page = reverse("admin:auth_user_password_change", args=[target.pk])
        before = picture(target)
        data = {"password1": "other-words-9", "password2": "other-words-9"}
        assert browser(caller).get(page).status_code == 403
        assert browser(caller).post(page, data).status_code == 403
        assert picture(target) == before
        shown = browser(caller).get(url("user", "change", target.pk)).content.decode()
        assert "argon2" not in shown and page not in shown


def test_staff_have_a_token_mailed(
    clerk: User, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    target = make_staff()
    queued: list[tuple[Any, ...]] = []
    monkeypatch.setattr("brokers.services.mails._queue", lambda *given: queued.append(given))

    with django_capture_on_commit_callbacks(execute=True):
        act(clerk, "user", "mail_password", target)

    assert queued == [("brokers.tasks.mail_password_reset", target.email)]
    send_password_reset_mail(target.email)
    assert mail.outbox[-1].to == [target.email]


@pytest.mark.parametrize("action", ["suspend", "close", "activate"])
def test_suspending_people_takes_a_permission_of_its_own(clerk: User, action: str) -> None:
    person = UserFactory.create()
    before = picture(person)
    act(clerk, "user", action, person)
    assert picture(person) == before

    officer = make_staff("brokers.view_user", "brokers.stop_user")
    act(officer, "user", action, person)
    assert picture(person)[4] == {"suspend": "SUSPENDED", "close": "CLOSED"}.get(action, "ACTIVE")


def test_nobody_stops_the_own_login_and_few_a_superusers(root: User) -> None:
    officer = make_staff("brokers.view_user", "brokers.stop_user")
    for caller, target in ((officer, officer), (officer, root), (root, root)):
        page = act(caller, "user", "suspend", target)
        assert "Nobody suspends" in page.content.decode()
        assert picture(target)[4] == "ACTIVE"
    act(root, "user", "suspend", make_staff(is_superuser=True))
    assert User.objects.filter(status="SUSPENDED").count() == 1


# --- groups ---------------------------------------------------------------------------------------


def test_a_group_is_named_by_superusers_and_filled_by_two_persons(root: User) -> None:
    member = make_staff("auth.view_group", "auth.change_group", "auth.add_group")
    group = Group.objects.create(name="Clerks")
    member.groups.add(group)
    page = url("group", "change", group.pk, app="auth")
    wanted = str(permission("brokers.change_user").pk)

    for caller in (member, root):
        forged = browser(caller).post(page, {"name": "Clerks", "permissions": wanted})
        assert forged.status_code == 403
        assert not group.permissions.exists()
    assert browser(member).post(page, {"name": "Lords"}).status_code == 403
    assert browser(member).get(url("group", "add", app="auth")).status_code == 403
    assert browser(root).post(page, {"name": "Lords"}).status_code == 302
    assert Group.objects.get().name == "Lords"


# --- two persons ----------------------------------------------------------------------------------


def ask(caller: User, **rights: Any) -> StaffRightsRequest:
    return request_rights(requested_by=caller.pk, reason="joins the desk", **rights)


def test_staff_rights_take_two_persons_and_a_new_password(
    root: User, django_capture_on_commit_callbacks: Any
) -> None:
    person = UserFactory.create()
    pair = log_in(email=person.email, password=PASSWORD)
    group = Group.objects.create(name="Clerks")
    second = make_staff(is_superuser=True)
    before = picture(person)

    request = ask(root, user_id=person.pk, is_staff=True, group_ids=[group.pk])
    assert (request.status, picture(person)) == ("REQUESTED", before)
    with pytest.raises(OwnRights):
        approve_rights(request_id=request.pk, user_id=root.pk)
    with pytest.raises(OwnRights):
        approve_rights(request_id=request.pk, user_id=person.pk)
    assert picture(person) == before

    with django_capture_on_commit_callbacks() as callbacks:
        done = approve_rights(request_id=request.pk, user_id=second.pk)

    assert (done.status, done.decided_by, done.requested_by) == ("APPROVED", second, root)
    is_staff, is_superuser, email, password, _, groups, _ = picture(person)
    assert (is_staff, is_superuser, groups, email) == (True, False, {group.pk}, person.email)
    # Whoever made the login does not know the password any more.
    assert password != before[3] and len(callbacks) >= 2
    with pytest.raises(NotAuthenticated):
        log_in(email=person.email, password=PASSWORD)
    with pytest.raises(NotAuthenticated):
        refresh_tokens(refresh=pair.refresh)
    with pytest.raises(RightsRequestDecided):
        approve_rights(request_id=request.pk, user_id=second.pk)


def test_nobody_grants_what_they_do_not_have(root: User) -> None:
    person = UserFactory.create()
    held = make_staff("brokers.view_user")
    group = Group.objects.create(name="Clerks")
    group.permissions.add(permission("brokers.stop_user"))
    stop = permission("brokers.stop_user").pk
    for rights in ({"is_superuser": True}, {"permission_ids": [stop]}, {"group_ids": [group.pk]}):
        count = StaffRightsRequest.objects.count()
        with pytest.raises(RightsNotHeld):
            ask(held, user_id=person.pk, is_staff=True, **rights)
        assert StaffRightsRequest.objects.count() == count
        request = ask(root, user_id=person.pk, is_staff=True, **rights)
        with pytest.raises(RightsNotHeld):
            approve_rights(request_id=request.pk, user_id=held.pk)
        request.refresh_from_db()
        assert request.status == "REQUESTED"
    with pytest.raises(RightsNotHeld):
        ask(held, group_id=group.pk, permission_ids=[stop, permission("brokers.change_user").pk])
    assert picture(person)[:2] == (False, False)

    view = permission("brokers.view_user").pk
    request = ask(held, user_id=person.pk, is_staff=True, permission_ids=[view])
    approve_rights(request_id=request.pk, user_id=make_staff("brokers.view_user").pk)
    assert picture(person)[0] and picture(person)[6] == {view}


def test_taking_rights_away_takes_one_person(root: User) -> None:
    target = make_staff("brokers.view_user", "brokers.stop_user", is_superuser=True)
    password = target.password
    view = permission("brokers.view_user").pk

    done = ask(root, user_id=target.pk, is_staff=True, permission_ids=[view])

    assert done.status == "APPROVED"
    assert picture(target)[:2] == (True, False) and picture(target)[6] == {view}
    assert picture(target)[3] == password


def test_a_groups_permissions_take_two_persons_who_are_not_in_it(root: User) -> None:
    group = Group.objects.create(name="Clerks")
    member = make_staff(is_superuser=True)
    member.groups.add(group)
    wanted = permission("brokers.stop_user")
    request = ask(root, group_id=group.pk, permission_ids=[wanted.pk])
    with pytest.raises(OwnRights):
        approve_rights(request_id=request.pk, user_id=member.pk)
    assert not group.permissions.exists()

    approve_rights(request_id=request.pk, user_id=make_staff(is_superuser=True).pk)

    assert list(group.permissions.all()) == [wanted]
    assert ask(root, group_id=group.pk).status == "APPROVED"
    assert not group.permissions.exists()


def test_a_request_is_rejected(root: User) -> None:
    person = UserFactory.create()
    request = ask(root, user_id=person.pk, is_staff=True)

    reject_rights(request_id=request.pk, user_id=make_staff().pk, note="not here")

    with pytest.raises(RightsRequestDecided):
        approve_rights(request_id=request.pk, user_id=make_staff(is_superuser=True).pk)
    assert not picture(person)[0]


def test_rights_are_asked_for_and_granted_on_pages(root: User) -> None:
    person, second = UserFactory.create(), make_staff(is_superuser=True)
    group = Group.objects.create(name="Clerks")
    data = {
        "user": str(person.pk), "is_staff": "on", "groups": [group.pk], "reason": "joins",
    }  # fmt: skip
    assert browser(root).get(url("staffrightsrequest", "add")).status_code == 200
    nonsense = browser(root).post(url("staffrightsrequest", "add"), {**data, "group": group.pk})
    assert "Choose a person or a group" in nonsense.content.decode()

    browser(root).post(url("staffrightsrequest", "add"), data)
    request = StaffRightsRequest.objects.get()
    assert (request.requested_by, list(request.groups.all())) == (root, [group])
    act(root, "staffrightsrequest", "approve", request)
    assert not picture(person)[0]
    act(second, "staffrightsrequest", "approve", request)

    assert picture(person)[0] and picture(person)[5] == {group.pk}
    shown = browser(root).get(url("staffrightsrequest", "change", request.pk))
    assert "joins" in shown.content.decode()
    assert browser(make_staff()).get(url("staffrightsrequest", "add")).status_code == 403


# --- keys and accounts ----------------------------------------------------------------------------


def test_the_owner_of_an_account_does_not_change(root: User) -> None:
    account = AccountFactory.create()
    browser(root).post(url("tradingaccount", "change", account.pk), {"owner": str(root.pk)})
    account.refresh_from_db()
    assert account.owner is None


def test_nobody_approves_a_key_of_their_own(root: User) -> None:
    maker = make_staff("brokers.view_apikey", "brokers.add_apikey", "brokers.approve_apikey")
    broker = AccountFactory.create().broker
    data = {"broker": broker.pk, "name": "made", "scopes": ["read", "transfer"]}
    browser(maker).post(url("apikey", "add"), data)
    key = broker.api_keys.get(name="made")
    assert (key.made_by, key.waits_for_approval) == (maker, True)

    assert "another member of staff" in act(maker, "apikey", "approve", key).content.decode()
    key.refresh_from_db()
    assert key.waits_for_approval
    act(root, "apikey", "approve", key)
    key.refresh_from_db()
    assert not key.waits_for_approval
    assert "waits for no approval" in act(root, "apikey", "approve", key).content.decode()
    of_broker = CreatedKeyFactory.create().api_key
    assert (of_broker.made_by, of_broker.waits_for_approval) == (None, False)
