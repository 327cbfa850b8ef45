"""What must always be true of the money, checked on live data: read-only, a query or two each (invariants 10-15).

Each check returns one line for every row that breaks it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Exists, F, OuterRef, Q

from accounts.models import User
from auctioncraft import clock, money
from auctions.models import Auction, AuctionEvent
from payments.models import Order, Payment, StripeEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

_LIVE: Final = (Order.Status.AWAITING_PAYMENT, Order.Status.PAID)
_SUCCEEDED: Final = Payment.Status.SUCCEEDED


def one_live_order_per_product() -> list[str]:
    """Invariant 10, first half."""
    several = Order.objects.filter(status__in=_LIVE).values("product_id").annotate(n=Count("pk")).filter(n__gt=1)
    return [f"product {row['product_id']} has {row['n']} live orders" for row in several.order_by("product_id")]


def one_succeeded_payment_per_order() -> list[str]:
    """Invariant 10, second half."""
    several = Payment.objects.filter(status=_SUCCEEDED).values("order_id").annotate(n=Count("pk")).filter(n__gt=1)
    return [f"order {row['order_id']} has {row['n']} succeeded payments" for row in several.order_by("order_id")]


def payer_is_winner() -> list[str]:
    """Invariant 11: a live order is of a sale of its product, whose winner buys at its hammer price; any, its seller's.

    Its currency and its shipping are the product's.
    """
    sold = Q(product__auction__status=Auction.Status.SOLD)
    won = Q(buyer_id=F("product__auction__winner_id"), hammer_price=F("product__auction__hammer_price"))
    sellers = Q(seller_id=F("product__seller_id"), currency=F("product__currency"), shipping=F("product__shipping"))
    wrong = Order.objects.filter((Q(status__in=_LIVE) & ~(sold & won)) | ~sellers).order_by("pk")
    return [f"order {pk} is not what its auction says" for pk in wrong.values_list("pk", flat=True)]


def payments_are_for_their_orders() -> list[str]:
    """Invariant 11: every payment has the order's total and currency."""
    wrong = Payment.objects.exclude(amount=F("order__total"), currency=F("order__currency")).order_by("pk")
    return [f"payment {pk} is not for its order's total" for pk in wrong.values_list("pk", flat=True)]


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
        Q(~Exists(standing), fell_through_at__isnull=True) | ~Exists(order)
    )
    return [f"the sale of product {pk} has no order" for pk in without.order_by("pk").values_list("pk", flat=True)]


def sales_fall_through_with_their_order() -> list[str]:
    """docs/rules.md, After the sale: a sale falls through when its order expires, and then there is no other.

    Each expired order has its event, each such event its order.
    """
    orders = Order.objects.filter(product_id=OuterRef("pk"))
    expired = orders.filter(
        status=Order.Status.EXPIRED, buyer_id=OuterRef("winner_id"), expired_at=OuterRef("fell_through_at")
    )
    wrong = Auction.objects.filter(fell_through_at__isnull=False).filter(
        ~Exists(expired) | Exists(orders.filter(status__in=_LIVE))
    )
    over = Order.objects.order_by().filter(status=Order.Status.EXPIRED).values_list("product_id", "expired_at")
    told = AuctionEvent.objects.order_by().filter(kind=AuctionEvent.Kind.SALE_FELL_THROUGH)
    events = told.values_list("product_id", "created_at")
    return (
        [f"the sale of product {pk} fell through, and its order did not expire" for pk in _keys(wrong)]
        + [f"product {product}: no event of the order that expired at {at}" for product, at in over.difference(events)]
        + [f"product {product}: no order expired at {at}, as its event says" for product, at in events.difference(over)]
    )


def what_is_listed_again_is_not_owed() -> list[str]:
    """docs/rules.md, After the sale: nobody owes anything for a product that was listed again."""
    owed = Order.objects.filter(status__in=_LIVE, product__relisting__isnull=False)
    return [f"order {pk} is of a product that was listed again" for pk in _keys(owed)]


