"""One product on the market, and those who come to look at it: bidders, takers of buy-now prices, watchers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.services import bidder_status
from auctioncraft.core import money
from auctioncraft.core.errors import Invalid
from auctioncraft.core.precompiled import PrecompiledQuery
from auctions.errors import (
    AuctionNotOpen,
    BidderSuspended,
    BidTooLow,
    BuyNowUnavailable,
    MaximumNotRaised,
    SellerCannotBid,
)
from auctions.models import Product
from auctions.serializers.product_rows import product_row
from auctions.services import bidding, buying, previewing, watching
from simulation.products import part_of
from simulation.scheduler import DAY, MICROSECOND, SECOND
from simulation.users import STRATEGIES, Offer, Person, Seen

if TYPE_CHECKING:
    from simulation.products import Ware
    from simulation.scheduler import Stage

# What a product's page rests on, but for its pictures and its history.
_page = PrecompiledQuery(
    lambda product_id: Product.objects.filter(pk=product_id).order_by().rows("auction__leader_id"), arguments=1
)
# How many people are interested in a product, and how likely.
CROWDS: Final = {0: 10, 1: 10, 2: 15, 4: 25, 6: 20, 9: 15, 14: 5}
# How often somebody comes again, by strategy.
_VISITS: Final = {"incremental": 10, "proxy": 2, "jump": 3, "sniper": 3}
# Before the end: when a sniper bids, sometimes in the last microsecond, sometimes too late.
_SNIPES: Final = {MICROSECOND: 10, 2 * SECOND: 40, 20 * SECOND: 40, timedelta(0): 10}


@dataclass(eq=False, slots=True)
class Lot:
    """A product as those who are concerned remember it: `bids` are all that were taken, with who made them."""

    pk: int
    seller: Person
    ware: Ware
    relisted: bool = False
    gone: bool = False
    followed: bool = False
    bids: list[tuple[UUID, Person]] = field(default_factory=list)
    voided: set[UUID] = field(default_factory=set)

    def __str__(self) -> str:
        return f"product {self.pk}"


def look(stage: Stage, lot: Lot, person: Person) -> Seen | None:
    """Return what the product's page shows `person`; None if it was deleted."""
    row = next(iter(_page.rows(lot.pk)), None)
    if row is None:
        stage.hold(lot.gone, f"{lot} is not there")
        return None
    shown = product_row(row)
    price, buy_now = shown["current_price"], shown["buy_now_price"]
    return Seen(
        status=shown["status"],
        currency=shown["currency"],
        price=None if price is None else Decimal(price),
        minimum=Decimal(shown["minimum_bid"]),
        buy_now=None if buy_now is None else Decimal(buy_now),
        starts_at=shown["starts_at"],
        ends_at=shown["ends_at"],
        leading=row["auction__leader_id"] == person.pk,
    )


def invite(stage: Stage, lot: Lot, starts_at: datetime, ends_at: datetime) -> None:
    """Have people come to look at a product that was just listed."""
    length = ends_at - starts_at
    for person in stage.people.crowd(stage.rng, stage.choose(CROWDS)):
        worth = part_of(lot.ware.worth, stage.rng.lognormvariate(0, 0.35), lot.ware.currency)
        if stage.chance(0.1):
            stage.at(starts_at + length * stage.rng.random() * 0.3, take, stage, lot, person, worth)
        elif person.strategy == "sniper":
            stage.at(ends_at - _snipe(stage), visit, stage, lot, person, worth, _VISITS["sniper"])
        else:
            first = starts_at + length * (stage.rng.random() - 0.05)
            stage.at(first, visit, stage, lot, person, worth, _VISITS[person.strategy])
        if stage.chance(0.15):
            stage.at(starts_at + length * stage.rng.random(), follow, stage, lot, person)


def visit(stage: Stage, lot: Lot, person: Person, worth: Decimal, more: int) -> None:
    """Look, bid if it is worth it, and come again `more` times at most."""
    seen = look(stage, lot, person)
    if seen is None:
        return
    if person is lot.seller:
        _bid_on_own(stage, lot, person, seen)
    elif seen.status == "scheduled":
        _bid_in_vain(stage, lot, person, seen, 0.1)
        stage.at(seen.starts_at, visit, stage, lot, person, worth, more)
    elif seen.status == "open":
        ends_at = _bid_on_open(stage, lot, person, seen, worth)
        # Prices do not fall: what is too dear now stays so.
        if more and (seen.leading or seen.minimum <= worth):
            stage.at(_again(stage, person, ends_at), visit, stage, lot, person, worth, more - 1)
    else:
        _bid_in_vain(stage, lot, person, seen, 0.2)


def take(stage: Stage, lot: Lot, person: Person, worth: Decimal) -> None:
    """Buy at the seller's price, if that can still be done and is worth it."""
    seen = look(stage, lot, person)
    if seen is None:
        return
    if person is lot.seller:
        with stage.refused(SellerCannotBid):
            buying.buy_now(product_id=lot.pk, buyer=person.user)
    elif seen.status != "open":
        with stage.refused(AuctionNotOpen):
            buying.buy_now(product_id=lot.pk, buyer=person.user)
    elif seen.buy_now is None:
        with stage.refused(BuyNowUnavailable):
            buying.buy_now(product_id=lot.pk, buyer=person.user)
    elif seen.buy_now <= worth * 2:
        try:
            auction = buying.buy_now(product_id=lot.pk, buyer=person.user)
        except BidderSuspended:
            suspended(stage, person)
            return
        right = (auction.winner_id, auction.hammer_price) == (person.pk, seen.buy_now)
        stage.hold(right, f"{lot}: bought at {seen.buy_now}, sold at {auction.hammer_price} to {auction.winner_id}")
        stage.tell("closed", lot)


