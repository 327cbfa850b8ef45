"""The admin site: unfold's, with our own login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from unfold.sites import UnfoldAdminSite

from accounts.admin_login import AdminLoginForm

if TYPE_CHECKING:
    from django.http import HttpRequest


class AdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """Staff only. With ADMIN_REQUIRES_TOTP the session must have begun with the code of a device that still exists."""

    login_form = AdminLoginForm
    login_template = "auctioncraft/admin_login.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may use the admin."""
        if not super().has_permission(request):
            return False
        return not settings.ADMIN_REQUIRES_TOTP or bool(getattr(request.user, "otp_device", None))
