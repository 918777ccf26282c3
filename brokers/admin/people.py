"""People who log in with an email address, and their groups of rights."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from brokers.models import User
from brokers.services import activate_user, close_user, suspend_user
from common.service_admin import ServiceActions, ask_first


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


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ServiceActions):
    """Passwords are set through their own form. People are suspended or closed, not deleted: the
    log of what they did would go with them."""

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
    readonly_fields = ("status", *_DATES)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("email", "password", "full_name", "status")}),
        (
            "Rights",
            {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": _DATES}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "full_name", "password1", "password2")}),
    )

    actions = ("suspend", "activate", "close")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change and "email" in form.changed_data:
            obj.email_verified_at = None  # of the address before
        super().save_model(request, obj, form, change)

    @admin.action(description="Suspend…", permissions=["change"])
    def suspend(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        question = "Suspend these people? Their tokens and keys stop at once; open orders stay."
        page = ask_first(self, request, rows, action="suspend", question=question)
        if page is None:
            self.run_action(request, rows, lambda row: suspend_user(user=row), done="Suspended.")
        return page

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.run_action(request, rows, lambda row: activate_user(user=row), done="Activated.")

    @admin.action(description="Close for good…", permissions=["change"])
    def close(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        question = "Close these logins for good? Accounts and what is on them stay."
        page = ask_first(self, request, rows, action="close", question=question)
        if page is None:
            self.run_action(request, rows, lambda row: close_user(user=row), done="Closed.")
        return page


admin.site.unregister(Group)
# The ids of people's refresh tokens: nothing for staff to see or to change.
admin.site.unregister([OutstandingToken, BlacklistedToken])


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Roles of staff: named sets of rights."""
