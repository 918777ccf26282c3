"""People who log in with an email address, and the rights of those who are staff."""

from typing import Any

import rest_framework_simplejwt.token_blacklist.admin  # noqa: F401  (unregistered below)
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from brokers.admin.callers import caller_of
from brokers.errors import OwnLogin
from brokers.models import StaffRightsRequest, User
from brokers.services import activate_user, close_user, suspend_user
from brokers.services.mails import queue_password_reset_mail
from brokers.services.rights import approve_rights, reject_rights, request_rights
from common.service_admin import ServiceActions, ServiceAdmin, ask_first
from oversight.admin.audited import AuditedAdmin
from oversight.services.records import record


class _AddForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email", "full_name")


class _ChangeForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


_DATES = (
    "last_login",
    "created_at",
    "updated_at",
    "status_changed_at",
    "email_verified_at",
    "password_changed_at",
)
_RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ServiceActions):
    """Rights are shown here and granted by two persons (`StaffRightsRequestAdmin`). The address of
    staff does not change, since their password goes to it by mail, and no form sets it. People are
    suspended or closed, not deleted: the log of what they did would go with them."""

    form = _ChangeForm
    add_form = _AddForm
    change_password_form = AdminPasswordChangeForm
    ordering = ("email",)
    list_display = ("email", "full_name", "status", "is_staff", "email_verified_at", "last_login")
    list_filter = (
        "status",
        ("email_verified_at", admin.EmptyFieldListFilter),
        "is_staff",
        "is_superuser",
        "groups",
    )
    search_fields = ("email", "full_name")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "status")}),
        ("Rights", {"fields": _RIGHTS}),
        ("Dates", {"fields": _DATES}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "full_name", "password1", "password2")}),
    )
    filter_horizontal = ()

    actions = ("suspend", "activate", "close", "mail_password")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        of_staff = ("email",) if obj is not None and obj.is_staff else ()
        return ("status", *_RIGHTS, *_DATES, *of_staff)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not obj.is_staff:
            return fieldsets
        return ((None, {"fields": ("email", "full_name", "status")}), *fieldsets[1:])

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("brokers.stop_user")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form; one that was made to carry what it does not show is refused."""
        obj = None if object_id is None else self.get_object(request, object_id)
        _refuse_forged(request, *_RIGHTS)
        if obj is not None and obj.is_staff and request.POST.get("email", obj.email) != obj.email:
            raise PermissionDenied
        return super().changeform_view(request, object_id, form_url, extra_context)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Not for staff: theirs is set by a mailed token, their own in `password_change`."""
        if User.objects.filter(pk=id, is_staff=True).exists():
            raise PermissionDenied
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            record(action="person.password_set", target=User.objects.get(pk=id))
        return response

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change and "email" in form.changed_data:
            obj.email_verified_at = None  # of the address before
        super().save_model(request, obj, form, change)
        # Which fields, but not what is in them: names and addresses can be erased.
        action = "person.changed" if change else "person.created"
        record(action=action, target=obj, after={"fields": sorted(form.changed_data)})

    @admin.action(description="Suspend…", permissions=["stop"])
    def suspend(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        question = "Suspend these people? Their tokens and keys stop at once; open orders stay."
        page = ask_first(self, request, rows, action="suspend", question=question)
        if page is None:
            self.run_action(
                request,
                rows,
                lambda row: suspend_user(user=_other(request, row)),
                done="Suspended.",
            )
        return page

    @admin.action(description="Activate", permissions=["stop"])
    def activate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.run_action(
            request, rows, lambda row: activate_user(user=_other(request, row)), done="Activated."
        )

    @admin.action(description="Close for good…", permissions=["stop"])
    def close(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        question = "Close these logins for good? Accounts and what is on them stay."
        page = ask_first(self, request, rows, action="close", question=question)
        if page is None:
            self.run_action(
                request, rows, lambda row: close_user(user=_other(request, row)), done="Closed."
            )
        return page

    @admin.action(description="Mail a token that sets the password", permissions=["change"])
    def mail_password(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.run_action(request, rows, _mail_password, done="Mailed.")


def _other(request: HttpRequest, user: User) -> User:
    """The person, whom the caller may suspend, activate and close.

    Raises:
        OwnLogin: it is the caller, or a superuser where the caller is none.
    """
    caller = caller_of(request)
    if user.pk == caller.pk or (user.is_superuser and not caller.is_superuser):
        raise OwnLogin()
    return user


def _mail_password(person: User) -> None:
    queue_password_reset_mail(person.email)
    record(action="person.password_mailed", target=person)


def _refuse_forged(request: HttpRequest, *names: str) -> None:
    """Refuse a form with fields that its page does not have."""
    if any(name in request.POST for name in names):
        raise PermissionDenied


admin.site.unregister(Group)
# The ids of people's refresh tokens: nothing for staff to see or to change.
admin.site.unregister([OutstandingToken, BlacklistedToken])


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):
    """Roles of staff. Superusers name them; what they may do is granted by two persons."""

    fields = ("name", "permissions")
    readonly_fields = ("permissions",)
    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request) and super().has_delete_permission(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The form; one that was made to carry what it does not show is refused."""
        _refuse_forged(request, "permissions")
        return super().changeform_view(request, object_id, form_url, extra_context)


def _is_superuser(request: HttpRequest) -> bool:
    return caller_of(request).is_superuser


class _RightsForm(forms.ModelForm):
    class Meta:
        model = StaffRightsRequest
        fields = ("user", "group", "is_staff", "is_superuser", "groups", "permissions", "reason")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("user")) == bool(cleaned.get("group")):
            self.add_error("user", "Choose a person or a group.")
        extra = [name for name in ("is_staff", "is_superuser", "groups") if cleaned.get(name)]
        if cleaned.get("group") and extra:
            self.add_error(extra[0], "A group has permissions alone.")
        return cleaned


@admin.register(StaffRightsRequest)
class StaffRightsRequestAdmin(ServiceAdmin):
    """All the rights that somebody is to have from now on: asked for here, granted by another."""

    form = _RightsForm
    list_display = ("id", "user", "group", "is_staff", "is_superuser", "requested_by", "status")
    list_filter = ("status", "is_superuser")
    list_select_related = ("user", "group", "requested_by")
    search_fields = ("user__email", "requested_by__email")
    autocomplete_fields = ("user",)
    filter_horizontal = ("groups", "permissions")
    ordering = ("-id",)
    actions = ("approve", "reject")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        asked: tuple[str, ...] = tuple(_RightsForm.Meta.fields)
        decided = ("requested_by", "created_at", "status", "decided_by", "decided_at", "note")
        return asked if obj is None else (*asked, *decided)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("brokers.change_staffrightsrequest")

    def save_model(
        self, request: HttpRequest, obj: StaffRightsRequest, form: Any, change: bool
    ) -> None:
        given = form.cleaned_data
        made = request_rights(
            requested_by=caller_of(request).pk,
            reason=given["reason"],
            user_id=obj.user_id,
            group_id=obj.group_id,
            is_staff=obj.is_staff,
            is_superuser=obj.is_superuser,
            group_ids=[row.pk for row in given["groups"]],
            permission_ids=[row.pk for row in given["permissions"]],
        )
        obj.pk, obj.status = made.pk, made.status

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has stored the groups and permissions."""

    @admin.action(description="Approve…", permissions=["decide"])
    def approve(
        self, request: HttpRequest, rows: QuerySet[StaffRightsRequest]
    ) -> HttpResponse | None:
        question = "Grant these rights? Who becomes staff gets a mail to set another password."
        page = ask_first(self, request, rows, action="approve", question=question)
        if page is None:
            self.run_action(
                request,
                rows,
                lambda row: approve_rights(request_id=row.pk, user_id=caller_of(request).pk),
                done="Approved.",
            )
        return page

    @admin.action(description="Reject", permissions=["decide"])
    def reject(self, request: HttpRequest, rows: QuerySet[StaffRightsRequest]) -> None:
        self.run_action(
            request,
            rows,
            lambda row: reject_rights(request_id=row.pk, user_id=caller_of(request).pk),
            done="Rejected.",
        )
