"""What becomes of a result: paid or not, accepted below the reserve, offered to the next bidder, listed again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from auctioncraft.core.errors import NotFound, PermissionDenied
from auctions.errors import (
    BidderSuspended,
    NotRelistable,
    ReserveNotAcceptable,
    SecondChanceNotOpen,
    SecondChanceUnavailable,
)
from auctions.models import Auction, SecondChanceOffer
from auctions.services import closing, relisting, second_chance
from simulation import bidders
from simulation.scheduler import DAY, HOUR, MICROSECOND, SWEPT_WITHIN

if TYPE_CHECKING:
    from datetime import datetime

    from simulation.bidders import Lot
    from simulation.scheduler import Stage
    from simulation.users import Person

# What a seller does about a price below the reserve, a product that nobody has, and a bidder about a second chance.
_BELOW_RESERVE: Final = {"accept": 40, "too late": 10, "relist": 25, "nothing": 25}
_FELL_THROUGH: Final = {"offer": 60, "relist": 25, "nothing": 15}
_OFFERED: Final = {"accept": 45, "decline": 25, "lapse": 30}
_MINUTE: Final = timedelta(minutes=1)


def follow_result(stage: Stage, lot: Lot) -> None:
    """Have those whom it concerns act on the result of a product that has just closed; once."""
    if lot.followed:
        return
    lot.followed = True
    auction = Auction.objects.get(pk=lot.pk)
    stage.counts[auction.result] += 1
    if auction.result == Auction.Result.SOLD:
        stage.tell("sold", lot)
    elif auction.result == Auction.Result.RESERVE_NOT_MET:
        choice = stage.choose(_BELOW_RESERVE)
        if choice == "accept":
            stage.within(timedelta(0), 2 * DAY - MICROSECOND, _accept, stage, lot)
        elif choice == "too late":
            stage.at(
                (auction.closed_at or stage.now) + closing.ACCEPT_BELOW_RESERVE_WINDOW, _accept_too_late, stage, lot
            )
        elif choice == "relist":
            stage.within(HOUR, 3 * DAY, relist, stage, lot)
    elif auction.result == Auction.Result.NO_BIDS and stage.chance(0.4):
        stage.within(HOUR, 3 * DAY, relist, stage, lot)


def fell_through(stage: Stage, lot: Lot) -> None:
    """Have the seller decide about a product that its buyer did not pay."""
    choice = stage.choose(_FELL_THROUGH)
    if choice == "offer":
        stage.within(_MINUTE, DAY, _offer, stage, lot)
    elif choice == "relist":
        stage.within(_MINUTE, 2 * DAY, relist, stage, lot)


def relist(stage: Stage, lot: Lot) -> None:
    """List it again, mostly cheaper; after that it is neither sold nor listed again."""
    if lot.gone:
        return
    seller = lot.seller.user
    with stage.refused(PermissionDenied):
        relisting.relist(product_id=lot.pk, actor=stage.people.staff.user, changes={})
    changes = {"starting_bid": lot.ware.part(0.01), "reserve_price": None} if stage.chance(0.7) else {}
    product = relisting.relist(product_id=lot.pk, actor=seller, changes=changes)
    lot.relisted = True
    stage.counts["relisted"] += 1
    with stage.refused(NotRelistable):
        relisting.relist(product_id=lot.pk, actor=seller, changes={})
    with stage.refused(ReserveNotAcceptable):
        closing.accept_below_reserve(product_id=lot.pk, actor=seller)
    with stage.refused(SecondChanceUnavailable):
        second_chance.offer(product_id=lot.pk, actor=seller)
    stage.tell("listed", bidders.Lot(product.pk, lot.seller, lot.ware), product)


def _accept(stage: Stage, lot: Lot) -> None:
    """Take the price below the reserve after all."""
    with stage.refused(PermissionDenied):
        closing.accept_below_reserve(product_id=lot.pk, actor=stage.people.staff.user)
    auction = closing.accept_below_reserve(product_id=lot.pk, actor=lot.seller.user)
    stage.hold(
        (auction.winner_id, auction.hammer_price) == (auction.leader_id, auction.price), f"{lot}: not as it stood"
    )
    with stage.refused(ReserveNotAcceptable):
        closing.accept_below_reserve(product_id=lot.pk, actor=lot.seller.user)
    stage.tell("sold", lot)


def _accept_too_late(stage: Stage, lot: Lot) -> None:
    with stage.refused(ReserveNotAcceptable):
        closing.accept_below_reserve(product_id=lot.pk, actor=lot.seller.user)


def _offer(stage: Stage, lot: Lot) -> None:
    """Offer it to the next bidder, if there is one left."""
    actor = lot.seller if stage.chance(0.8) else stage.people.staff
    try:
        made = second_chance.offer(product_id=lot.pk, actor=actor.user)
    except SecondChanceUnavailable:
        stage.counts["nobody left to offer to"] += 1
        if stage.chance(0.5):
            stage.within(_MINUTE, DAY, relist, stage, lot)
        return
    stage.counts["second chances"] += 1
    bidder = stage.people[made.bidder_id]
    stage.hold(made.amount <= bidder.offered[lot.pk], f"{lot}: {bidder} never offered {made.amount}")
    with stage.refused(SecondChanceUnavailable):
        second_chance.offer(product_id=lot.pk, actor=actor.user)
    with stage.refused(NotRelistable):
        relisting.relist(product_id=lot.pk, actor=lot.seller.user, changes={})
    _have_it_answered(stage, lot, bidder, made.expires_at)


def _have_it_answered(stage: Stage, lot: Lot, bidder: Person, expires_at: datetime) -> None:
    choice = stage.choose(_OFFERED)
    if choice == "lapse":
        # Between the end of the offer and the sweep that notes it.
        stage.at(expires_at, _answer_too_late, stage, lot, bidder)
    else:
        act = _take_offer if choice == "accept" else _decline
        stage.within(timedelta(0), second_chance.OFFER_LIFETIME - MICROSECOND, act, stage, lot, bidder)
    stage.at(expires_at + stage.between(timedelta(0), SWEPT_WITHIN), _lapse, stage, lot, bidder)


def _take_offer(stage: Stage, lot: Lot, bidder: Person) -> None:
    with stage.refused(NotFound):
        second_chance.accept(product_id=lot.pk, bidder=lot.seller.user)
    try:
        auction = second_chance.accept(product_id=lot.pk, bidder=bidder.user)
    except BidderSuspended:
        bidders.suspended(stage, bidder)
        return
    stage.hold(auction.winner_id == bidder.pk, f"{lot}: {bidder} took it, {auction.winner_id} has it")
    with stage.refused(SecondChanceNotOpen):
        second_chance.accept(product_id=lot.pk, bidder=bidder.user)
    stage.tell("sold", lot)


def _decline(stage: Stage, lot: Lot, bidder: Person) -> None:
    second_chance.decline(product_id=lot.pk, bidder=bidder.user)
    with stage.refused(SecondChanceNotOpen):
        second_chance.accept(product_id=lot.pk, bidder=bidder.user)
    fell_through(stage, lot)


def _answer_too_late(stage: Stage, lot: Lot, bidder: Person) -> None:
    with stage.refused(SecondChanceNotOpen):
        second_chance.accept(product_id=lot.pk, bidder=bidder.user)


def _lapse(stage: Stage, lot: Lot, bidder: Person) -> None:
    """Sweep; if it was this offer that lapsed, the seller decides anew."""
    second_chance.lapse_due()
    made = SecondChanceOffer.objects.get(product_id=lot.pk, bidder_id=bidder.pk)
    stage.hold(made.status != SecondChanceOffer.Status.OFFERED, f"{lot}: the offer to {bidder} is open past its end")
    if made.status == SecondChanceOffer.Status.LAPSED:
        stage.counts["second chances lapsed"] += 1
        fell_through(stage, lot)
