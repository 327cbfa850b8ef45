"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from privacy.views import MyAccountViewSet

routes: list[tuple[str, Any, str]] = [("users", MyAccountViewSet, "my-account")]
