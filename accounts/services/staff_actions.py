"""What staff do to other people's things: who may, and who did what, when and why (invariant 25).

Auctions and orders have logs of their own, which name the actor and the reason. All else is a row of StaffAction,
written in the transaction of the act.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from accounts.errors import ConflictOfInterest
from accounts.models import StaffAction
from auctioncraft.core import clock
from auctioncraft.core.errors import Invalid, PermissionDenied

if TYPE_CHECKING:
    from accounts.models import User

# The reason on record where none was asked for: `close_auction` takes none from clients that know no reasons.
NOT_GIVEN: Final = "Not given."


def check_actor(*, actor: User, takes_part: bool) -> None:
    """Check that staff act on what they take no part in, as seller, bidder, buyer or owner.

    Raises PermissionDenied, ConflictOfInterest.
    """
    if not actor.is_staff:
        raise PermissionDenied
    if takes_part:
        raise ConflictOfInterest


def check_reason(reason: str, *, field: str = "reason") -> str:
    """Return the reason without surrounding spaces. Raises Invalid on `field` if there is none."""
    if not (reason := reason.strip()):
        raise Invalid(**{field: "Staff must give a reason, which is recorded."})
    return reason


def record(
    *, actor: User, action: StaffAction.Action, reason: str, user: User | None = None, target: str = ""
) -> StaffAction:
    """Write down what `actor` has done to an account or to a `target`, such as "product 12".

    In the caller's transaction. Raises Invalid without a reason.
    """
    return StaffAction.objects.create(
        actor=actor, action=action, reason=check_reason(reason), user=user, target=target, at=clock.now()
    )
