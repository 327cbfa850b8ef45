"""What is left of somebody who had their account erased: a row that says nothing about them, for others name it."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

NAME: Final = "deleted member"
# RFC 6761, 6.4: no mail ever goes there. Nobody can register such an address: it has no dot.
NOWHERE: Final = "@invalid"


def erased(account: str = "") -> Q:
    """Return the condition for an account to be an erased one: that of the row itself, or of its field `account`."""
    return Q(**{f"{account}__email__endswith" if account else "email__endswith": NOWHERE})
