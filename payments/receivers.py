"""React to signals of the apps below: in their transaction, rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from accounts.signals import account_disabled
from auctions.signals import auction_sold
from payments.services import holds, orders

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from auctioncraft.core.pricing import SaleTerms
    from auctions.models import Auction


@receiver(auction_sold, dispatch_uid="payments.open_order")
def open_order_of_sale(*, auction: Auction, terms: SaleTerms, at: datetime, **_: Any) -> None:
    """Open the order in the transaction of the sale, so that no sale is without one."""
    orders.open_order(auction=auction, terms=terms, at=at)


@receiver(account_disabled, dispatch_uid="payments.hold_payouts")
def hold_payouts_of_disabled_account(*, user: User, actor: User | None = None, **_: Any) -> None:
    """Hold what the user is due. Staff release it. `actor`: who has disabled the account."""
    holds.hold_disabled_seller(user_id=user.pk, actor=actor)
