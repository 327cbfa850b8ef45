"""Accounts in the admin. No secret is shown: no hash, no nonce, no code."""

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


_RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class AccountCreationForm(UserCreationForm):  # type: ignore[misc]
    """A new account; the address takes the place of Django's username."""

    class Meta:
        model = User
        fields = ("email",)


class AccountChangeForm(UserChangeForm):  # type: ignore[misc]
    """An account without Django's username."""

    class Meta:
        model = User
        fields = "__all__"


class AccountPasswordForm(AdminPasswordChangeForm):  # type: ignore[misc]
    """A password set by staff: it ends every sign-in."""

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        """Save, and sign the account out."""
        user = super().save(commit)
        if commit:
            tokens.end_all_sessions(user=user)
        return user


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc]
    """People. They are disabled, not deleted: auctions and orders name them."""

    form = AccountChangeForm
    add_form = AccountCreationForm
    change_password_form = AccountPasswordForm
    list_display = ("email", "display_name", "is_active", "is_staff", "seller_state", "strikes", "created_at")
    list_filter = ("is_active", "is_staff", "seller_state", "strikes", "created_at")
    search_fields = ("email", "display_name")
    search_help_text = "E-mail address or display name"
    ordering = ("-id",)
    date_hierarchy = "created_at"
    actions = ("disable", "sign_out", "clear_strikes")
    readonly_fields = ("strikes", "created_at", "email_verified_at", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password", "display_name")}),
        ("Standing", {"fields": ("is_active", "strikes", "seller_state")}),
        ("Rights", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("created_at", "email_verified_at", "last_login")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)

    @admin.action(description="Disable, and sign out everywhere", permissions=["change"])
    def disable(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Close the chosen accounts to their owners."""
        for user in self._within_reach(request, users).exclude(pk=request.user.pk or 0):
            profile.disable_account(user=user)

    @admin.action(description="Sign out everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """End every sign-in of the chosen accounts."""
        for user in self._within_reach(request, users):
            tokens.end_all_sessions(user=user)

    @admin.action(description="Lift strikes", permissions=["change"])
    def clear_strikes(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Let the chosen people bid again, and note on their pages who did that."""
        for user in self._within_reach(request, users).filter(strikes__gt=0):
            had = user.strikes
            with transaction.atomic():
                bidder_status.clear_strikes(user=user)
                self.log_change(request, user, f"Strikes lifted: {had}.")
            self.message_user(request, f"{user.email}: {had} lifted.", messages.SUCCESS)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Rights are given by superusers alone: else whoever may change accounts could make their own one of them."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *_RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Who is no superuser leaves the accounts of staff alone, but for their own."""
        theirs = obj is None or obj.pk == request.user.pk or not (obj.is_staff or obj.is_superuser)
        return bool(super().has_change_permission(request, obj)) and (theirs or bool(request.user.is_superuser))

    def _within_reach(self, request: HttpRequest, users: QuerySet[User]) -> QuerySet[User]:
        """Return those of `users` that an action may be done to."""
        return users if request.user.is_superuser else users.filter(is_staff=False, is_superuser=False)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save what was changed and nothing else; who has just been disabled is signed out as well."""
        if change:
            # A strike that is counted meanwhile is not written over.
            columns = {field.name for field in User._meta.concrete_fields}  # noqa: SLF001 (public by documentation)
            obj.save(update_fields=columns & {*form.changed_data})
        else:
            super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            profile.disable_account(user=obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody: see the class."""
        return False


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Who is signed in, where, and since when."""

    list_display = ("user", "user_agent", "ip", "created_at", "last_used_at", "expires_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__display_name", "ip")
    fields = ("id", *list_display)
    readonly_fields = fields


@admin.register(OneTimeCode)
class OneTimeCodeAdmin(ReadOnlyAdmin):
    """When codes were asked for, never what they are."""

    list_display = ("email", "purpose", "ip", "created_at", "expires_at", "consumed_at")
    list_filter = ("purpose", ("consumed_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("email", "ip")
    fields = list_display
    readonly_fields = fields


@admin.register(PreviousEmail)
class PreviousEmailAdmin(ReadOnlyAdmin):
    """Which addresses an account had within the last 30 days: for whoever says that theirs was taken over."""

    list_display = ("email", "user", "replaced_at")
    list_select_related = ("user",)
    search_fields = ("email", "user__email", "user__display_name")
    fields = list_display
    readonly_fields = fields


@admin.register(FailedAttempts)
class FailedAttemptsAdmin(ReadOnlyAdmin):
    """Failed tries. Deleting a row lets an address that is locked out try again at once."""

    list_display = ("key", "consecutive_failures")
    search_fields = ("key",)
    fields = ("key", "consecutive_failures", "failures")
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff with Django's permission to."""
        return bool(ModelAdmin.has_delete_permission(self, request, obj))


admin.site.unregister(TOTPDevice)


@admin.register(TOTPDevice)
class TOTPDeviceAdmin(ReadOnlyAdmin):
    """Who has an authenticator, never its key. Without the row its owner needs none, unless all do."""

    list_display = ("user", "name", "confirmed", "created_at", "last_used_at", "throttling_failure_count")
    list_filter = ("confirmed",)
    list_select_related = ("user",)
    search_fields = ("user__email", "user__display_name")
    fields = list_display
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 (as above)
        """Superusers: whoever could delete devices could open the door to a stolen password."""
        return bool(request.user.is_superuser)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Groups of staff, in the look of the rest."""
