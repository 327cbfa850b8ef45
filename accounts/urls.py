"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from accounts import views, views_data

routes: list[tuple[str, Any, str]] = [
    ("auth/otp", views.OtpViewSet, "otp"),
    ("auth/token", views.TokenViewSet, "token"),
    ("auth/password", views.PasswordViewSet, "password"),
    ("auth/sessions", views.SessionViewSet, "session"),
    ("auth/logout", views.LogoutViewSet, "logout"),
    ("users/me/export", views_data.ExportViewSet, "export"),
    ("users", views.UserViewSet, "user"),
]
