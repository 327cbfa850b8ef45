"""A product and the users who visit it: they bid, buy now or watch."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.services import bidder_status
from auctioncraft.core import card_amounts, money
from auctioncraft.core.errors import Invalid
from auctioncraft.core.precompiled import PrecompiledQuery
from auctions.errors import (
    AuctionNotOpen,
    BidderSuspended,
    BidTooLow,
    BuyNowUnavailable,
    DefaulterCannotBid,
    MaximumNotRaised,
    SellerCannotBid,
    TooManyUnpaidOrders,
)
from auctions.models import Product
from auctions.serializers.products import ProductListSerializer
from auctions.services import bidding, buying, previewing, watching
from payments.models import Order
from simulation.products import share_of
from simulation.scheduler import DAY, MICROSECOND, SECOND
from simulation.users import STRATEGIES, BidRequest, ProductPage, SimulatedUser

if TYPE_CHECKING:
    from auctioncraft.core.errors import DomainError
    from auctions.models import Auction
    from simulation.products import ProductDraft
    from simulation.scheduler import Scheduler

# What is known of a bidder can refuse them at any time.
INELIGIBLE: Final = (BidderSuspended, TooManyUnpaidOrders, DefaulterCannotBid)
# The row behind a product page, without images and history.
_product_page = PrecompiledQuery(
    lambda product_id: Product.objects.filter(pk=product_id).order_by().rows("auction__leader_id"), arguments=1
)
# How many users visit a product, by weight.
VISITOR_COUNTS: Final = {0: 10, 1: 10, 2: 15, 4: 25, 6: 20, 9: 15, 14: 5}
# How often a user comes back at most, by strategy.
_VISITS: Final = {"incremental": 10, "proxy": 2, "jump": 3, "sniper": 3}
# How long before the end a sniper bids: sometimes one microsecond, sometimes too late.
_SNIPE_TIMES: Final = {MICROSECOND: 10, 2 * SECOND: 40, 20 * SECOND: 40, timedelta(0): 10}


@dataclass(eq=False, slots=True)
class Lot:
    """What the simulation knows of a product; `bids` are the accepted ones with their bidders."""

    pk: int
    seller: SimulatedUser
    draft: ProductDraft
    relisted: bool = False
    is_deleted: bool = False
    is_settled: bool = False
    bids: list[tuple[UUID, SimulatedUser]] = field(default_factory=list)
    voided: set[UUID] = field(default_factory=set)

    def __str__(self) -> str:
        return f"product {self.pk}"


def view_product(sim: Scheduler, lot: Lot, user: SimulatedUser) -> ProductPage | None:
    """Return the product page as the user sees it, None if the product was deleted."""
    row = next(iter(_product_page.rows(lot.pk)), None)
    if row is None:
        sim.check(lot.is_deleted, f"{lot} is missing")
        return None
    shown = ProductListSerializer(row).data
    price, buy_now = shown["current_price"], shown["buy_now_price"]
    return ProductPage(
        status=shown["status"],
        currency=shown["currency"],
        price=None if price is None else Decimal(price),
        minimum=Decimal(shown["minimum_bid"]),
        buy_now=None if buy_now is None else Decimal(buy_now),
        starts_at=shown["starts_at"],
        ends_at=shown["ends_at"],
        is_leader=row["auction__leader_id"] == user.pk,
    )


def schedule_visits(sim: Scheduler, lot: Lot, starts_at: datetime, ends_at: datetime) -> None:
    """Schedule the visits of random users to a new product."""
    length = ends_at - starts_at
    for user in sim.users.pick_visitors(sim.rng, sim.choose(VISITOR_COUNTS)):
        valuation = share_of(lot.draft.value, sim.rng.lognormvariate(0, 0.35), lot.draft.currency)
        if sim.chance(0.1):
            sim.at(starts_at + length * sim.rng.random() * 0.3, try_buy_now, sim, lot, user, valuation)
        elif user.strategy == "sniper":
            sim.at(ends_at - _snipe_time(sim), visit, sim, lot, user, valuation, _VISITS["sniper"])
        else:
            first = starts_at + length * (sim.rng.random() - 0.05)
            sim.at(first, visit, sim, lot, user, valuation, _VISITS[user.strategy])
        if sim.chance(0.15):
            sim.at(starts_at + length * sim.rng.random(), try_watch, sim, lot, user)


def visit(sim: Scheduler, lot: Lot, user: SimulatedUser, valuation: Decimal, visits_left: int) -> None:
    """View the product, bid up to the valuation, and come back at most `visits_left` times."""
    page = view_product(sim, lot, user)
    if page is None:
        return
    if user is lot.seller:
        _bid_on_own(sim, lot, user, page)
    elif page.status == "scheduled":
        _bid_while_closed(sim, lot, user, page, 0.1)
        sim.at(page.starts_at, visit, sim, lot, user, valuation, visits_left)
    elif page.status == "open":
        ends_at = _bid_on_open(sim, lot, user, page, valuation)
        # Prices never fall: what is too expensive now stays so.
        if visits_left and (page.is_leader or page.minimum <= valuation):
            sim.at(_next_visit(sim, user, ends_at), visit, sim, lot, user, valuation, visits_left - 1)
    else:
        _bid_while_closed(sim, lot, user, page, 0.2)


def try_buy_now(sim: Scheduler, lot: Lot, user: SimulatedUser, valuation: Decimal) -> None:
    """Buy now, if that is still possible and worth the price."""
    page = view_product(sim, lot, user)
    if page is None:
        return
    if user is lot.seller:
        with sim.expect_refusal(SellerCannotBid):
            _buy(lot, user, valuation)
    elif page.status != "open":
        with sim.expect_refusal(AuctionNotOpen):
            _buy(lot, user, valuation)
    elif page.buy_now is None:
        with sim.expect_refusal(BuyNowUnavailable):
            _buy(lot, user, valuation)
    elif page.buy_now <= valuation * 2:
        try:
            auction = _buy(lot, user, page.buy_now)
        except INELIGIBLE as refusal:
            check_ineligible(sim, lot, user, refusal)
            return
        right = (auction.winner_id, auction.hammer_price) == (user.pk, page.buy_now)
        sim.check(right, f"{lot}: bought at {page.buy_now}, sold at {auction.hammer_price} to {auction.winner_id}")
        sim.publish("closed", lot)


def _buy(lot: Lot, user: SimulatedUser, price: Decimal) -> Auction:
    return buying.buy_now(product_id=lot.pk, buyer=user.account, price=price)


def try_watch(sim: Scheduler, lot: Lot, user: SimulatedUser) -> None:
    """Watch the product, and perhaps stop watching it."""
    if lot.is_deleted:
        return
    watching.watch(product_id=lot.pk, user=user.account)
    if sim.chance(0.3):
        watching.unwatch(product_id=lot.pk, user=user.account)


def check_ineligible(sim: Scheduler, lot: Lot, user: SimulatedUser, refusal: DomainError) -> None:
    """Check that a bidder is refused for a reason; of strikes, schedule a review by staff."""
    if isinstance(refusal, DefaulterCannotBid):
        defaulters = Product.objects.get(pk=lot.pk).defaulters
        sim.check(user.pk in defaulters, f"{lot}: {user} is refused as one of {defaulters}")
        sim.counts["defaulters refused"] += 1
        return
    if isinstance(refusal, TooManyUnpaidOrders):
        unpaid = Order.objects.filter(buyer_id=user.pk, status=Order.Status.AWAITING_PAYMENT).count()
        sim.check(unpaid >= settings.MAX_UNPAID_ORDERS_NEW, f"{user} may not bid with {unpaid} unpaid orders")
        sim.counts["too many unpaid orders"] += 1
        return
    strikes = User.objects.get(pk=user.pk).strikes
    sim.check(strikes >= settings.STRIKES_BEFORE_BAN, f"{user} is suspended with {strikes} strikes")
    sim.counts["suspended"] += 1
    if not user.is_under_review:
        user.is_under_review = True
        sim.within(DAY, 3 * DAY, _review, sim, user)


def _review(sim: Scheduler, user: SimulatedUser) -> None:
    user.is_under_review = False
    if sim.chance(0.7):
        bidder_status.clear_strikes(user=user.account)
        sim.counts["strikes lifted"] += 1


def _next_visit(sim: Scheduler, user: SimulatedUser, ends_at: datetime) -> datetime:
    """Return the time of the next visit: snipers shortly before the end, others at any time until then."""
    left = ends_at - sim.now
    if user.strategy == "sniper" and left > 20 * SECOND:
        return sim.now + left - _snipe_time(sim)
    return sim.now + left * sim.rng.random() + MICROSECOND


def _snipe_time(sim: Scheduler) -> timedelta:
    return sim.choose(_SNIPE_TIMES)


def _bid_on_open(sim: Scheduler, lot: Lot, user: SimulatedUser, page: ProductPage, valuation: Decimal) -> datetime:
    """Bid if the strategy says so; return the end of the auction after that."""
    if sim.chance(0.03):
        _make_mistake(sim, lot, user, page)
    request = STRATEGIES[user.strategy](page, valuation, sim.rng)
    if request is None:
        return page.ends_at
    if page.is_leader and (sim.chance(0.7) or request.limit <= user.limits.get(lot.pk, 0)):
        return page.ends_at  # leading is enough
    previewed = _preview(lot, user, request) if sim.chance(0.1) else {}
    key = f"simulated-{sim.step}-{user.pk}" if sim.chance(0.2) else None
    try:
        answer = place_bid(lot, user, request, key)
    except INELIGIBLE as refusal:
        sim.check(previewed.get("code", refusal.code) == refusal.code, "the preview said otherwise")
        check_ineligible(sim, lot, user, refusal)
        return page.ends_at
    sim.check(previewed.get("acceptable", True), f"{lot}: accepted, but the preview said {previewed.get('code')}")
    if key:
        sim.check(place_bid(lot, user, request, key) == answer, f"{lot}: the same key got two different responses")
    sim.counts["bids"] += 1
    lot.bids.append((UUID(answer["bid"]["id"]), user))
    user.limits[lot.pk] = max(request.limit, user.limits.get(lot.pk, Decimal(0)))
    _check_answer(sim, lot, page, request, answer)
    return datetime.fromisoformat(answer["product"]["ends_at"])


def place_bid(lot: Lot, user: SimulatedUser, request: BidRequest, key: str | None = None) -> dict[str, Any]:
    """Place a bid as this user."""
    return bidding.place_bid(
        product_id=lot.pk, bidder_id=user.pk, amount=request.amount, max_amount=request.max_amount, idempotency_key=key
    )


def _preview(lot: Lot, user: SimulatedUser, request: BidRequest) -> dict[str, Any]:
    return previewing.preview_bid(
        product_id=lot.pk, user=user.account, amount=request.amount, max_amount=request.max_amount
    )


def _check_answer(sim: Scheduler, lot: Lot, page: ProductPage, request: BidRequest, answer: dict[str, Any]) -> None:
    """Compare the response to a bid with the page that the bidder saw before."""
    product = answer["product"]
    price, leading = Decimal(product["current_price"]), product["is_leading"]
    sim.check(page.price is None or price >= page.price, f"{lot}: the price fell from {page.price} to {price}")
    sim.check(not leading or price <= request.limit, f"{lot}: leads at {price} with a limit of {request.limit}")
    # Outbid at once: the leader's maximum is as high or higher.
    sim.check(leading or price >= request.limit, f"{lot}: outbid at {price} with a limit of {request.limit}")
    sim.check(not page.is_leader or leading, f"{lot}: the leader was outbid by their own bid")


def _bid_on_own(sim: Scheduler, lot: Lot, user: SimulatedUser, page: ProductPage) -> None:
    with sim.expect_refusal(SellerCannotBid):
        place_bid(lot, user, BidRequest(amount=page.minimum))


def _bid_while_closed(sim: Scheduler, lot: Lot, user: SimulatedUser, page: ProductPage, probability: float) -> None:
    """Try to bid before the start or after the end, and expect a refusal."""
    if sim.chance(probability):
        with sim.expect_refusal(AuctionNotOpen):
            place_bid(lot, user, BidRequest(max_amount=page.minimum * 2))


def _make_mistake(sim: Scheduler, lot: Lot, user: SimulatedUser, page: ProductPage) -> None:
    """Make a typical mistake, and expect a refusal."""
    unit = money.charge_unit(page.currency)
    if sim.chance(0.3):
        with sim.expect_refusal(Invalid):
            place_bid(lot, user, BidRequest(amount=page.minimum + unit / 100))
    elif not page.is_leader and page.minimum - unit >= card_amounts.minimum(page.currency):
        with sim.expect_refusal(BidTooLow):
            place_bid(lot, user, BidRequest(amount=page.minimum - unit))
    elif page.is_leader and lot.pk in user.limits and not lot.voided:
        with sim.expect_refusal(MaximumNotRaised):
            place_bid(lot, user, BidRequest(max_amount=user.limits[lot.pk]))
