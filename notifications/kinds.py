"""What people are told: one kind of notice a line. The words are ours; `{…}` are filled from the event.

A kind stands here once something emits it; its name is public and never changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TITLE_LENGTH: Final = 200  # of the column
_NAME_IN_TITLE: Final = 120


@dataclass(frozen=True, slots=True)
class Kind:
    """`cases`: other messages by name, for those whom `message` does not fit; `titles`: their titles, where other too.

    `mails`: whether it goes out by e-mail too, unless switched off; `optional`: whether it can be switched off.
    """

    title: str
    message: str
    cases: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
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
        cases={
            "buy_now": "You bought “{product}” at its buy-now price, {final_price} {currency}.",
            "below_reserve": "The seller of “{product}” has accepted your bid although the reserve was not met. You "
            "won it for {final_price} {currency}.",
            "second_chance": "You accepted the second-chance offer: “{product}” is yours for {final_price} {currency}.",
        },
        optional=False,  # it binds the winner to pay
    ),
    "auction_lost": Kind(
        title="You did not win “{product}”",
        message="The auction of “{product}” has ended, and you did not win it.",
        cases={
            "buy_now": "Somebody bought “{product}” at its buy-now price. That ended its auction; you did not win it."
        },
    ),
    "auction_sold": Kind(
        title="“{product}” is sold",
        message="Your auction of “{product}” has ended. It is sold for {final_price} {currency}; we have asked the "
        "winner to pay.",
        cases={
            "buy_now": "“{product}” was bought at your buy-now price, {final_price} {currency}, which ended its "
            "auction; we have asked the buyer to pay.",
            "below_reserve": "You accepted the highest bid on “{product}” although the reserve was not met. It is sold "
            "for {final_price} {currency}; we have asked the winner to pay.",
            "second_chance": "Your second-chance offer for “{product}” was accepted. It is sold for {final_price} "
            "{currency}; we have asked the buyer to pay.",
        },
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
    "auction_ending_soon": Kind(
        title="“{product}” is ending soon",
        message="The auction of “{product}” ends at {ends_at}. The price is {current_price} {currency}; the least next "
        "bid is {minimum_bid} {currency}.",
        cases={
            "no_bids": "The auction of “{product}” ends at {ends_at}. Nobody has bid yet; the least bid is "
            "{minimum_bid} {currency}.",
        },
    ),
    # The usual message is the seller's.
    "bid_voided": Kind(
        title="A bid on “{product}” was voided",
        message="Our staff declared {bid} on “{product}” void, so it no longer counts. {standing} The reason: {reason}",
        cases={
            "own": "Our staff declared your bid on “{product}”{at} void, so it no longer counts. {standing} The "
            "reason: {reason}",
            "own_leads": "Our staff declared one of your bids on “{product}”{at} void. You lead with another: "
            "{standing} The reason: {reason}",
            "leads": "Our staff declared {bid} on “{product}” void, so it no longer counts. You lead. {standing} The "
            "reason: {reason}",
            "displaced": "Our staff declared {bid} on “{product}” void. By the bids that are left you no longer lead. "
            "{standing} The reason: {reason}",
        },
        optional=False,  # it may bind somebody who was outbid
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
    "payment_reminder": Kind(
        title="Please remember to pay for “{product}”",
        message="{total} {currency} for “{product}” has not arrived yet. It is due by {due_at}; after that the sale "
        "falls through, and it counts as a strike on your account.",
        cases={
            "unpayable": "{total} {currency} for “{product}” has not arrived yet. It is due by {due_at}; after that "
            "the sale falls through. No card can be charged this amount: please ask us how else to pay.",
        },
        optional=False,
    ),
    # The usual message is the buyer's.
    "payment_expired": Kind(
        title="“{product}” was not paid in time",
        message="{total} {currency} for “{product}” was due by {due_at} and did not arrive. The sale has fallen "
        "through, and it counts as a strike on your account. Please do not pay any more.",
        cases={
            "seller": "The buyer of “{product}” did not pay {total} {currency} by {due_at}, so the sale has fallen "
            "through. You can offer it to the next bidder, or list it again.",
            "unpayable": "{total} {currency} for “{product}” was due by {due_at} and did not arrive. The sale has "
            "fallen through. No card can be charged this amount, so it does not count as a strike. Please do not pay "
            "any more.",
        },
        optional=False,
    ),
    # The usual message is the buyer's.
    "refund_issued": Kind(
        title="A refund for “{product}”",
        message="We have sent {amount} {currency} for “{product}” back to you, the way you paid. Your bank may take "
        "five to ten days to show it.",
        cases={
            "seller": "{amount} {currency} of the {total} {currency} for “{product}” went back to the buyer.",
        },
        optional=False,
    ),
    "second_chance_offer": Kind(
        title="A second chance to buy “{product}”",
        message="The winner of “{product}” did not pay. You can have it for {amount} {currency}, the most you offered, "
        "if you accept by {expires_at}. You need not: the offer then lapses.",
    ),
    # The usual message is for an offer that ran out.
    "second_chance_ended": Kind(
        title="Your second-chance offer for “{product}” was not taken",
        message="The bidder to whom you offered “{product}” did not answer in time. You can offer it to the next "
        "bidder, if there is one, or list it again.",
        cases={
            "declined": "The bidder to whom you offered “{product}” has declined. You can offer it to the next bidder, "
            "if there is one, or list it again.",
        },
    ),
    "new_login": Kind(
        title="One of your sign-ins was ended",
        message="An old key to your account was used again. That happens when somebody copied it, so we ended that "
        "sign-in on every device that used it. Sign in again; if you have a password, change it.",
        titles={"device": "A new sign-in to your account"},
        cases={
            "device": "Somebody signed in to your account at {at}, with a device or from a place that we had not seen "
            "before: {device}. If that was you, all is well. If not, end that sign-in in your account, and if you "
            "have a password, change it.",
        },
        optional=False,
    ),
    # The usual message is of the password.
    "account_changed": Kind(
        title="The password of your account was set",
        message="The password of your account was set anew, and every other sign-in was ended. If that was not you, "
        "ask for a code to set another one: it comes to this address.",
        titles={
            "email_asked": "Somebody asked to change your e-mail address",
            "email": "The e-mail address of your account was changed",
        },
        cases={
            "email_asked": "Somebody who is signed in to your account asked to have it under another e-mail address. "
            "It stays under this one until the code that went to the other is entered. If that was not you, sign out "
            "everywhere, and if you have a password, change it.",
            "email": "Your account is under another e-mail address now, and every other sign-in was ended. Mail for it "
            "goes to the new address; this is the last to the former one. If that was not you, write to us within 30 "
            "days.",
        },
        optional=False,
    ),
}
OPTIONAL_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.optional)
REQUIRED_KINDS: Final = tuple(name for name, kind in KINDS.items() if not kind.optional)


def render(kind: str, context: Mapping[str, Any], case: str = "") -> tuple[str, str]:
    """Return the title, on one line of at most 200 characters, and the message; with a `case`, that case's.

    Raises KeyError for a kind or case that is not registered or a context that lacks something its words need.
    """
    words = KINDS[kind]
    message = words.cases[case] if case else words.message
    brief = {key: _shorten(str(value), _NAME_IN_TITLE) for key, value in context.items()}
    title = words.titles.get(case, words.title)
    return _shorten(title.format_map(brief), TITLE_LENGTH), message.format_map(context)


def format_datetime(at: datetime) -> str:
    """Write a moment as notices do."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _shorten(text: str, length: int) -> str:
    # On one line: a title becomes a mail's subject, where a line break is an attack on its headers.
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
