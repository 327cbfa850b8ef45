"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from notifications.views import NotificationViewSet

routes: list[tuple[str, Any, str]] = [("auth/notifications", NotificationViewSet, "notification")]
