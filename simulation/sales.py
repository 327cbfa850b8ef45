"""What follows a close: acceptance below the reserve, second chances, relistings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from auctioncraft.core.errors import NotFound, PermissionDenied
from auctions.errors import (
    NotRelistable,
    ReserveNotAcceptable,
    SecondChanceNotOpen,
    SecondChanceUnavailable,
)
from auctions.models import Auction, SecondChanceOffer
from auctions.services import closing, relisting, second_chance
from simulation import bidders
from simulation.scheduler import DAY, HOUR, JOB_DELAY, MICROSECOND

if TYPE_CHECKING:
    from datetime import datetime

    from simulation.bidders import Lot
    from simulation.scheduler import Scheduler
    from simulation.users import SimulatedUser

# What a seller does below the reserve and after a payment default, and a bidder with a second chance.
_BELOW_RESERVE: Final = {"accept": 40, "too late": 10, "relist": 25, "nothing": 25}
_AFTER_DEFAULT: Final = {"offer": 60, "relist": 25, "nothing": 15}
_OFFERED: Final = {"accept": 45, "decline": 25, "lapse": 30}
_MINUTE: Final = timedelta(minutes=1)


def react_to_result(sim: Scheduler, lot: Lot) -> None:
    """Schedule what seller and buyer do about the result of a close; once per product."""
    if lot.is_settled:
        return
    lot.is_settled = True
    auction = Auction.objects.get(pk=lot.pk)
    sim.counts[auction.result] += 1
    if auction.result == Auction.Result.SOLD:
        sim.publish("sold", lot)
    elif auction.result == Auction.Result.RESERVE_NOT_MET:
        choice = sim.choose(_BELOW_RESERVE)
        if choice == "accept":
            sim.within(timedelta(0), 2 * DAY - MICROSECOND, _accept_below_reserve, sim, lot)
        elif choice == "too late":
            sim.at(
                (auction.closed_at or sim.now) + closing.ACCEPT_BELOW_RESERVE_WINDOW,
                _accept_too_late,
                sim,
                lot,
            )
        elif choice == "relist":
            sim.within(HOUR, 3 * DAY, relist, sim, lot)
    elif auction.result == Auction.Result.NO_BIDS and sim.chance(0.4):
        sim.within(HOUR, 3 * DAY, relist, sim, lot)


def react_to_default(sim: Scheduler, lot: Lot) -> None:
    """Schedule what the seller does about a product whose buyer did not pay."""
    choice = sim.choose(_AFTER_DEFAULT)
    if choice == "offer":
        sim.within(_MINUTE, DAY, _offer_second_chance, sim, lot)
    elif choice == "relist":
        sim.within(_MINUTE, 2 * DAY, relist, sim, lot)


def relist(sim: Scheduler, lot: Lot) -> None:
    """Relist the product, mostly cheaper; after that it can neither be sold nor relisted."""
    if lot.is_deleted:
        return
    seller = lot.seller.account
    with sim.expect_refusal(PermissionDenied):
        relisting.relist(product_id=lot.pk, actor=sim.users.staff.account, changes={})
    changes = {"starting_bid": lot.draft.share(0.01), "reserve_price": None} if sim.chance(0.7) else {}
    product = relisting.relist(product_id=lot.pk, actor=seller, changes=changes)
    lot.relisted = True
    sim.counts["relisted"] += 1
    with sim.expect_refusal(NotRelistable):
        relisting.relist(product_id=lot.pk, actor=seller, changes={})
    with sim.expect_refusal(ReserveNotAcceptable):
        closing.accept_below_reserve(product_id=lot.pk, actor=seller)
    with sim.expect_refusal(SecondChanceUnavailable):
        second_chance.offer(product_id=lot.pk, actor=seller)
    sim.publish("listed", bidders.Lot(product.pk, lot.seller, lot.draft), product)


def _accept_below_reserve(sim: Scheduler, lot: Lot) -> None:
    """Accept the price below the reserve."""
    with sim.expect_refusal(PermissionDenied):
        closing.accept_below_reserve(product_id=lot.pk, actor=sim.users.staff.account)
    auction = closing.accept_below_reserve(product_id=lot.pk, actor=lot.seller.account)
    sim.check(
        (auction.winner_id, auction.hammer_price) == (auction.leader_id, auction.price),
        f"{lot}: not sold to its leader at its price",
    )
    with sim.expect_refusal(ReserveNotAcceptable):
        closing.accept_below_reserve(product_id=lot.pk, actor=lot.seller.account)
    sim.publish("sold", lot)


def _accept_too_late(sim: Scheduler, lot: Lot) -> None:
    with sim.expect_refusal(ReserveNotAcceptable):
        closing.accept_below_reserve(product_id=lot.pk, actor=lot.seller.account)


def _offer_second_chance(sim: Scheduler, lot: Lot) -> None:
    """Offer the product to the next bidder, if there is one."""
    actor = lot.seller if sim.chance(0.8) else sim.users.staff
    try:
        made = second_chance.offer(product_id=lot.pk, actor=actor.account)
    except SecondChanceUnavailable:
        sim.counts["no bidder left to offer to"] += 1
        if sim.chance(0.5):
            sim.within(_MINUTE, DAY, relist, sim, lot)
        return
    sim.counts["second chances"] += 1
    bidder = sim.users[made.bidder_id]
    sim.check(made.amount <= bidder.limits[lot.pk], f"{lot}: {bidder} never offered {made.amount}")
    with sim.expect_refusal(SecondChanceUnavailable):
        second_chance.offer(product_id=lot.pk, actor=actor.account)
    with sim.expect_refusal(NotRelistable):
        relisting.relist(product_id=lot.pk, actor=lot.seller.account, changes={})
    _schedule_answer(sim, lot, bidder, made.expires_at)


def _schedule_answer(sim: Scheduler, lot: Lot, bidder: SimulatedUser, expires_at: datetime) -> None:
    choice = sim.choose(_OFFERED)
    if choice == "lapse":
        # Between the end of the offer and the job that lets it lapse.
        sim.at(expires_at, _answer_too_late, sim, lot, bidder)
    else:
        act = _accept_offer if choice == "accept" else _decline_offer
        sim.within(timedelta(0), second_chance.OFFER_LIFETIME - MICROSECOND, act, sim, lot, bidder)
    sim.at(expires_at + sim.between(timedelta(0), JOB_DELAY), _run_lapse, sim, lot, bidder)


def _accept_offer(sim: Scheduler, lot: Lot, bidder: SimulatedUser) -> None:
    with sim.expect_refusal(NotFound):
        second_chance.accept(product_id=lot.pk, bidder=lot.seller.account)
    try:
        auction = second_chance.accept(product_id=lot.pk, bidder=bidder.account)
    except bidders.INELIGIBLE as refusal:
        bidders.check_ineligible(sim, lot, bidder, refusal)
        return
    sim.check(auction.winner_id == bidder.pk, f"{lot}: accepted by {bidder}, sold to {auction.winner_id}")
    with sim.expect_refusal(SecondChanceNotOpen):
        second_chance.accept(product_id=lot.pk, bidder=bidder.account)
    sim.publish("sold", lot)


def _decline_offer(sim: Scheduler, lot: Lot, bidder: SimulatedUser) -> None:
    second_chance.decline(product_id=lot.pk, bidder=bidder.account)
    with sim.expect_refusal(SecondChanceNotOpen):
        second_chance.accept(product_id=lot.pk, bidder=bidder.account)
    react_to_default(sim, lot)


def _answer_too_late(sim: Scheduler, lot: Lot, bidder: SimulatedUser) -> None:
    with sim.expect_refusal(SecondChanceNotOpen):
        second_chance.accept(product_id=lot.pk, bidder=bidder.account)


def _run_lapse(sim: Scheduler, lot: Lot, bidder: SimulatedUser) -> None:
    """Run the job that lets offers lapse; if this one did, the seller decides again."""
    second_chance.lapse_due()
    made = SecondChanceOffer.objects.get(product_id=lot.pk, bidder_id=bidder.pk)
    sim.check(made.status != SecondChanceOffer.Status.OFFERED, f"{lot}: the offer to {bidder} is open after its end")
    if made.status == SecondChanceOffer.Status.LAPSED:
        sim.counts["second chances lapsed"] += 1
        react_to_default(sim, lot)
