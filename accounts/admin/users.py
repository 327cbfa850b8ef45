"""Users and groups in the admin, and what staff did. No secrets are shown: no hash, nonce or code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as InvalidField
from unfold.forms import UserCreationForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.fields import DisplayNameField, NormalizedEmailField
from accounts.models import StaffAction, User
from accounts.services import disabling, staff_actions, support
from auctioncraft.admin import BaseAdmin, ReadOnlyAdmin
from auctioncraft.admin_confirmation import MAX_REASON, ReasonForm, confirmed_action

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.fields import Field


_PERMISSIONS = ("is_staff", "is_superuser", "groups", "user_permissions")


class AccountCreationForm(UserCreationForm):  # type: ignore[misc]
    """A new user, without Django's username."""

    class Meta:
        model = User
        fields = ("email",)


class AccountRightsForm(forms.ModelForm):
    """A user's rights, and why they change."""

    reason = forms.CharField(max_length=MAX_REASON, widget=UnfoldAdminTextareaWidget({"rows": 2}))

    class Meta:
        model = User
        fields = _PERMISSIONS


class EmailForm(ReasonForm):
    """A new address, and why it changes."""

    email = forms.CharField(max_length=254, label="New email address", widget=UnfoldAdminTextInputWidget)
    field_order = ("email", "reason")

    def clean_email(self) -> str:
        """Return the normalized address."""
        return _validate(NormalizedEmailField(), self.cleaned_data["email"])


class DisplayNameForm(ReasonForm):
    """A new public name, and why it changes."""

    display_name = forms.CharField(max_length=60, label="New display name", widget=UnfoldAdminTextInputWidget)
    field_order = ("display_name", "reason")

    def clean_display_name(self) -> str:
        """Return the name, held to the rules of the API."""
        return _validate(DisplayNameField(), self.cleaned_data["display_name"])


def _validate(field: Field[Any, Any, Any, Any], value: str) -> str:
    try:
        return str(field.run_validation(value))
    except InvalidField as error:
        raise ValidationError([str(text) for text in error.detail]) from error