def strikes_are_of_expired_orders() -> list[str]:
    """docs/rules.md, After the sale: nobody has more strikes than orders they let expire; staff may lift some."""
    expired = Count("purchases", filter=Q(purchases__status=Order.Status.EXPIRED))
    wrong = User.objects.filter(strikes__gt=0).annotate(expired=expired).filter(strikes__gt=F("expired")).order_by("pk")
    return [
        f"user {pk} has {strikes} strikes, and let {expired} orders expire"
        for pk, strikes, expired in wrong.values_list("pk", "strikes", "expired")
    ]


def no_order_is_overdue() -> list[str]:
    """docs/rules.md, After the sale: no order waits 60 s beyond its due time (while a worker is up)."""
    due = clock.now() - timedelta(seconds=60)
    waiting = Order.objects.filter(status=Order.Status.AWAITING_PAYMENT, due_at__lt=due).order_by("pk")
    return [f"order {pk} still awaits payment, due at {at}" for pk, at in waiting.values_list("pk", "due_at")]


def paid_means_money() -> list[str]:
    """Invariant 13: an order is paid if, and only if, one of its payments succeeded, and at that moment."""
    money_in = Payment.objects.filter(order_id=OuterRef("pk"), status=_SUCCEEDED, succeeded_at=OuterRef("paid_at"))
    unpaid = Order.objects.filter(~Exists(money_in), status=Order.Status.PAID).order_by("pk")
    untold = Payment.objects.filter(status=_SUCCEEDED).exclude(order__status=Order.Status.PAID).order_by("pk")
    return [f"order {pk} is paid without a payment" for pk in unpaid.values_list("pk", flat=True)] + [
        f"payment {pk} succeeded and its order is not paid" for pk in untold.values_list("pk", flat=True)
    ]


def paid_sales_are_settled() -> list[str]:
    """Invariant 13, as the auction sees it: settled if, and only if, its order is paid."""
    paid = Order.objects.filter(product_id=OuterRef("pk"), status=Order.Status.PAID)
    wrong = Auction.objects.filter(
        Q(Exists(paid), settled_at__isnull=True) | Q(~Exists(paid), settled_at__isnull=False)
    )
    return [
        f"the auction of product {pk} disagrees with its order"
        for pk in wrong.order_by("pk").values_list("pk", flat=True)
    ]


def money_has_an_intent() -> list[str]:
    """Invariants 13 and 15: a payment past its making has its PaymentIntent's id, money that came its moment.

    What came and did not pay its order is marked surplus, to be refunded: paid_means_money says which did.
    """
    made = Q(status__in=(Payment.Status.OPEN, _SUCCEEDED, Payment.Status.SURPLUS), intent_id__isnull=True)
    came = Q(status__in=(_SUCCEEDED, Payment.Status.SURPLUS))
    timed = came & Q(succeeded_at__isnull=True)
    lost = Payment.objects.filter(~came, succeeded_at__isnull=False)
    return [f"payment {pk} lacks its intent or its moment" for pk in _keys(Payment.objects.filter(made | timed))] + [
        f"payment {pk}: its money came, and is neither the order's nor surplus" for pk in _keys(lost)
    ]


def events_are_dealt_with() -> list[str]:
    """Invariant 14: no event waits for over an hour, and a processed one keeps no error."""
    waiting = StripeEvent.objects.filter(
        processed_at__isnull=True, received_at__lt=clock.now() - timedelta(hours=1)
    ).order_by("pk")
    failed = StripeEvent.objects.filter(processed_at__isnull=False).exclude(error="").order_by("pk")
    return [f"event {pk} was not processed: {error}" for pk, error in waiting.values_list("pk", "error")] + [
        f"event {pk} is processed and has an error" for pk in failed.values_list("pk", flat=True)
    ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    check.__name__: check
    for check in (
        one_live_order_per_product,
        one_succeeded_payment_per_order,
        payer_is_winner,
        payments_are_for_their_orders,
        amounts_fit_their_currency,
        premiums_are_as_listed,
        every_sale_has_an_order,
        sales_fall_through_with_their_order,
        what_is_listed_again_is_not_owed,
        strikes_are_of_expired_orders,
        no_order_is_overdue,
        paid_means_money,
        paid_sales_are_settled,
        money_has_an_intent,
        events_are_dealt_with,
    )
}


def _keys(rows: QuerySet[Any]) -> Any:
    return rows.order_by("pk").values_list("pk", flat=True)
