"""The admin site: unfold's, with our own login."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from accounts.admin_login import AdminLoginForm, OwnPasswordForm
from auctioncraft.api import throttling
from auctioncraft.core.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the form, to anybody: so it counts like a read of the API."""
        try:
            throttling.count_request("reads", request)
        except TooManyRequests as refusal:
            headers = {"Retry-After": str(refusal.retry_after)}
            return HttpResponse(refusal.body()["detail"], "text/plain", 429, headers=headers)
        return super().login(request, extra_context)  # type: ignore[no-any-return]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002 (Django's)
        """Refuse NUL in addresses, which PostgreSQL takes in no text."""

        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if "\0" in request.path or any(
                "\0" in text for item in request.GET.lists() for text in (item[0], *item[1])
            ):
                raise BadRequest("The address contains a null character.")
            return view(request, *args, **kwargs)

        return super().admin_view(update_wrapper(checked, view), cacheable)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Let staff change their own password, with our form."""
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return view(request)  # type: ignore[return-value]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Search the names of the pages. The result has one page."""
        if request.GET.get("page", "1") != "1":
            raise Http404
        return super().search(request, extra_context)  # type: ignore[no-any-return]
