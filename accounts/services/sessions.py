"""List and end the sessions of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from auctioncraft.core.errors import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Session, User


def active_sessions(*, user: User) -> QuerySet[Session]:
    """Return the sessions that are not ended or expired, the last used first."""
    return user.sessions.filter(ended_at__isnull=True, expires_at__gt=clock.now()).order_by("-last_used_at", "-pk")


def end_session(*, user: User, session_id: UUID) -> None:
    """End a session and its tokens. Raises NotFound if it is not an active session of the user."""
    if not active_sessions(user=user).filter(pk=session_id).order_by().update(ended_at=clock.now()):
        raise NotFound
