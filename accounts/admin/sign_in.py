"""Sessions, codes and attempts in the admin. No secrets are shown: no hash, nonce or code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session
from accounts.services import support
from auctioncraft.admin import ReadOnlyAdmin
from auctioncraft.admin_confirmation import confirmed_action

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


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
    readonly_fields = fields
    actions = ("end_lockout",)

    @confirmed_action(
        "End the lockout", "The failures are forgotten, so guessing can start again.", permissions=["remove"]
    )
    def end_lockout(self, actor: User, attempts: FailedAttempts, *, reason: str) -> str:
        """Delete the rows."""
        support.end_lockout(attempts=attempts, actor=actor, reason=reason)
        return "the lockout has ended."


admin.site.unregister(TOTPDevice)


@admin.register(TOTPDevice)
class TOTPDeviceAdmin(ReadOnlyAdmin):
    """Authenticators of staff, without their keys."""

    list_display = ("user", "name", "confirmed", "created_at", "last_used_at", "throttling_failure_count")
    list_filter = ("confirmed",)
    list_select_related = ("user",)
    search_fields = ("user__email", "user__display_name")
    fields = list_display
    readonly_fields = fields
    actions = ("remove",)

    @confirmed_action(
        "Remove",
        "The user signs in without the authenticator, or not at all where one is required.",
        permissions=["remove"],
    )
    def remove(self, actor: User, device: TOTPDevice, *, reason: str) -> str:
        """Delete the authenticators."""
        support.remove_authenticator(device=device, actor=actor, reason=reason)
        return "removed."

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Let only superusers remove authenticators."""
        return bool(request.user.is_superuser)
