"""What a run came to: figures for people, and a digest by which two runs are compared."""

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
    """A run's outcome: what people did, how it stands, the digest."""

    acts: dict[str, int]
    figures: dict[str, str]
    steps: int
    digest: str

    def table(self) -> Table:
        """Return it as a table."""
        table = Table("what", "how many", title="The market at the end")
        for name, figure in self.figures.items():
            table.add_row(name, figure)
        return table


def report(*, acts: Counter[str], steps: int) -> Report:
    """Read how everything stands."""
    return Report(dict(acts), {name: str(figure) for name, figure in _figures(acts)}, steps, digest())


def _figures(acts: Counter[str]) -> Iterator[tuple[str, object]]:
    yield "auctions", Product.objects.count()
    yield "  listed again", acts["relisted"]
    yield "  deleted", acts["deleted"]
    yield "bids by people", Bid.objects.made_by_people().count()
    yield "  voided", acts["voided"]
    yield "  by suspended bidders, refused", acts["suspended"]
    for sale, count in _by("sale_type", Auction.objects.filter(status="sold")):
        yield f"sold: {Auction.SaleType(sale).label.lower()}", count
    for result, count in _by("result", Auction.objects.exclude(status="sold")):
        yield f"not sold: {Auction.Result(result).label.lower()}", count
    for status, count in _by("status", Order.objects):
        yield f"orders: {Order.Status(status).label.lower()}", count
    yield "reminders", acts["reminders"]
    yield "strikes that stand", User.objects.aggregate(all=Sum("strikes"))["all"]
    yield "bidders let back by staff", acts["strikes lifted"]
    yield "second chances offered", acts["second chances"]
    yield "payments to refund", Payment.objects.filter(status=Payment.Status.SURPLUS).count()
    yield "notices", Notification.objects.count()
    yield "refused as it should be", acts["refused as it should be"]
    paid = Order.objects.filter(status=Order.Status.PAID).order_by("currency").values_list("currency")
    for currency, total in paid.annotate(total=Sum("total")):
        # SQLite adds in binary.
        yield f"paid, {currency}", money.to_text(money.round_half_up(Decimal(total), currency), currency)


def _by(field: str, rows: Any) -> Iterator[tuple[str, int]]:
    yield from rows.order_by(field).values_list(field).annotate(count=Count("pk"))


def digest() -> str:
    """Return a digest of every price, winner, order and strike: the same for runs that came to the same.

    Of nothing that differs between databases: no key, no moment of a column that the database fills.
    """
    said = hashlib.blake2b(digest_size=16)
    for line in _lines():
        said.update(f"{line}\n".encode())
    return said.hexdigest()


def _lines() -> Iterator[str]:
    auctions = Auction.objects.order_by("pk").select_related("product", "winner", "leader")
    for place, auction in enumerate(auctions.iterator(2000)):
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
        yield f"{place} {auction.product.name} {currency} {amounts} {people} {how}"
    for order in Order.objects.order_by("pk").select_related("buyer").iterator(2000):
        yield f"{order.buyer.email} {money.to_text(order.total, order.currency)} {order.status} {order.reminders_sent}"
    for email, strikes in User.objects.order_by("pk").values_list("email", "strikes"):
        yield f"{email} {strikes}"
