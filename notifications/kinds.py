"""What people are told: one kind of notice a line. The words are ours; `{…}` are filled from the event.

A kind stands here once something emits it; its name is public and never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE_LENGTH: Final = 200  # of the column
_NAME_IN_TITLE: Final = 120


@dataclass(frozen=True, slots=True)
class Kind:
    """`mails`: whether it goes out by e-mail too, unless switched off; `optional`: whether it can be switched off."""

    title: str
    message: str
    mails: bool = True
    optional: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "outbid": Kind(
        title="You were outbid on “{product}”",
        message="Somebody bid more than your maximum for “{product}”. It stands at {current_price} {currency}; the "
        "least next bid is {minimum_bid} {currency}.",
    ),
    "auction_won": Kind(
        title="You won “{product}”",
        message="The auction of “{product}” has ended and you won it for {final_price} {currency}.",
        optional=False,  # it binds the winner to pay
    ),
    "auction_lost": Kind(
        title="You did not win “{product}”",
        message="The auction of “{product}” has ended, and you did not win it.",
    ),
    "auction_sold": Kind(
        title="“{product}” is sold",
        message="Your auction of “{product}” has ended. It is sold for {final_price} {currency}; we have asked the "
        "winner to pay.",
        optional=False,  # it binds the seller to deliver
    ),
    "auction_unsold": Kind(
        title="“{product}” was not sold",
        message="Your auction of “{product}” has ended without a sale: {reason}.",
    ),
    "auction_cancelled": Kind(
        title="The auction of “{product}” was cancelled",
        message="The auction of “{product}” was cancelled. There is no winner, and no bid on it binds anybody.",
    ),
    "payment_due": Kind(
        title="Please pay for “{product}”",
        message="{total} {currency} is due for “{product}” by {due_at}.",
        optional=False,
    ),
    "payment_succeeded": Kind(
        title="“{product}” is paid",
        message="The payment of {total} {currency} for “{product}” has arrived.",
        optional=False,
    ),
    "payment_failed": Kind(
        title="The payment for “{product}” failed",
        message="The payment of {total} {currency} for “{product}” did not go through; nothing was charged. You can "
        "try again, with the same card or another, until {due_at}.",
        optional=False,
    ),
    "new_login": Kind(
        title="One of your sign-ins was ended",
        message="An old key to your account was used again. That happens when somebody copied it, so we ended that "
        "sign-in on every device that used it. Sign in again; if you have a password, change it.",
        optional=False,
    ),
}
MAILED: Final = tuple(name for name, kind in KINDS.items() if kind.mails)


def render(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the title, on one line of at most 200 characters, and the message.

    Raises KeyError for a kind that is not registered or a context that lacks something its words need.
    """
    words = KINDS[kind]
    brief = {key: _shorten(str(value), _NAME_IN_TITLE) for key, value in context.items()}
    return _shorten(words.title.format_map(brief), TITLE_LENGTH), words.message.format_map(context)


def _shorten(text: str, length: int) -> str:
    # On one line: a title becomes a mail's subject, where a line break is an attack on its headers.
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
