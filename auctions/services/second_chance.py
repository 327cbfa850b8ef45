"""Second chances: the winner did not pay, so the next-highest bidder can buy at their own highest amount."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models.functions import Coalesce

from accounts.services import bidder_status, user_locking
from accounts.services.account_states import is_suspended
from auctioncraft.core import clock, money
from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import NotFound
from auctioncraft.core.jobs import process_each, rows_by_time
from auctioncraft.core.model_fields import MoneyField
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

    That is the highest bidder who has not won it or been offered it yet; of two with the same amount, the earlier one.
    Nobody has to accept. `reason` is recorded. Raises NotFound, PermissionDenied, ConflictOfInterest,
    SecondChanceUnavailable.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        role_in(actor, product)
        pending = SecondChanceOffer.objects.open().filter(product=product).exists()
        if auction.payment_defaulted_at is None or pending or closing.was_relisted(product):
            raise SecondChanceUnavailable
        if not user_locking.lock_active_users(user_ids={product.seller_id}):
            raise SecondChanceUnavailable("Its seller is not here any more.")
        found = _next_bidder(product_id)
        if found is None:
            raise SecondChanceUnavailable
        bidder_id, amount = found
        made = SecondChanceOffer.objects.create(
            product=product, bidder_id=bidder_id, amount=amount, offered_at=now, expires_at=now + OFFER_LIFETIME
        )
        terms = {"amount": money.to_text(amount, product.currency), "expires_at": isoformat_utc(made.expires_at)}
        _log(auction, Kind.SECOND_CHANCE_OFFERED, now, bidder=bidder_id, **terms, **sign(actor, reason))
    return made


def accept(*, product_id: int, bidder: User) -> Auction:
    """Accept an offer: the product is sold to `bidder` at its amount. Return the auction with its product.

    Raises NotFound if there is no offer to them, SecondChanceNotOpen, BidderSuspended, CardRequired, NotAuthenticated.
    Sends auction_sold in the transaction.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        found = _open_offer(product_id, bidder, now)
        user_locking.lock_active_user(user_id=bidder.pk)
        if bidder_status.is_erased(user_id=auction.product.seller_id):
            raise SecondChanceNotOpen
        eligibility.check(user_id=bidder.pk, price=found.amount, currency=auction.product.currency)
        _answer(found, Status.ACCEPTED, now)
        closing.mark_sold(auction, to=bidder.pk, price=found.amount, sale_type=Auction.SaleType.SECOND_CHANCE)
        auction.payment_defaulted_at = None
        closing.record_outcome(auction, Kind.SECOND_CHANCE_ACCEPTED, now)
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


def _next_bidder(product_id: int) -> tuple[int, Decimal] | None:
    """Return the highest bidder who can still get an offer, and their highest amount."""
    excluded = set(SecondChanceOffer.objects.filter(product_id=product_id).values_list("bidder_id", flat=True))
    sales = AuctionEvent.objects.filter(product_id=product_id, kind__in=(Kind.CLOSED, Kind.RESERVE_WAIVED))
    excluded |= {private["winner"] for private in sales.values_list("private", flat=True)}
    highest = Coalesce("max_amount", "amount", output_field=MoneyField())
    bids = Bid.objects.made_by_people().valid().filter(product_id=product_id).exclude(bidder__in=excluded - {None})
    # Of two with the same highest amount the earlier comes first.
    rows = bids.filter(bidder__is_active=True).annotate(highest=highest).order_by("-highest", "version")
    candidates = rows.values_list("bidder_id", "highest", "bidder__strikes").iterator(chunk_size=100)
    return next(((bidder, amount) for bidder, amount, strikes in candidates if not is_suspended(strikes)), None)


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
