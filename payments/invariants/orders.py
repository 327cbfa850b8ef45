"""Orders: who owes what, and for how long."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery

from accounts.models import User
from auctioncraft.core import clock, money
from auctioncraft.core.invariants import describe, invariant
from auctioncraft.core.pricing import SaleTerms
from auctions.models import AccountWithdrawal, Auction, AuctionEvent, Bid, Product, SecondChanceOffer
from payments.models import Order, Payment
from payments.services.expiry import MAX_WAIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch

_LIVE: Final = (Order.Status.AWAITING_PAYMENT, Order.Status.PAID)


@invariant(10, "each product has at most one live order", over=Product)
def check_one_live_order(products: Batch) -> Iterator[str]:
    # Live is what awaits payment or is paid.
    live = Order.objects.filter(products.within("product"), status__in=_LIVE)
    several = live.values("product_id").annotate(n=Count("pk")).filter(n__gt=1).order_by("product_id")
    for row in several:
        yield f"product {row['product_id']} has {row['n']} live orders"


@invariant(11, "orders match their sale", over=Order)
def check_order_terms(orders: Batch) -> Iterator[str]:
    # A live order belongs to the current sale; any order has its product's seller, currency and shipping.
    sold = Q(product__auction__status=Auction.Status.SOLD)
    won = Q(buyer_id=F("product__auction__winner_id"), hammer_price=F("product__auction__hammer_price"))
    sellers = Q(seller_id=F("product__seller_id"), currency=F("product__currency"), shipping=F("product__shipping"))
    wrong = orders.rows.filter((Q(status__in=_LIVE) & ~(sold & won)) | ~sellers)
    yield from describe(wrong, "order {} is not what its auction says")


@invariant(12, "order amounts fit their currency", over=Order)
def check_minor_units(orders: Batch) -> Iterator[str]:
    # Three decimals always fit: the columns have three.
    rows = orders.rows.exclude(currency__in=money.THREE_DECIMAL)
    fields = ("hammer_price", "buyers_premium", "shipping", "total")
    for pk, currency, *values in rows.values_list("pk", "currency", *fields).iterator():
        if any(value % money.quantum(currency) for value in values):
            yield f"order {pk} owes a fraction in {currency}"


@invariant(21, "orders follow from the terms that their buyer agreed to", over=Order)
def check_agreed_terms(orders: Batch) -> Iterator[str]:
    # Those stored with the accepted offer, the purchase, or the winner's last bid.
    of_sale: dict[str, Any] = {"product_id": OuterRef("product_id")}
    offers = SecondChanceOffer.objects.filter(**of_sale, bidder_id=OuterRef("buyer_id"), status="accepted")
    bids = Bid.objects.made_by_people().valid().filter(**of_sale, bidder_id=OuterRef("buyer_id"))
    purchases = AuctionEvent.objects.filter(**of_sale, kind=AuctionEvent.Kind.CLOSED, data__by="buy_now")
    rows = orders.rows.annotate(
        offered=Subquery(offers.order_by("-pk").values("terms")[:1]),
        offered_at=Subquery(offers.order_by("-pk").values("amount")[:1]),
        bought=Subquery(purchases.values("private")[:1]),
        bought_at=Subquery(purchases.values("data")[:1]),
        bid=Subquery(bids.order_by("-version").values("terms")[:1]),
    )
    for order in rows.iterator():
        terms, price = order.bid, order.hammer_price
        if order.offered is not None:
            terms, price = order.offered, order.offered_at
        elif order.bought is not None and order.bought["winner"] == order.buyer_id:
            terms, price = order.bought["terms"], Decimal(order.bought_at["final_price"])
        if terms is None:
            yield f"order {order.pk} follows from no bid, purchase or offer"
            continue
        agreed = SaleTerms.from_json(terms).breakdown(price)
        wrong = [name for name, value in agreed.items() if getattr(order, name) != value]
        if wrong:
            yield f"order {order.pk} differs from what its buyer agreed to: {', '.join(wrong)}"


@invariant(22, "no account buys or sells after it was disabled", over=Order)
def check_parties_at_the_sale(orders: Batch) -> Iterator[str]:
    # An account that was enabled again may; data do not show when staff cleared strikes.
    # A sale that was being written does not wait for its seller's account.
    for party, late in (("buyer", timedelta(0)), ("seller", timedelta(seconds=1))):
        disabled = AccountWithdrawal.objects.filter(
            user_id=OuterRef(f"{party}_id"), created_at__lte=OuterRef("created_at") - late
        )
        wrong = orders.rows.filter(Exists(disabled), **{f"{party}__is_active": False})
        yield from describe(wrong, f"order {{}} was opened after its {party} was disabled")


@invariant(None, "users' unpaid orders are counted", over=User)
def check_unpaid_orders(users: Batch) -> Iterator[str]:
    # docs/rules.md, A bid: a bid reads only the account.
    unpaid = Count("purchases", filter=Q(purchases__status=Order.Status.AWAITING_PAYMENT))
    wrong = users.rows.annotate(unpaid=unpaid).exclude(unpaid_orders=F("unpaid"))
    for pk, counted, found in wrong.values_list("pk", "unpaid_orders", "unpaid"):
        yield f"user {pk} has {counted} unpaid orders by the count, and {found} by the orders"


@invariant(11, "every sale has an order at its hammer price", over=Auction)
def check_sales_have_orders(auctions: Batch) -> Iterator[str]:
    # The transaction that sells a product opens its order, which stays unless its buyer does not pay.
    order = Order.objects.filter(
        product_id=OuterRef("pk"), buyer_id=OuterRef("winner_id"), hammer_price=OuterRef("hammer_price")
    )
    live = order.exclude(status=Order.Status.EXPIRED)
    without = auctions.rows.filter(
        Q(~Exists(live), payment_defaulted_at__isnull=True) | ~Exists(order), status=Auction.Status.SOLD
    )
    yield from describe(without, "the sale of product {} has no order")


@invariant(11, "sales fall through when their order expires", over=Auction)
def check_expired_sales(auctions: Batch) -> Iterator[str]:
    # docs/rules.md, After the sale: each expired order has its event, and each such event its order.
    orders = Order.objects.filter(product_id=OuterRef("pk"))
    expired = orders.filter(
        status=Order.Status.EXPIRED, buyer_id=OuterRef("winner_id"), expired_at=OuterRef("payment_defaulted_at")
    )
    wrong = auctions.rows.filter(payment_defaulted_at__isnull=False).filter(
        ~Exists(expired) | Exists(orders.filter(status__in=_LIVE))
    )
    yield from describe(wrong, "the sale of product {} fell through, and its order did not expire")
    of_orders = (
        Order.objects.order_by()
        .filter(auctions.within("product"), status=Order.Status.EXPIRED)
        .values_list("product_id", "expired_at")
    )
    of_events = (
        AuctionEvent.objects.order_by()
        .filter(auctions.within("product"), kind=AuctionEvent.Kind.SALE_FELL_THROUGH)
        .values_list("product_id", "created_at")
    )
    for product, at in of_orders.difference(of_events):
        yield f"product {product}: no event for the order that expired at {at}"
    for product, at in of_events.difference(of_orders):
        yield f"product {product}: an event says that its order expired at {at}, and none did"


@invariant(None, "no relisted product has a live order", over=Order)
def check_relisted_not_owed(orders: Batch) -> Iterator[str]:
    # docs/rules.md, After the sale.
    owed = orders.rows.filter(status__in=_LIVE, product__relisting__isnull=False)
    yield from describe(owed, "order {} is of a product that was relisted")


@invariant(None, "users have no more strikes than expired orders", over=User)
def check_strikes(users: Batch) -> Iterator[str]:
    # docs/rules.md, After the sale; staff may remove strikes.
    expired = Count("purchases", filter=Q(purchases__status=Order.Status.EXPIRED))
    wrong = users.rows.filter(strikes__gt=0).annotate(expired=expired).filter(strikes__gt=F("expired"))
    yield from describe(wrong, "user {} has {} strikes, and let {} orders expire", "strikes", "expired")


@invariant(9, "no order is overdue")
def check_no_order_overdue() -> Iterator[str]:
    # One whose payment Stripe has not ended may wait for it, for a limited time.
    due = clock.now() - timedelta(seconds=60)
    at_stripe = Payment.objects.live().filter(order_id=OuterRef("pk"), stripe_intent_id__isnull=False)
    late = Q(~Exists(at_stripe), due_at__lt=due) | Q(due_at__lt=due - MAX_WAIT)
    waiting = Order.objects.filter(late, status=Order.Status.AWAITING_PAYMENT).order_by("pk")
    yield from describe(waiting, "order {} still awaits payment, due at {}", "due_at")


@invariant(13, "auctions are paid when their order is", over=Auction)
def check_paid_auctions(auctions: Batch) -> Iterator[str]:
    paid = Order.objects.filter(product_id=OuterRef("pk"), status=Order.Status.PAID)
    wrong = auctions.rows.filter(Q(Exists(paid), paid_at__isnull=True) | Q(~Exists(paid), paid_at__isnull=False))
    yield from describe(wrong, "the auction of product {} disagrees with its order")
