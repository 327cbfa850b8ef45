"""Refuse display names that pretend to be this site, its staff, or another seller."""

from __future__ import annotations

import unicodedata
from typing import Final

from django.conf import settings

from accounts.confusables import skeleton
from accounts.errors import DisplayNameReserved, DisplayNameTaken
from accounts.models import ERASED_NAME, User

# Refused as the whole name and as a word of it ("Support", "Billing Support").
_WORDS: Final = frozenset(
    map(
        skeleton,
        ("admin", "administrator", "helpdesk", "moderator", "staff", "support"),
    )
)
# Refused as the whole name.
_NAMES: Final = _WORDS | frozenset(
    map(
        skeleton,
        ("auctioneer", "billing", "customer service", "help", "official", "payments", "security", "stripe", "system"),
    )
)
# Refused anywhere in the name, however it is spaced.
_PARTS: Final = ("AuctionCraft", ERASED_NAME)


def check_display_name(name: str, *, user_id: int | None = None) -> None:
    """Check a name that `user_id` (None: a new account) chooses. Raises DisplayNameReserved, DisplayNameTaken.

    RESERVED_NAMES adds the operator's own names. Sellers are those who have listed a product.
    """
    looks = skeleton(name)
    parts = [skeleton(part) for part in (*_PARTS, *settings.RESERVED_NAMES)]
    words = {skeleton(word) for word in _split(name)}
    if looks in _NAMES or words & _WORDS or any(part in looks for part in parts):
        raise DisplayNameReserved
    sellers = User.objects.filter(name_skeleton=looks, has_listed=True).exclude(pk=user_id or 0)
    if looks and sellers.exists():
        raise DisplayNameTaken


def _split(name: str) -> list[str]:
    """Return the words of a name, however they are separated: spaces, punctuation or symbols."""
    return "".join(char if unicodedata.category(char)[0] not in "ZPS" else " " for char in name).split()
