"""Second chances: the winner did not pay, so the next bidder can buy at the price without the winner's bids."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from accounts.services import bidder_status
from auctioncraft.core import clock, money
from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import NotFound
from auctioncraft.core.jobs import process_each, rows_by_time
from auctions.errors import SecondChanceNotOpen, SecondChanceUnavailable
from auctions.models import Auction, AuctionEvent, Bid, SecondChanceOffer
from auctions.services import closing, eligibility, event_log
from auctions.services.actors import role_in, sign
from auctions.services.locking import lock_auction, lock_or_404

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from accounts.models import User

Kind = AuctionEvent.Kind
Status = SecondChanceOffer.Status

# How long the bidder has to answer (docs/rules.md, After the sale).
OFFER_LIFETIME: Final = timedelta(hours=24)


def offer(*, product_id: int, actor: User, reason: str = "") -> SecondChanceOffer:
    """Offer a product that its winner did not pay to the next bidder for 24 hours, as its seller or staff.

    To whom, and at which price, _next_buyer says. Nobody has to accept. `reason` is recorded. Raises NotFound,
    PermissionDenied, ConflictOfInterest, SecondChanceUnavailable.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        role_in(actor, product)
        pending = SecondChanceOffer.objects.open().filter(product=product).exists()
        if auction.payment_defaulted_at is None or pending or closing.was_relisted(product):
            raise SecondChanceUnavailable
        if not bidder_status.lock_account(user_id=product.seller_id).is_active:
            raise SecondChanceUnavailable("The account of its seller is closed.")
        found = _next_buyer(auction, now)
        if found is None:
            raise SecondChanceUnavailable
        bidder_id, amount = found
        terms = Bid.objects.terms_of_leader(product_id, bidder_id)
        made = SecondChanceOffer.objects.create(
            product=product,
            bidder_id=bidder_id,
            amount=amount,
            terms=terms.to_json(),
            offered_at=now,
            expires_at=now + OFFER_LIFETIME,
        )
        named = {
            "amount": money.to_text(amount, terms.currency),
            "total": money.to_text(terms.total(amount), terms.currency),
            "expires_at": isoformat_utc(made.expires_at),
        }
        _log(auction, Kind.SECOND_CHANCE_OFFERED, now, bidder=bidder_id, **named, **sign(actor, reason))
    return made


def accept(*, product_id: int, bidder: User) -> Auction:
    """Accept an offer: the product is sold to `bidder` at its amount. Return the auction with its product.

    Raises NotFound if there is no offer to them, SecondChanceNotOpen, and what eligibility.check raises. Sends
    auction_sold in the transaction.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        found = _open_offer(product_id, bidder, now)
        if not bidder_status.is_active(user_id=auction.product.seller_id):
            raise SecondChanceNotOpen
        eligibility.check(user_id=bidder.pk, price=found.amount, product=auction.product, now=now)
        _answer(found, Status.ACCEPTED, now)
        closing.mark_sold(auction, to=bidder.pk, price=found.amount, sale_type=Auction.SaleType.SECOND_CHANCE)
        auction.payment_defaulted_at = None
        closing.record_outcome(auction, Kind.SECOND_CHANCE_ACCEPTED, now, terms=found.sale_terms)
    return auction


def decline(*, product_id: int, bidder: User) -> SecondChanceOffer:
    """Decline an offer. Raises NotFound if there is no offer to them, SecondChanceNotOpen."""
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        found = _open_offer(product_id, bidder, now)
        _answer(found, Status.DECLINED, now)
        _log(auction, Kind.SECOND_CHANCE_DECLINED, now, bidder=bidder.pk)
    return found


def lapse_due() -> int:
    """Mark overdue offers as lapsed, each in its own transaction; return how many. One that fails delays no other."""
    due = SecondChanceOffer.objects.due_to_expire(clock.now())
    return process_each(_lapse, rows_by_time(due, "expires_at", "pk", "product_id"))


def _lapse(offer_id: int, product_id: int) -> bool:
    with transaction.atomic():
        auction = lock_auction(product_id, skip_locked=True)
        now = clock.now()
        found = SecondChanceOffer.objects.due_to_expire(now).filter(pk=offer_id).first()
        if auction is None or found is None:  # locked by another process, or answered meanwhile
            return False
        _answer(found, Status.LAPSED, now)
        _log(auction, Kind.SECOND_CHANCE_LAPSED, now, bidder=found.bidder_id)
    return True


def _next_buyer(auction: Auction, now: datetime) -> tuple[int, Decimal] | None:
    """Return who gets the next offer and at which price: leader and price without those who had their chance.

    That is what the auction would have come to without the bids of those who won and did not pay, who had an offer, or
    who may not buy at that price.
    """
    product = auction.product
    offered = SecondChanceOffer.objects.filter(product=product).values_list("bidder_id", flat=True)
    left_out = {*list_defaulters(product.pk), *offered}
    while True:
        bids = Bid.objects.made_by_people().valid().filter(product=product).exclude(bidder__in=left_out)
        counting = bids.exclude(eligibility.cannot_win("bidder"))
        state = product.rules.recompute(product.terms(), auction.state(), counting.requests())
        state = product.rules.close(product.terms(), state, counting.requests())
        if state.leader is None or state.price is None:
            return None
        if eligibility.may_buy(user_id=state.leader, price=state.price, product=product, now=now):
            return state.leader, state.price
        left_out.add(state.leader)


def list_defaulters(product_id: int) -> set[int]:
    """Return those who won a product and did not pay for it, or not in time."""
    defaults = AuctionEvent.objects.filter(product_id=product_id, kind=Kind.SALE_FELL_THROUGH)
    return {private["buyer"] for private in defaults.values_list("private", flat=True)}


def _open_offer(product_id: int, bidder: User, now: datetime) -> SecondChanceOffer:
    found: SecondChanceOffer | None = SecondChanceOffer.objects.filter(product_id=product_id, bidder=bidder).first()
    if found is None:
        raise NotFound
    if found.status != Status.OFFERED or now >= found.expires_at:
        raise SecondChanceNotOpen
    return found


def _answer(found: SecondChanceOffer, status: SecondChanceOffer.Status, now: datetime) -> None:
    found.status, found.answered_at = status, now
    found.save(update_fields=("status", "answered_at"))


def _log(auction: Auction, kind: AuctionEvent.Kind, now: datetime, **private: Any) -> None:
    """Record an event between the seller and one bidder; the public sees its kind, not the bidder."""
    event_log.record(auction, kind, now, {}, **private, seller=auction.product.seller_id)
