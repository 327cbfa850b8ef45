"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from accounts import views

routes: list[tuple[str, Any, str]] = [
    ("auth/otp", views.OtpViewSet, "otp"),
    ("auth/token", views.TokenViewSet, "token"),
    ("auth/logout", views.LogoutViewSet, "logout"),
    ("users", views.UserViewSet, "user"),
]
