"""Writing notices and the deliveries of those that go out by mail."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from accounts.models import User
from notifications.kinds import KINDS, render
from notifications.models import Delivery, Notification

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auctions.models import Product

CHUNK: Final = 1000  # notices per statement


@dataclass(frozen=True, slots=True)
class Notice:
    """What one event says to everybody whom it concerns in the same way."""

    kind: str
    title: str
    message: str
    source: str
    product_id: int | None
    recipients: tuple[int, ...]

    @classmethod
    def of(
        cls, kind: str, *, source: str, context: Mapping[str, Any], recipients: Iterable[int], product_id: int | None
    ) -> Notice:
        """Render it once for all. Raises as kinds.render."""
        title, message = render(kind, context)
        return cls(kind, title, message, source, product_id, tuple(recipients))


def notify(
    *, recipient: User, kind: str, source: str, context: Mapping[str, Any], product: Product | None = None
) -> None:
    """Tell one person of one event, in the caller's transaction; the same `source` a second time changes nothing.

    `source` names the event in at most 64 characters. Raises as kinds.render.
    """
    product_id = None if product is None else product.pk
    store([Notice.of(kind, source=source, context=context, recipients=(recipient.pk,), product_id=product_id)])


def store(notices: Iterable[Notice]) -> None:
    """Write each notice once per recipient, in chunks and in one transaction, with a delivery if its kind is mailed.

    Exactly one row per (recipient, kind, source) and one delivery per row, however often it is called. An account
    that is gone gets none.
    """
    rows = (
        Notification(
            recipient_id=recipient,
            kind=notice.kind,
            title=notice.title,
            message=notice.message,
            source=notice.source,
            product_id=notice.product_id,
        )
        for notice in notices
        for recipient in notice.recipients
    )
    with transaction.atomic(savepoint=False):
        while chunk := list(islice(rows, CHUNK)):
            _store_chunk(chunk)


def _store_chunk(rows: list[Notification]) -> None:
    known = set(User.objects.filter(pk__in={row.recipient_id for row in rows}).values_list("pk", flat=True))
    distinct = {(row.recipient_id, row.kind, row.source): row for row in rows if row.recipient_id in known}
    # Not ignore_conflicts: that returns no ids, and a row that was there already would get no delivery if it lacks
    # one. Updating `source` to what it is changes nothing and returns the id of either.
    written = Notification.objects.bulk_create(
        distinct.values(),
        update_conflicts=True,
        unique_fields=("recipient", "kind", "source"),
        update_fields=("source",),
    )
    Delivery.objects.bulk_create(
        [Delivery(notification=row) for row in written if KINDS[row.kind].mails], ignore_conflicts=True
    )
