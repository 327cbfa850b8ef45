"""The admin's site: unfold's, with a guarded door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from unfold.sites import UnfoldAdminSite

from accounts.admin_login import AdminLoginForm

if TYPE_CHECKING:
    from django.http import HttpRequest


class AdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """Staff only; with ADMIN_REQUIRES_TOTP, only where the session began with a code of a device that still is one."""

    login_form = AdminLoginForm
    login_template = "auctioncraft/admin_login.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Tell whether the caller may be here."""
        if not super().has_permission(request):
            return False
        return not settings.ADMIN_REQUIRES_TOTP or bool(getattr(request.user, "otp_device", None))
