"""Where somebody is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auctioncraft import clock
from auctioncraft.errors import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import SignIn, User


def live_sign_ins(*, user: User) -> QuerySet[SignIn]:
    """Return the sign-ins that can still be used, the one used last first."""
    return user.sign_ins.filter(ended_at__isnull=True, expires_at__gt=clock.now()).order_by("-last_used_at", "-pk")


def end_sign_in(*, user: User, sign_in_id: UUID) -> None:
    """End one, its tokens at once; the caller's own too. Raises NotFound: none of theirs, or ended already."""
    if not live_sign_ins(user=user).filter(pk=sign_in_id).order_by().update(ended_at=clock.now()):
        raise NotFound
