"""The notification kinds and their texts. `{…}` is filled from the event.

To add a kind, add it here and write its notifications with services.notification_writer.notify, or in
services.audience for an auction's event. A kind's name is public and never changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TITLE_LENGTH: Final = 200  # of the column
_LENGTH_IN_TITLE: Final = 60  # of a product's name
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:/+|mailto:", re.IGNORECASE)
_DOT_IN_ADDRESS: Final = re.compile(r"(?<=[\w-])\.(?=[^\W\d_]{2})")


@dataclass(frozen=True, slots=True)
class Kind:
    """`variants` and `variant_titles`: other texts by name, where `message` and `title` do not fit.

    `optional`: users can switch it off.
    """

    title: str
    message: str
    variants: Mapping[str, str] = field(default_factory=dict)
    variant_titles: Mapping[str, str] = field(default_factory=dict)
    optional: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "outbid": Kind(
        title="You were outbid on “{product}”",
        message="Another bidder outbid you on “{product}”. The current price is {current_price} {currency}. To take "
        "the lead, bid at least {minimum_bid} {currency}.",
    ),
    "auction_won": Kind(
        title="You won “{product}”",
        message="The auction for “{product}” has ended. You won it for {final_price} {currency}.",
        variants={
            "buy_now": "You bought “{product}” for its buy-now price of {final_price} {currency}.",
            "below_reserve": "The seller accepted your bid on “{product}” below the reserve price. You won it for "
            "{final_price} {currency}.",
            "second_chance": "You accepted the second-chance offer and bought “{product}” for {final_price} "
            "{currency}.",
        },
        optional=False,  # the winner has to pay
    ),
    "auction_lost": Kind(
        title="You did not win “{product}”",
        message="The auction for “{product}” has ended. You did not win it.",
        variants={
            "buy_now": "“{product}” was sold for its buy-now price, which ended the auction. You did not win it."
        },
    ),
    "auction_sold": Kind(
        title="“{product}” was sold",
        message="Your auction for “{product}” has ended. It was sold for {final_price} {currency}. We asked the winner "
        "to pay.",
        variants={
            "buy_now": "“{product}” was sold for your buy-now price of {final_price} {currency}, which ended the "
            "auction. We asked the buyer to pay.",
            "below_reserve": "You accepted the highest bid on “{product}” below the reserve price. It was sold for "
            "{final_price} {currency}. We asked the winner to pay.",
            "second_chance": "The bidder accepted your second-chance offer. “{product}” was sold for {final_price} "
            "{currency}. We asked the buyer to pay.",
        },
        optional=False,  # the seller has to deliver
    ),
    "auction_unsold": Kind(
        title="“{product}” was not sold",
        message="Your auction for “{product}” has ended without a sale: {reason}. You can list it again.",
    ),
    "auction_cancelled": Kind(
        title="The auction for “{product}” was canceled",
        message="The auction for “{product}” was canceled. There is no winner, and no bid counts.",
    ),
    "auction_ending_soon": Kind(
        title="“{product}” ends soon",
        message="The auction for “{product}” ends at {ends_at}. The current price is {current_price} {currency}. Bid "
        "at least {minimum_bid} {currency}.",
        variants={
            "no_bids": "The auction for “{product}” ends at {ends_at}. There are no bids yet. Bid at least "
            "{minimum_bid} {currency}.",
        },
    ),
    "description_added": Kind(
        title="The description of “{product}” has changed",
        message="The seller added text to the description of “{product}”, on which you have bid. Please read it.",
    ),
    # The default text is the seller's.
    "bid_voided": Kind(
        title="A bid on “{product}” was voided",
        message="Our staff voided {bid} on “{product}”. It no longer counts. {price_now} Reason: {reason}",
        variants={
            "own": "Our staff voided your {bid_amount} on “{product}”. It no longer counts. {price_now} Reason: "
            "{reason}",
            "own_leads": "Our staff voided your {bid_amount} on “{product}”. You are leading with another bid. "
            "{price_now} Reason: {reason}",
            "leads": "Our staff voided {bid} on “{product}”. It no longer counts. You are leading. {price_now} Reason: "
            "{reason}",
            "displaced": "Our staff voided {bid} on “{product}”. You are no longer leading. {price_now} Reason: "
            "{reason}",
        },
        optional=False,  # the recipient may be leading again and have to pay
    ),
    "payment_due": Kind(
        title="Please pay for “{product}”",
        message="Please pay {total} {currency} for “{product}” by {due_at}.",
        optional=False,
    ),
    "payment_succeeded": Kind(
        title="“{product}” is paid",
        message="The payment of {total} {currency} for “{product}” was received.",
        optional=False,
    ),
    "payment_failed": Kind(
        title="The payment for “{product}” failed",
        message="Your payment of {total} {currency} for “{product}” failed. You were not charged. Please try again "
        "with the same card or another one by {due_at}.",
        optional=False,
    ),
    "payment_reminder": Kind(
        title="Reminder: please pay for “{product}”",
        message="We have not received {total} {currency} for “{product}” yet. Please pay by {due_at}. After that the "
        "sale is canceled and you get a strike.",
        variants={
            "unpayable": "We have not received {total} {currency} for “{product}” yet. No card can be charged this "
            "amount. Please contact support to pay by {due_at}. After that the sale is canceled.",
        },
        optional=False,
    ),
    # The default text is the buyer's.
    "payment_expired": Kind(
        title="“{product}” was not paid in time",
        message="We did not receive {total} {currency} for “{product}” by {due_at}. The sale was canceled and you got "
        "a strike. Please do not pay for it anymore.",
        variants={
            "seller": "The buyer did not pay {total} {currency} for “{product}” by {due_at}. The sale was canceled. "
            "You can offer it to the next bidder or list it again.",
            "unpayable": "We did not receive {total} {currency} for “{product}” by {due_at}. The sale was canceled. "
            "You did not get a strike, because no card can be charged this amount. Please do not pay for it anymore.",
            "withdrawn": "The sale of “{product}” for {total} {currency} was canceled, because the account of the "
            "other side has ended. Nobody got a strike. If you bought it, please do not pay for it anymore. If you "
            "sold it, you can offer it to the next bidder or list it again.",
        },
        variant_titles={"withdrawn": "The sale of “{product}” was canceled"},
        optional=False,
    ),
    # The default text is the buyer's.
    "refund_issued": Kind(
        title="Refund for “{product}”",
        message="We refunded {amount} {currency} for “{product}” to your original payment method. It can take your "
        "bank 5 to 10 days to show it.",
        variants={
            "seller": "{amount} {currency} of the {total} {currency} for “{product}” was refunded to the buyer.",
        },
        optional=False,
    ),
    "second_chance_offer": Kind(
        title="Second chance to buy “{product}”",
        message="The winner of “{product}” did not pay. You can buy it for {amount} {currency}, the price without "
        "the winner's bids. With premium and shipping you would pay {total} {currency}. Accept by {expires_at}, or let "
        "the offer expire.",
    ),
    # The default text is for an offer that expired.
    "second_chance_ended": Kind(
        title="Your second-chance offer for “{product}” ended",
        message="The bidder did not answer your offer for “{product}” in time. You can offer it to the next bidder, if "
        "there is one, or list it again.",
        variants={
            "declined": "The bidder declined your offer for “{product}”. You can offer it to the next bidder, if there "
            "is one, or list it again.",
        },
    ),
    "new_login": Kind(
        title="One of your sessions was ended",
        message="A login that was used before was used again, so someone may have copied it. We signed out that "
        "device. Please sign in again. If you have a password, change it.",
        variant_titles={"device": "New sign-in to your account"},
        variants={
            "device": "Someone signed in to your account at {at} from a new device or place: {device}. If this was "
            "not you, end that session and, if you have a password, change it.",
        },
        optional=False,
    ),
    # The default text is about the password.
    "account_changed": Kind(
        title="Your password was changed",
        message="The password of your account was changed, and all other sessions were ended. If this was not you, "
        "request a code to this address to set a new password.",
        variant_titles={
            "email_requested": "Someone asked to change your email address",
            "email": "Your email address was changed",
            "account_disabled": "Your account was disabled",
            "account_enabled": "Your account was enabled again",
            "strikes_cleared": "Your strikes were cleared",
            "email_changed": "Our staff changed your email address",
            "name_changed": "Our staff changed your display name",
            "sessions_ended": "Our staff signed you out",
        },
        variants={
            "email_requested": "Someone who is signed in to your account asked to change its email address. It changes "
            "when they enter the code that we sent to the new address. If this was not you, sign out everywhere and, "
            "if you have a password, change it.",
            "email": "The email address of your account was changed, and all other sessions were ended. This is the "
            "last email to the previous address. If this was not you, contact us within 30 days.",
            # Named after StaffAction.
            "account_disabled": "Our staff disabled your account. You cannot sign in anymore. If you think that this "
            "is a mistake, please contact support.",
            "account_enabled": "Our staff enabled your account again. You can sign in.",
            "strikes_cleared": "Our staff cleared the strikes of your account. You can bid again.",
            "email_changed": "Our staff changed the email address of your account to this one and ended all sessions. "
            "Sign in with a code that we send here. If you did not ask for this, please contact support.",
            "name_changed": "Our staff changed the display name of your account, which everybody sees. If you have a "
            "question about it, please contact support.",
            "sessions_ended": "Our staff ended all sessions of your account. Please sign in again. If you have a "
            "question about it, please contact support.",
        },
        optional=False,
    ),
}
OPTIONAL_KINDS: Final = tuple(name for name, kind in KINDS.items() if kind.optional)
REQUIRED_KINDS: Final = tuple(name for name, kind in KINDS.items() if not kind.optional)


def render(kind: str, context: Mapping[str, Any], variant: str = "") -> tuple[str, str]:
    """Return the title, on one line of at most 200 characters, and the message.

    Raises KeyError for an unknown kind or variant and for a context that lacks a value.
    """
    texts = KINDS[kind]
    message = texts.variants[variant] if variant else texts.message
    plain = {key: _without_links(str(value)) for key, value in context.items()}
    short = {key: _shorten(value, _LENGTH_IN_TITLE) for key, value in plain.items()}
    title = texts.variant_titles.get(variant, texts.title)
    return _shorten(title.format_map(short), TITLE_LENGTH), message.format_map(plain)


def format_datetime(at: datetime) -> str:
    """Return the time as notifications show it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _without_links(text: str) -> str:
    """Return what a member wrote, such as a product's name, so that no mail program shows a link or hides text in it.

    `https://evil.example/x` becomes `evil. example/x`; a name like `St.Gallen` stays readable.
    """
    visible = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    return _DOT_IN_ADDRESS.sub(". ", _SCHEME.sub("", visible))


def _shorten(text: str, length: int) -> str:
    # A title becomes an email subject, where a line break would allow header injection.
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
