"""What sellers and staff do about an open auction: list, edit, close, cancel, extend, void."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from auctioncraft.core.errors import PermissionDenied
from auctions import queries
from auctions.errors import AuctionAlreadyClosed, AuctionHasBids, BidAlreadyVoided
from auctions.services import closing, editing, listing, voiding
from notifications.services import ending_soon
from simulation import bidders
from simulation.bidders import Lot
from simulation.products import draft_product
from simulation.scheduler import DAY, HOUR, JOB_DELAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from auctions.models import Product
    from simulation.scheduler import Scheduler
    from simulation.users import ProductPage, SimulatedUser

_RUNNING: Final = ("scheduled", "open", "ended")
# Of what staff do.
_REASON: Final = "An outage."


def list_product(sim: Scheduler, category_id: int) -> None:
    """Have a random seller list a product."""
    seller = sim.rng.choice(sim.users.sellers)
    draft = draft_product(sim, category_id=category_id)
    product = listing.create_product(seller=seller.account, **draft.fields)
    sim.counts["listed"] += 1
    schedule_auction(sim, Lot(product.pk, seller, draft), product)


def schedule_auction(sim: Scheduler, lot: Lot, product: Product) -> None:
    """Schedule what happens to a product that was just listed or relisted."""
    starts_at, ends_at = product.auction.starts_at, product.auction.ends_at
    bidders.schedule_visits(sim, lot, starts_at, ends_at)
    for probability, act in _RANDOM_ACTIONS:
        if sim.chance(probability):
            sim.at(starts_at + (ends_at - starts_at) * sim.rng.random() * 1.05, act, sim, lot)
    _schedule_close(sim, lot, ends_at)


def _schedule_close(sim: Scheduler, lot: Lot, ends_at: datetime) -> None:
    sim.at(ends_at - sim.between(timedelta(0), ending_soon.NOTIFY_BEFORE), _notify_ending_soon)
    sim.at(ends_at + sim.between(timedelta(0), JOB_DELAY), close_due, sim, lot)


def _notify_ending_soon() -> None:
    ending_soon.notify_ending_soon()


def close_due(sim: Scheduler, lot: Lot) -> None:
    """Run the job that closes auctions; schedule it again if this auction's end moved."""
    sim.counts["closed by the job"] += closing.close_due()
    page = bidders.view_product(sim, lot, sim.users.staff)
    if page is None:
        return
    if page.status in _RUNNING:
        sim.check(page.ends_at > sim.now, f"{lot} is open after its end")
        _schedule_close(sim, lot, page.ends_at)
    else:
        sim.publish("closed", lot)


def _edit(sim: Scheduler, lot: Lot) -> None:
    """Edit the product; with bids, only text can be added to the description."""
    page = bidders.view_product(sim, lot, lot.seller)
    if page is None:
        return
    if page.status not in {"scheduled", "open"}:
        with sim.expect_refusal(AuctionAlreadyClosed):
            _change(lot, name="Too late")
        return
    if lot.bids:
        _change(lot, description=f"{_description(sim, lot)} Smoke-free home.")
        with sim.expect_refusal(AuctionHasBids):
            _change(lot, starting_bid=page.minimum * 2)
    else:
        changed = _change(lot, **_changes(sim, lot, page))
        sim.check(changed.auction.starts_at < changed.auction.ends_at, f"{lot}: ends before it starts")
        _schedule_close(sim, lot, changed.auction.ends_at)
    sim.counts["edited"] += 1


def _changes(sim: Scheduler, lot: Lot, page: ProductPage) -> dict[str, Any]:
    changes: dict[str, Any] = {"name": f"Better {lot.pk}", "reserve_price": None}
    if sim.chance(0.5):
        # A hundredth of the value is below any buy-now price.
        changes["starting_bid"] = lot.draft.share(0.01)
    if sim.chance(0.4):
        changes["ends_at"] = page.ends_at + sim.between(-(page.ends_at - max(sim.now, page.starts_at)) / 2, DAY)
    elif page.status == "scheduled" and sim.chance(0.5):
        changes["starts_at"] = sim.now + (page.ends_at - sim.now) / 2
    return changes


def _description(sim: Scheduler, lot: Lot) -> str:
    row = queries.get_product_detail(product_id=lot.pk)
    sim.check(row is not None, f"{lot} is missing")
    return str(row and row["description"])


def _change(lot: Lot, **changes: Any) -> Product:
    return editing.edit_product(product_id=lot.pk, actor=lot.seller.account, changes=changes)


def _close_early(sim: Scheduler, lot: Lot) -> None:
    """Close before the end, or after it and before the job; perhaps below the reserve."""
    _close(sim, lot, lot.seller, accept_below_reserve=sim.chance(0.5))


