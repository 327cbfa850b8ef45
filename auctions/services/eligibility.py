"""May this person bid? The one rule, for bids, buy now, second chances, previews and the product's `viewer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings

from accounts.services import bidder_status
from accounts.services.account_states import is_suspended
from auctioncraft.core import money
from auctions.errors import BidderSuspended, CardRequired

if TYPE_CHECKING:
    from decimal import Decimal

    from auctioncraft.core.errors import DomainError


class Bidder(NamedTuple):
    """What is known of a bidder."""

    strikes: int
    has_card: bool


def find_refusal(bidder: Bidder, *, limit: Decimal, currency: str) -> DomainError | None:
    """Return why a bidder may not bid or buy up to `limit`, or None.

    Above CARD_REQUIRED_ABOVE, where the currency has such an amount, a card on file is required.
    """
    if is_suspended(bidder.strikes):
        return BidderSuspended()
    above = settings.CARD_REQUIRED_ABOVE.get(currency)
    if above is not None and limit > above and not bidder.has_card:
        return CardRequired(above=money.to_text(above, currency), currency=currency)
    return None


def check(*, user_id: int, price: Decimal, currency: str) -> None:
    """Check a locked account that is about to buy at `price`. Raises BidderSuspended, CardRequired."""
    bidder = Bidder(*bidder_status.get_strikes_and_card(user_id=user_id))
    if (refusal := find_refusal(bidder, limit=price, currency=currency)) is not None:
        raise refusal
