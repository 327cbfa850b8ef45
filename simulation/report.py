"""The result of a run: figures, and a digest to compare runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Sum
from rich.table import Table

from accounts.models import User
from auctioncraft.core import money
from auctions.models import Auction, Bid, Product
from notifications.models import Notification
from payments.models import Order, Payment

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a run: counted actions, figures from the database, digest."""

    counts: dict[str, int]
    figures: dict[str, str]
    steps: int
    digest: str

    def table(self) -> Table:
        """Return the figures as a table."""
        table = Table("what", "count", title="Result")
        for name, figure in self.figures.items():
            table.add_row(name, figure)
        return table


def report(*, counts: Counter[str], steps: int) -> Report:
    """Read the figures from the database."""
    return Report(dict(counts), {name: str(figure) for name, figure in _figures(counts)}, steps, digest())


def _figures(counts: Counter[str]) -> Iterator[tuple[str, object]]:
    yield "auctions", Product.objects.count()
    yield "  relisted", counts["relisted"]
    yield "  deleted", counts["deleted"]
    yield "bids", Bid.objects.made_by_people().count()
    yield "  voided", counts["voided"]
    yield "  refused to suspended bidders", counts["suspended"]
    for sale, count in _by("sale_type", Auction.objects.filter(status="sold")):
        yield f"sold: {Auction.SaleType(sale).label.lower()}", count
    for result, count in _by("result", Auction.objects.exclude(status="sold")):
        yield f"not sold: {Auction.Result(result).label.lower()}", count
    for status, count in _by("status", Order.objects):
        yield f"orders: {Order.Status(status).label.lower()}", count
    yield "reminders", counts["reminders"]
    yield "strikes", User.objects.aggregate(all=Sum("strikes"))["all"]
    yield "bidders reinstated by staff", counts["strikes lifted"]
    yield "second chances offered", counts["second chances"]
    yield "payments to refund", Payment.objects.filter(status=Payment.Status.SURPLUS).count()
    yield "notifications", Notification.objects.count()
    yield "expected refusals", counts["expected refusals"]
    paid = Order.objects.filter(status=Order.Status.PAID).order_by("currency").values_list("currency")
    for currency, total in paid.annotate(total=Sum("total")):
        # SQLite sums in binary floating point.
        yield f"paid, {currency}", money.to_text(money.round_half_up(Decimal(total), currency), currency)


def _by(field: str, rows: Any) -> Iterator[tuple[str, int]]:
    yield from rows.order_by(field).values_list(field).annotate(count=Count("pk"))


def digest() -> str:
    """Return a digest of every price, winner, order and strike: equal for equal results.

    It leaves out what differs between databases: keys, and times that the database fills in.
    """
    hashed = hashlib.blake2b(digest_size=16)
    for line in _lines():
        hashed.update(f"{line}\n".encode())
    return hashed.hexdigest()


def _lines() -> Iterator[str]:
    auctions = Auction.objects.order_by("pk").select_related("product", "winner", "leader")
    for number, auction in enumerate(auctions.iterator(2000)):
        currency = auction.product.currency
        amounts = [money.to_text_or_none(amount, currency) for amount in (auction.price, auction.hammer_price)]
        people = [user and user.email for user in (auction.leader, auction.winner)]
        how = (
            auction.status,
            auction.result,
            auction.sale_type,
            auction.bid_count,
            auction.seq,
            auction.ends_at.isoformat(),
        )
        yield f"{number} {auction.product.name} {currency} {amounts} {people} {how}"
    for order in Order.objects.order_by("pk").select_related("buyer").iterator(2000):
        yield f"{order.buyer.email} {money.to_text(order.total, order.currency)} {order.status} {order.reminders_sent}"
    for email, strikes in User.objects.order_by("pk").values_list("email", "strikes"):
        yield f"{email} {strikes}"
