"""What sellers and staff do about a product while it is on the market: list, edit, close, call off, extend, void."""

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
from simulation.products import new_ware
from simulation.scheduler import DAY, HOUR, SWEPT_WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from auctions.models import Product
    from simulation.scheduler import Stage
    from simulation.users import Person, Seen

_RUNNING: Final = ("scheduled", "open", "ended")


def list_product(stage: Stage, category_id: int) -> None:
    """Have some seller list something."""
    seller = stage.rng.choice(stage.people.sellers)
    ware = new_ware(stage, category_id=category_id)
    product = listing.create_product(seller=seller.user, **ware.fields)
    stage.counts["listed"] += 1
    begin(stage, Lot(product.pk, seller, ware), product)


def begin(stage: Stage, lot: Lot, product: Product) -> None:
    """Let the market find out about a product that was just listed, or listed again."""
    starts_at, ends_at = product.auction.starts_at, product.auction.ends_at
    bidders.invite(stage, lot, starts_at, ends_at)
    for probability, act in _MEDDLING:
        if stage.chance(probability):
            stage.at(starts_at + (ends_at - starts_at) * stage.rng.random() * 1.05, act, stage, lot)
    _await_close(stage, lot, ends_at)


def _await_close(stage: Stage, lot: Lot, ends_at: datetime) -> None:
    stage.at(ends_at - stage.between(timedelta(0), ending_soon.NOTIFY_BEFORE), _tell_ending_soon)
    stage.at(ends_at + stage.between(timedelta(0), SWEPT_WITHIN), close_due, stage, lot)


def _tell_ending_soon() -> None:
    ending_soon.notify_ending_soon()


def close_due(stage: Stage, lot: Lot) -> None:
    """Sweep, as the worker does each second; come again if this product's end has moved."""
    stage.counts["closed by the sweep"] += closing.close_due()
    seen = bidders.look(stage, lot, stage.people.staff)
    if seen is None:
        return
    if seen.status in _RUNNING:
        stage.hold(seen.ends_at > stage.now, f"{lot} is open past its end")
        _await_close(stage, lot, seen.ends_at)
    else:
        stage.tell("closed", lot)


def _edit(stage: Stage, lot: Lot) -> None:
    """Change something, which with bids is the end of the description only."""
    seen = bidders.look(stage, lot, lot.seller)
    if seen is None:
        return
    if seen.status not in {"scheduled", "open"}:
        with stage.refused(AuctionAlreadyClosed):
            _change(lot, name="Too late")
        return
    if lot.bids:
        _change(lot, description=f"{_described(stage, lot)} Smoke-free home.")
        with stage.refused(AuctionHasBids):
            _change(lot, starting_bid=seen.minimum * 2)
    else:
        changed = _change(lot, **_changes(stage, lot, seen))
        stage.hold(changed.auction.starts_at < changed.auction.ends_at, f"{lot}: ends before it starts")
        _await_close(stage, lot, changed.auction.ends_at)
    stage.counts["edited"] += 1


def _changes(stage: Stage, lot: Lot, seen: Seen) -> dict[str, Any]:
    changes: dict[str, Any] = {"name": f"Better {lot.pk}", "reserve_price": None}
    if stage.chance(0.5):
        # Halved, it is still below any buy-now price.
        changes["starting_bid"] = lot.ware.part(0.01)
    if stage.chance(0.4):
        changes["ends_at"] = seen.ends_at + stage.between(-(seen.ends_at - max(stage.now, seen.starts_at)) / 2, DAY)
    elif seen.status == "scheduled" and stage.chance(0.5):
        changes["starts_at"] = stage.now + (seen.ends_at - stage.now) / 2
    return changes


def _described(stage: Stage, lot: Lot) -> str:
    row = queries.get_product_detail(product_id=lot.pk)
    stage.hold(row is not None, f"{lot} is not there")
    return str(row and row["description"])


def _change(lot: Lot, **changes: Any) -> Product:
    return editing.edit_product(product_id=lot.pk, actor=lot.seller.user, changes=changes)


def _close_early(stage: Stage, lot: Lot) -> None:
    """Close before the end, or after it and before the worker; perhaps at a price below the reserve."""
    _end(stage, lot, lot.seller, accept_below_reserve=stage.chance(0.5))


def _close_by_staff(stage: Stage, lot: Lot) -> None:
    _end(stage, lot, stage.people.staff)


