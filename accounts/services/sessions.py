"""Where somebody is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft.core import clock
from auctioncraft.core.errors import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Session, User


def active_sessions(*, user: User) -> QuerySet[Session]:
    """Return the sign-ins that can still be used, the one used last first."""
    return user.sessions.filter(ended_at__isnull=True, expires_at__gt=clock.now()).order_by("-last_used_at", "-pk")


def end_session(*, user: User, session_id: UUID) -> None:
    """End one, its tokens at once; the caller's own too. Raises NotFound: none of theirs, or ended already."""
    if not active_sessions(user=user).filter(pk=session_id).order_by().update(ended_at=clock.now()):
        raise NotFound