@admin.register(User)
class UserAdmin(DjangoUserAdmin, BaseAdmin):  # type: ignore[misc]
    """Users, changed by services only. They are disabled, not deleted, because auctions and orders refer to them.

    Superusers create accounts and change rights. Nobody sets another's password here: members get a code by email.
    """

    form = AccountRightsForm
    add_form = AccountCreationForm
    list_display = ("email", "display_name", "is_active", "is_staff", "seller_state", "strikes", "created_at")
    list_filter = ("is_active", "is_staff", "seller_state", "strikes", "created_at")
    search_fields = ("email", "display_name")
    search_help_text = "Email address or display name"
    ordering = ("-id",)
    date_hierarchy = "created_at"
    actions = ("disable", "enable", "sign_out", "clear_strikes", "change_email", "change_display_name")
    readonly_fields = (
        *("email", "display_name", "is_active", "strikes", "seller_state"),
        *("created_at", "email_verified_at", "last_login"),
    )
    fieldsets = (
        (None, {"fields": ("email", "display_name")}),
        ("Status", {"fields": ("is_active", "strikes", "seller_state")}),
        ("Permissions", {"fields": _PERMISSIONS}),
        ("Times", {"fields": ("created_at", "email_verified_at", "last_login")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    @confirmed_action(
        "Disable",
        "A disabled member cannot sign in, bid or sell, and all sessions end. They are notified by email.",
        permissions=["act"],
    )
    def disable(self, actor: User, user: User, *, reason: str) -> str:
        """Disable the users."""
        disabling.disable_account(user=user, actor=actor, reason=reason)
        return "disabled."

    @confirmed_action(
        "Enable", "The member can sign in again. What was withdrawn stays withdrawn.", permissions=["act"]
    )
    def enable(self, actor: User, user: User, *, reason: str) -> str:
        """Enable the users."""
        disabling.enable_account(user=user, actor=actor, reason=reason)
        return "enabled."

    @confirmed_action("End all sessions", "The member must sign in again on every device.", permissions=["act"])
    def sign_out(self, actor: User, user: User, *, reason: str) -> str:
        """End all sessions of the users."""
        support.end_sessions(user=user, actor=actor, reason=reason)
        return "all sessions ended."

    @confirmed_action("Clear strikes", "The member can bid again.", permissions=["act"])
    def clear_strikes(self, actor: User, user: User, *, reason: str) -> str:
        """Clear the strikes."""
        return f"strikes cleared ({support.clear_strikes(user=user, actor=actor, reason=reason)})."

    @confirmed_action(
        "Change email address",
        "Whoever reads the new address can sign in, so make sure that it is the member's. All sessions end, "
        "and both addresses are notified.",
        permissions=["act"],
        form=EmailForm,
    )
    def change_email(self, actor: User, user: User, *, email: str, reason: str) -> str:
        """Change the address of a user who cannot read the present one."""
        support.change_email(user=user, email=email, actor=actor, reason=reason)
        return f"the address is now {email}."

    @confirmed_action(
        "Change display name",
        "Everybody sees the new name. The member is notified.",
        permissions=["act"],
        form=DisplayNameForm,
    )
    def change_display_name(self, actor: User, user: User, *, display_name: str, reason: str) -> str:
        """Change the public name of a user."""
        support.change_display_name(user=user, display_name=display_name, actor=actor, reason=reason)
        return f"the name is now {display_name}."

    def name_row(self, row: User) -> str:
        """Return the address."""
        return row.email

    def get_urls(self) -> Any:
        """Leave out the page that sets another user's password."""
        return super(DjangoUserAdmin, self).get_urls()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Let the address of a new account be entered."""
        return super().get_readonly_fields(request, obj) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Ask superusers for a reason below the rights."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not self.has_change_permission(request, obj):
            return fieldsets
        rights = {"fields": (*_PERMISSIONS, "reason")}
        return [(name, rights if name == "Permissions" else options) for name, options in fieldsets]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let only superusers create accounts."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002 (Django's)
        """Let only superusers change rights, which is all that a user's page changes."""
        return bool(request.user.is_superuser)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save the rights only: a strike that is added meanwhile is not overwritten. Record the reason."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        columns = {field.name for field in User._meta.concrete_fields}  # noqa: SLF001 (public by documentation)
        obj.save(update_fields=columns & {*_PERMISSIONS} & {*form.changed_data})
        staff_actions.record(
            actor=request.user,  # type: ignore[arg-type]
            action=StaffAction.Action.RIGHTS_CHANGED,
            reason=form.cleaned_data["reason"],
            user=obj,
        )


@admin.register(StaffAction)
class StaffActionAdmin(ReadOnlyAdmin):
    """What staff did to accounts, and to what has no log of its own. Auctions and orders have theirs."""

    list_display = ("id", "action", "actor", "user", "target", "reason", "at")
    list_filter = ("action", "at")
    list_select_related = ("actor", "user")
    search_fields = ("=id", "actor__email", "user__email", "target")
    date_hierarchy = "at"
    fields = list_display[1:]
    readonly_fields = fields


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin):  # type: ignore[misc]
    """Groups of staff. What a group may do is what its members may do, so only superusers change groups."""

    actions = ("delete",)

    @confirmed_action("Delete", "Its members lose the permissions of the group.", permissions=["remove"])
    def delete(self, actor: User, group: Group, *, reason: str) -> str:
        """Delete the groups."""
        support.delete_group(group=group, actor=actor, reason=reason)
        return "deleted."

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let only superusers add groups."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:  # noqa: ARG002 (Django's)
        """Let only superusers change groups."""
        return bool(request.user.is_superuser)

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Let only superusers delete groups."""
        return bool(request.user.is_superuser)