def _close_by_staff(sim: Scheduler, lot: Lot) -> None:
    _close(sim, lot, sim.users.staff)


def _close(sim: Scheduler, lot: Lot, actor: SimulatedUser, **options: Any) -> None:
    page = bidders.view_product(sim, lot, actor)
    if page is None:
        return
    if page.status not in _RUNNING:
        with sim.expect_refusal(AuctionAlreadyClosed):
            closing.close_auction(product_id=lot.pk, actor=actor.account, **options)
        return
    if lot.bids:
        bidder = lot.bids[0][1].account
        with sim.expect_refusal(PermissionDenied):
            closing.close_auction(product_id=lot.pk, actor=bidder)
    closing.close_auction(product_id=lot.pk, actor=actor.account, **options)
    sim.counts["closed by hand"] += 1
    sim.publish("closed", lot)


def _cancel(sim: Scheduler, lot: Lot) -> None:
    """Cancel the auction; with bids, only staff can."""
    page = bidders.view_product(sim, lot, lot.seller)
    if page is None:
        return
    staff = sim.users.staff
    if page.status not in _RUNNING:
        with sim.expect_refusal(AuctionAlreadyClosed):
            closing.cancel_auction(product_id=lot.pk, actor=staff.account, reason=_REASON)
        return
    if page.price is not None:
        with sim.expect_refusal(AuctionHasBids):
            closing.cancel_auction(product_id=lot.pk, actor=lot.seller.account)
    actor = lot.seller if page.price is None and sim.chance(0.7) else staff
    closing.cancel_auction(product_id=lot.pk, actor=actor.account, reason=_REASON)
    sim.publish("closed", lot)


def _delete(sim: Scheduler, lot: Lot) -> None:
    """Delete the product, which is refused once it has bids or was sold."""
    page = bidders.view_product(sim, lot, lot.seller)
    if page is None:
        return
    if lot.bids or page.status == "sold":
        with sim.expect_refusal(AuctionHasBids, AuctionAlreadyClosed):
            editing.delete_product(product_id=lot.pk, actor=lot.seller.account)
        return
    editing.delete_product(product_id=lot.pk, actor=lot.seller.account)
    lot.is_deleted = True
    sim.counts["deleted"] += 1


def _extend(sim: Scheduler, lot: Lot) -> None:
    """Extend the auction, as staff do after an outage."""
    page = bidders.view_product(sim, lot, sim.users.staff)
    if page is None:
        return
    later = max(page.ends_at, sim.now) + sim.between(HOUR, DAY)
    if page.status not in _RUNNING:
        with sim.expect_refusal(AuctionAlreadyClosed):
            closing.extend_auction(product_id=lot.pk, actor=sim.users.staff.account, ends_at=later, reason=_REASON)
        return
    with sim.expect_refusal(PermissionDenied):
        closing.extend_auction(product_id=lot.pk, actor=lot.seller.account, ends_at=later, reason=_REASON)
    auction = closing.extend_auction(product_id=lot.pk, actor=sim.users.staff.account, ends_at=later, reason=_REASON)
    sim.check(auction.ends_at == later <= auction.hard_ends_at, f"{lot}: extended to {later}")
    sim.counts["extended by staff"] += 1
    _schedule_close(sim, lot, later)


def _void(sim: Scheduler, lot: Lot) -> None:
    """Void a random bid."""
    page = bidders.view_product(sim, lot, sim.users.staff)
    if page is None or not lot.bids:
        return
    bid_id, _ = sim.rng.choice(lot.bids)
    void: Callable[[SimulatedUser], Any] = lambda actor: voiding.void_bid(  # noqa: E731 (used three times below)
        product_id=lot.pk, bid_id=bid_id, actor=actor.account, reason="Not meant."
    )
    if page.status not in _RUNNING:
        with sim.expect_refusal(AuctionAlreadyClosed):
            void(sim.users.staff)
    elif bid_id in lot.voided:
        with sim.expect_refusal(BidAlreadyVoided):
            void(sim.users.staff)
    else:
        with sim.expect_refusal(PermissionDenied):
            void(lot.seller)
        auction = void(sim.users.staff)
        lot.voided.add(bid_id)
        none_left = len(lot.voided) == len(lot.bids)
        sim.check(none_left == (auction.leader_id is None), f"{lot}: led by {auction.leader_id} after a void")
        sim.counts["voided"] += 1


# Actions and their probabilities, each at a random time between the start and a little after the end.
_RANDOM_ACTIONS: Final[tuple[tuple[float, Callable[[Scheduler, Lot], None]], ...]] = (
    (0.12, _edit),
    (0.06, _close_early),
    (0.02, _close_by_staff),
    (0.04, _cancel),
    (0.03, _delete),
    (0.03, _extend),
    (0.06, _void),
    (0.02, _void),
)
