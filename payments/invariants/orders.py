"""Orders: of whom, for how much, and for how long they may wait (invariants 9-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Count, Exists, F, OuterRef, Q

from accounts.models import User
from auctioncraft.core import clock, money
from auctions.models import Auction, AuctionEvent
from payments.invariants.keys import keys
from payments.models import Order, Payment
from payments.services.expiry import MAX_WAIT

_LIVE: Final = (Order.Status.AWAITING_PAYMENT, Order.Status.PAID)


def one_live_order_per_product() -> list[str]:
    """Invariant 10, first half."""
    several = Order.objects.filter(status__in=_LIVE).values("product_id").annotate(n=Count("pk")).filter(n__gt=1)
    return [f"product {row['product_id']} has {row['n']} live orders" for row in several.order_by("product_id")]


def payer_is_winner() -> list[str]:
    """Invariant 11: a live order is of a sale of its product, whose winner buys at its hammer price; any, its seller's.

    Its currency and its shipping are the product's.
    """
    sold = Q(product__auction__status=Auction.Status.SOLD)
    won = Q(buyer_id=F("product__auction__winner_id"), hammer_price=F("product__auction__hammer_price"))
    sellers = Q(seller_id=F("product__seller_id"), currency=F("product__currency"), shipping=F("product__shipping"))
    wrong = Order.objects.filter((Q(status__in=_LIVE) & ~(sold & won)) | ~sellers).order_by("pk")
    return [f"order {pk} is not what its auction says" for pk in wrong.values_list("pk", flat=True)]


def amounts_fit_their_currency() -> list[str]:
    """Invariant 12: no order owes a fraction of the smallest amount of its currency."""
    amounts = ("hammer_price", "buyers_premium", "shipping", "total")
    # Three decimals always fit: that is what the columns hold.
    rows = (
        Order.objects.exclude(currency__in=money.THREE_DECIMAL).order_by("pk").values_list("pk", "currency", *amounts)
    )
    return [
        f"order {pk} owes a fraction in {currency}"
        for pk, currency, *values in rows.iterator(2000)
        if any(value % money.quantum(currency) for value in values)
    ]


def premiums_are_as_listed() -> list[str]:
    """Invariant 11 and docs/rules.md, After the sale: the premium is that of the bands the product was listed under."""
    rows = Order.objects.order_by("pk").select_related("product")
    fields = ("hammer_price", "buyers_premium", "product__currency", "product__premium_bands")
    return [
        f"order {order.pk} has a premium of {order.buyers_premium}, by its bands {premium}"
        for order in rows.only(*fields).iterator(2000)
        if (premium := order.product.premium_on(order.hammer_price)) != order.buyers_premium
    ]


def every_sale_has_an_order() -> list[str]:
    """Invariant 11 and docs/rules.md, Closing: the transaction that sold it opened an order at its hammer price.

    It is there still, unless the sale fell through.
    """
    order = Order.objects.filter(
        product_id=OuterRef("pk"), buyer_id=OuterRef("winner_id"), hammer_price=OuterRef("hammer_price")
    )
    standing = order.exclude(status=Order.Status.EXPIRED)
    without = Auction.objects.filter(status=Auction.Status.SOLD).filter(
        Q(~Exists(standing), payment_defaulted_at__isnull=True) | ~Exists(order)
    )
    return [f"the sale of product {pk} has no order" for pk in without.order_by("pk").values_list("pk", flat=True)]


def sales_fall_through_with_their_order() -> list[str]:
    """docs/rules.md, After the sale: a sale falls through when its order expires, and then there is no other.

    Each expired order has its event, each such event its order.
    """
    orders = Order.objects.filter(product_id=OuterRef("pk"))
    expired = orders.filter(
        status=Order.Status.EXPIRED, buyer_id=OuterRef("winner_id"), expired_at=OuterRef("payment_defaulted_at")
    )
    wrong = Auction.objects.filter(payment_defaulted_at__isnull=False).filter(
        ~Exists(expired) | Exists(orders.filter(status__in=_LIVE))
    )
    over = Order.objects.order_by().filter(status=Order.Status.EXPIRED).values_list("product_id", "expired_at")
    told = AuctionEvent.objects.order_by().filter(kind=AuctionEvent.Kind.SALE_FELL_THROUGH)
    events = told.values_list("product_id", "created_at")
    return (
        [f"the sale of product {pk} fell through, and its order did not expire" for pk in keys(wrong)]
        + [f"product {product}: no event of the order that expired at {at}" for product, at in over.difference(events)]
        + [f"product {product}: no order expired at {at}, as its event says" for product, at in events.difference(over)]
    )


def what_is_listed_again_is_not_owed() -> list[str]:
    """docs/rules.md, After the sale: nobody owes anything for a product that was listed again."""
    owed = Order.objects.filter(status__in=_LIVE, product__relisting__isnull=False)
    return [f"order {pk} is of a product that was listed again" for pk in keys(owed)]


def strikes_are_of_expired_orders() -> list[str]:
    """docs/rules.md, After the sale: nobody has more strikes than orders they let expire; staff may lift some."""
    expired = Count("purchases", filter=Q(purchases__status=Order.Status.EXPIRED))
    wrong = User.objects.filter(strikes__gt=0).annotate(expired=expired).filter(strikes__gt=F("expired")).order_by("pk")
    return [
        f"user {pk} has {strikes} strikes, and let {expired} orders expire"
        for pk, strikes, expired in wrong.values_list("pk", "strikes", "expired")
    ]


def no_order_is_overdue() -> list[str]:
    """docs/rules.md, After the sale: no order waits 60 s beyond its due time (while a worker is up).

    But for those whose payment Stripe has not ended: they wait for it, but not for ever.
    """
    due = clock.now() - timedelta(seconds=60)
    at_stripe = Payment.objects.live().filter(order_id=OuterRef("pk"), stripe_intent_id__isnull=False)
    late = Q(~Exists(at_stripe), due_at__lt=due) | Q(due_at__lt=due - MAX_WAIT)
    waiting = Order.objects.filter(late, status=Order.Status.AWAITING_PAYMENT).order_by("pk")
    return [f"order {pk} still awaits payment, due at {at}" for pk, at in waiting.values_list("pk", "due_at")]


def paid_sales_are_settled() -> list[str]:
    """Invariant 13, as the auction sees it: settled if, and only if, its order is paid."""
    paid = Order.objects.filter(product_id=OuterRef("pk"), status=Order.Status.PAID)
    wrong = Auction.objects.filter(Q(Exists(paid), paid_at__isnull=True) | Q(~Exists(paid), paid_at__isnull=False))
    return [
        f"the auction of product {pk} disagrees with its order"
        for pk in wrong.order_by("pk").values_list("pk", flat=True)
    ]