def follow(stage: Stage, lot: Lot, person: Person) -> None:
    """Put it on one's watch list, or take it off again."""
    if lot.gone:
        return
    watching.watch(product_id=lot.pk, user=person.user)
    if stage.chance(0.3):
        watching.unwatch(product_id=lot.pk, user=person.user)


def suspended(stage: Stage, person: Person) -> None:
    """Hold that a suspended bidder is one, and have staff look at their case in the days to come."""
    strikes = User.objects.get(pk=person.pk).strikes
    stage.hold(strikes >= settings.STRIKES_BEFORE_BAN, f"{person} is suspended with {strikes} strikes")
    stage.counts["suspended"] += 1
    if not person.awaits_review:
        person.awaits_review = True
        stage.within(DAY, 3 * DAY, _review, stage, person)


def _review(stage: Stage, person: Person) -> None:
    person.awaits_review = False
    if stage.chance(0.7):
        bidder_status.clear_strikes(user=person.user)
        stage.counts["strikes lifted"] += 1


def _again(stage: Stage, person: Person, ends_at: datetime) -> datetime:
    """Return when to come again: snipers as the end draws near, the others at any moment until then."""
    left = ends_at - stage.now
    if person.strategy == "sniper" and left > 20 * SECOND:
        return stage.now + left - _snipe(stage)
    return stage.now + left * stage.rng.random() + MICROSECOND


def _snipe(stage: Stage) -> timedelta:
    return stage.choose(_SNIPES)


def _bid_on_open(stage: Stage, lot: Lot, person: Person, seen: Seen, worth: Decimal) -> datetime:
    """Bid if the strategy says so; return the end as it is then."""
    if stage.chance(0.03):
        _slip(stage, lot, person, seen)
    offer = STRATEGIES[person.strategy](seen, worth, stage.rng)
    if offer is None:
        return seen.ends_at
    if seen.leading and (stage.chance(0.7) or offer.most <= person.offered.get(lot.pk, 0)):
        return seen.ends_at  # content with leading
    previewed = _preview(lot, person, offer) if stage.chance(0.1) else {}
    key = f"simulated-{stage.step}-{person.pk}" if stage.chance(0.2) else None
    try:
        answer = bid(lot, person, offer, key)
    except BidderSuspended:
        stage.hold(previewed.get("code", "bidder_suspended") == "bidder_suspended", "the preview said another thing")
        suspended(stage, person)
        return seen.ends_at
    stage.hold(previewed.get("acceptable", True), f"{lot}: taken, though the preview said {previewed.get('code')}")
    if key:
        stage.hold(bid(lot, person, offer, key) == answer, f"{lot}: the same key was answered in two ways")
    stage.counts["bids"] += 1
    lot.bids.append((UUID(answer["bid"]["id"]), person))
    person.offered[lot.pk] = max(offer.most, person.offered.get(lot.pk, Decimal(0)))
    _hold_answer(stage, lot, seen, offer, answer)
    return datetime.fromisoformat(answer["product"]["ends_at"])


def bid(lot: Lot, person: Person, offer: Offer, key: str | None = None) -> dict[str, Any]:
    """Place a bid."""
    return bidding.place_bid(
        product_id=lot.pk, bidder_id=person.pk, amount=offer.amount, max_amount=offer.max_amount, idempotency_key=key
    )


def _preview(lot: Lot, person: Person, offer: Offer) -> dict[str, Any]:
    return previewing.preview_bid(product_id=lot.pk, user=person.user, amount=offer.amount, max_amount=offer.max_amount)


def _hold_answer(stage: Stage, lot: Lot, seen: Seen, offer: Offer, answer: dict[str, Any]) -> None:
    """Hold the answer of a bid against what its bidder knew before."""
    stands = answer["product"]
    price, leading = Decimal(stands["current_price"]), stands["is_leading"]
    stage.hold(seen.price is None or price >= seen.price, f"{lot}: the price fell from {seen.price} to {price}")
    stage.hold(not leading or price <= offer.most, f"{lot}: leads at {price}, and offered {offer.most}")
    # Outbid at once: the leader's proxy matched or topped the offer.
    stage.hold(leading or price >= offer.most, f"{lot}: outbid at {price}, and offered {offer.most}")
    stage.hold(not seen.leading or leading, f"{lot}: somebody outbid themselves")


def _bid_on_own(stage: Stage, lot: Lot, person: Person, seen: Seen) -> None:
    with stage.refused(SellerCannotBid):
        bid(lot, person, Offer(amount=seen.minimum))


def _bid_in_vain(stage: Stage, lot: Lot, person: Person, seen: Seen, probability: float) -> None:
    """Try all the same when it has not begun or is over."""
    if stage.chance(probability):
        with stage.refused(AuctionNotOpen):
            bid(lot, person, Offer(max_amount=seen.minimum * 2))


def _slip(stage: Stage, lot: Lot, person: Person, seen: Seen) -> None:
    """Make one of the mistakes that people make."""
    least = money.quantum(seen.currency)
    if stage.chance(0.3):
        with stage.refused(Invalid):
            bid(lot, person, Offer(amount=seen.minimum + least / 10))
    elif not seen.leading and seen.minimum > least:
        with stage.refused(BidTooLow):
            bid(lot, person, Offer(amount=seen.minimum - least))
    elif seen.leading and lot.pk in person.offered and not lot.voided:
        with stage.refused(MaximumNotRaised):
            bid(lot, person, Offer(max_amount=person.offered[lot.pk]))