def _end(stage: Stage, lot: Lot, actor: Person, **how: bool) -> None:
    seen = bidders.look(stage, lot, actor)
    if seen is None:
        return
    if seen.status not in _RUNNING:
        with stage.refused(AuctionAlreadyClosed):
            closing.close_auction(product_id=lot.pk, actor=actor.user, **how)
        return
    if lot.bids:
        bidder = lot.bids[0][1].user
        with stage.refused(PermissionDenied):
            closing.close_auction(product_id=lot.pk, actor=bidder)
    closing.close_auction(product_id=lot.pk, actor=actor.user, **how)
    stage.counts["closed by hand"] += 1
    stage.tell("closed", lot)


def _cancel(stage: Stage, lot: Lot) -> None:
    """Call it off, which with bids only staff can."""
    seen = bidders.look(stage, lot, lot.seller)
    if seen is None:
        return
    staff = stage.people.staff
    if seen.status not in _RUNNING:
        with stage.refused(AuctionAlreadyClosed):
            closing.cancel_auction(product_id=lot.pk, actor=staff.user)
        return
    if seen.price is not None:
        with stage.refused(AuctionHasBids):
            closing.cancel_auction(product_id=lot.pk, actor=lot.seller.user)
    actor = lot.seller if seen.price is None and stage.chance(0.7) else staff
    closing.cancel_auction(product_id=lot.pk, actor=actor.user)
    stage.tell("closed", lot)


def _delete(stage: Stage, lot: Lot) -> None:
    """Withdraw it, which nobody can once it was bid on or sold."""
    seen = bidders.look(stage, lot, lot.seller)
    if seen is None:
        return
    if lot.bids or seen.status == "sold":
        with stage.refused(AuctionHasBids, AuctionAlreadyClosed):
            editing.delete_product(product_id=lot.pk, actor=lot.seller.user)
        return
    editing.delete_product(product_id=lot.pk, actor=lot.seller.user)
    lot.gone = True
    stage.counts["deleted"] += 1


def _extend(stage: Stage, lot: Lot) -> None:
    """Move the end on, as staff do after an outage."""
    seen = bidders.look(stage, lot, stage.people.staff)
    if seen is None:
        return
    later = max(seen.ends_at, stage.now) + stage.between(HOUR, DAY)
    if seen.status not in _RUNNING:
        with stage.refused(AuctionAlreadyClosed):
            closing.extend_auction(product_id=lot.pk, actor=stage.people.staff.user, ends_at=later)
        return
    with stage.refused(PermissionDenied):
        closing.extend_auction(product_id=lot.pk, actor=lot.seller.user, ends_at=later)
    auction = closing.extend_auction(product_id=lot.pk, actor=stage.people.staff.user, ends_at=later)
    stage.hold(auction.ends_at == later <= auction.hard_ends_at, f"{lot}: extended to {later}")
    stage.counts["extended by staff"] += 1
    _await_close(stage, lot, later)


def _void(stage: Stage, lot: Lot) -> None:
    """Declare one of the bids void."""
    seen = bidders.look(stage, lot, stage.people.staff)
    if seen is None or not lot.bids:
        return
    bid_id, _ = stage.rng.choice(lot.bids)
    void: Callable[[Person], Any] = lambda actor: voiding.void_bid(  # noqa: E731 (said three times below)
        product_id=lot.pk, bid_id=bid_id, actor=actor.user, reason="Not meant."
    )
    if seen.status not in _RUNNING:
        with stage.refused(AuctionAlreadyClosed):
            void(stage.people.staff)
    elif bid_id in lot.voided:
        with stage.refused(BidAlreadyVoided):
            void(stage.people.staff)
    else:
        with stage.refused(PermissionDenied):
            void(lot.seller)
        auction = void(stage.people.staff)
        lot.voided.add(bid_id)
        none_left = len(lot.voided) == len(lot.bids)
        stage.hold(none_left == (auction.leader_id is None), f"{lot}: led by {auction.leader_id} after a void")
        stage.counts["voided"] += 1


# What happens to a product now and then, at any moment between its start and a little after its end.
_MEDDLING: Final[tuple[tuple[float, Callable[[Stage, Lot], None]], ...]] = (
    (0.12, _edit),
    (0.06, _close_early),
    (0.02, _close_by_staff),
    (0.04, _cancel),
    (0.03, _delete),
    (0.03, _extend),
    (0.06, _void),
    (0.02, _void),
)
