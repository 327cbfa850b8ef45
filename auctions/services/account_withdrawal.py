"""Withdraw what an account has in open auctions: its bids are voided, its own auctions cancelled.

For an account that ended with trades open, such as one that somebody registered with another person's address. Each
auction is its own transaction, and what is done is skipped, so it can be repeated. The account can start nothing more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.db import transaction

from auctions.models import Auction, Bid
from auctions.services import account_erasure, closing, voiding
from auctions.services.actors import sign
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from accounts.models import User

_OPEN = Auction.Status.OPEN


def withdraw_account(*, user: User, actor: User, reason: str, seconds: float) -> bool:
    """Cancel the user's open auctions, with bids too, void their bids on others', and stop watching.

    Begins with no auction after `seconds`; return whether all is done. Everybody affected is notified; of a voided bid
    they read the `reason`. `actor` is who is on record for it.
    """
    until = time.monotonic() + seconds
    own = Auction.objects.filter(product__seller=user, status=_OPEN).order_by("pk")
    for product_id in list(own.values_list("pk", flat=True)):
        if time.monotonic() > until:
            return False
        with transaction.atomic():
            auction, now = lock_or_404(product_id)
            if auction.status == _OPEN:
                closing.record_cancellation(auction, now, by="staff", signed=sign(actor, reason))
    bids = Bid.objects.made_by(user.pk)
    bid_on = bids.filter(product__auction__status=_OPEN).order_by("product").values_list("product", flat=True)
    for product_id in list(bid_on.distinct()):
        if time.monotonic() > until:
            return False
        with transaction.atomic():
            auction, now = lock_or_404(product_id)
            # The newest first: the leading bid.
            for bid in bids.filter(product=product_id).order_by("-version") if auction.status == _OPEN else ():
                voiding.record_void(auction, bid, now, actor=actor, reason=reason)
    with transaction.atomic():
        account_erasure.lock_rows(user=user)
        account_erasure.erase_account(user=user)
    return True
