"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

routes: list[tuple[str, Any, str]] = []
