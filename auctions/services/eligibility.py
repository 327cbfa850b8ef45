"""Whether somebody may buy at a price at all: what is asked of the bidder once the bid itself is good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from accounts.services import bidder_status
from auctioncraft.core import money
from auctions.errors import BidderSuspended, CardRequired

if TYPE_CHECKING:
    from decimal import Decimal

    from auctioncraft.core.errors import DomainError


def refusal(*, strikes: int, has_card: bool, limit: Decimal, currency: str) -> DomainError | None:
    """Return why a bidder of this standing may not bid up to `most`, or None.

    Too many strikes; or no card on file for more than CARD_REQUIRED_ABOVE says of the currency, if it says anything.
    """
    if strikes >= settings.STRIKES_BEFORE_BAN:
        return BidderSuspended()
    above = settings.CARD_REQUIRED_ABOVE.get(currency)
    if above is not None and limit > above and not has_card:
        return CardRequired(above=money.to_text(above, currency), currency=currency)
    return None


def check(*, user_id: int, price: Decimal, currency: str) -> None:
    """Refuse somebody who may not buy at `price`, as they stand now. Raises BidderSuspended, CardRequired."""
    strikes, has_card = bidder_status.get_strikes_and_card(user_id=user_id)
    if (refused := refusal(strikes=strikes, has_card=has_card, limit=price, currency=currency)) is not None:
        raise refused
