"""Accounts in the admin. No secrets are shown: no hash, nonce or code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, User
from accounts.services import bidder_status, profile, tokens
from auctioncraft.admin import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


_PERMISSIONS = ("is_staff", "is_superuser", "groups", "user_permissions")


class AccountCreationForm(UserCreationForm):  # type: ignore[misc]
    """A new user, without Django's username."""

    class Meta:
        model = User
        fields = ("email",)


class AccountChangeForm(UserChangeForm):  # type: ignore[misc]
    """A user, without Django's username."""

    class Meta:
        model = User
        fields = "__all__"


class AccountPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """A new password set by staff. It ends all sessions."""

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        """Save, and end the user's sessions."""
        user = super().save(commit)
        if commit:
            tokens.end_all_sessions(user=user)
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc]
    """Users. They are disabled, not deleted, because auctions and orders refer to them."""

    form = AccountChangeForm
    add_form = AccountCreationForm
    change_password_form = AccountPasswordForm
    list_display = ("email", "display_name", "is_active", "is_staff", "seller_state", "strikes", "created_at")
    list_filter = ("is_active", "is_staff", "seller_state", "strikes", "created_at")
    search_fields = ("email", "display_name")
    search_help_text = "Email address or display name"
    ordering = ("-id",)
    date_hierarchy = "created_at"
    actions = ("disable", "sign_out", "clear_strikes")
    readonly_fields = ("strikes", "created_at", "email_verified_at", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password", "display_name")}),
        ("Status", {"fields": ("is_active", "strikes", "seller_state")}),
        ("Permissions", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("created_at", "email_verified_at", "last_login")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    @admin.action(description="Disable selected users and end their sessions", permissions=["change"])
    def disable(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Disable the users, but not the staff user who asks."""
        for user in self._changeable(request, users).exclude(pk=request.user.pk or 0):
            profile.disable_account(user=user)

    @admin.action(description="End all sessions of selected users", permissions=["change"])
    def sign_out(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """End all sessions of the users."""
        for user in self._changeable(request, users):
            tokens.end_all_sessions(user=user)

    @admin.action(description="Clear strikes of selected users", permissions=["change"])
    def clear_strikes(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Clear the strikes, and record it in the users' history."""
        for user in self._changeable(request, users).filter(strikes__gt=0):
            strikes = user.strikes
            with transaction.atomic():
                bidder_status.clear_strikes(user=user)
                self.log_change(request, user, f"Strikes cleared: {strikes}.")
            self.message_user(request, f"{user.email}: strikes cleared ({strikes}).", messages.SUCCESS)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Let only superusers change permissions, so that staff cannot raise their own."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *_PERMISSIONS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let only superusers change staff accounts, except one's own."""
        is_allowed = obj is None or obj.pk == request.user.pk or not (obj.is_staff or obj.is_superuser)
        return bool(super().has_change_permission(request, obj)) and (is_allowed or bool(request.user.is_superuser))

    def _changeable(self, request: HttpRequest, users: QuerySet[User]) -> QuerySet[User]:
        """Return the users that the staff user may change."""
        return users if request.user.is_superuser else users.filter(is_staff=False, is_superuser=False)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save only the changed fields. End the sessions of a user who was disabled."""
        if change:
            # A strike that is added meanwhile is not overwritten.
            columns = {field.name for field in User._meta.concrete_fields}  # noqa: SLF001 (public by documentation)
            obj.save(update_fields=columns & {*form.changed_data})
        else:
            super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            profile.disable_account(user=obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False: see the class."""
        return False


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions: who is signed in, where, and since when."""

    list_display = ("user", "user_agent", "ip", "created_at", "last_used_at", "expires_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__display_name", "ip")
    fields = ("id", *list_display)


@admin.register(OneTimeCode)
class OneTimeCodeAdmin(ReadOnlyAdmin):
    """Requested codes, without their digits."""

    list_display = ("email", "purpose", "ip", "created_at", "expires_at", "consumed_at")
    list_filter = ("purpose", ("consumed_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("email", "ip")
    fields = list_display


@admin.register(PreviousEmail)
class PreviousEmailAdmin(ReadOnlyAdmin):
    """Addresses that accounts had in the last 30 days, to help users whose account was taken over."""

    list_display = ("email", "user", "replaced_at")
    list_select_related = ("user",)
    search_fields = ("email", "user__email", "user__display_name")
    fields = list_display


@admin.register(FailedAttempts)
class FailedAttemptsAdmin(ReadOnlyAdmin):
    """Failed attempts. Deleting a row ends a lockout."""

    list_display = ("key", "consecutive_failures")
    search_fields = ("key",)
    fields = ("key", "consecutive_failures", "failures")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the staff user has Django's permission."""
        return bool(ModelAdmin.has_delete_permission(self, request, obj))


admin.site.unregister(TOTPDevice)


@admin.register(TOTPDevice)
class TOTPDeviceAdmin(ReadOnlyAdmin):
    """Authenticators of staff, without their keys. Deleting one lets its user sign in without it, unless required."""

    list_display = ("user", "name", "confirmed", "created_at", "last_used_at", "throttling_failure_count")
    list_filter = ("confirmed",)
    list_select_related = ("user",)
    search_fields = ("user__email", "user__display_name")
    fields = list_display

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (as above)
        """Let only superusers delete authenticators."""
        return bool(request.user.is_superuser)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Groups of staff, in the admin's theme."""
