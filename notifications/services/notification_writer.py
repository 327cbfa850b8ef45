"""Writing notices and the deliveries of those that go out by mail."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from accounts.services import user_locking
from notifications.kinds import KINDS, render
from notifications.models import EmailDelivery, Notification
from notifications.services import preferences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from accounts.models import User
    from auctions.models import Product

CHUNK: Final = 1000  # notices per statement


@dataclass(frozen=True, slots=True)
class NotificationDraft:
    """What one event says to everybody whom it concerns in the same way."""

    kind: str
    title: str
    message: str
    source: str
    product_id: int | None
    recipients: tuple[int, ...]

    @classmethod
    def of(
        cls,
        kind: str,
        *,
        source: str,
        context: Mapping[str, Any],
        recipients: Iterable[int],
        product_id: int | None,
        case: str = "",
    ) -> NotificationDraft:
        """Render it once for all. Raises as kinds.render."""
        title, message = render(kind, context, case)
        return cls(kind, title, message, source, product_id, tuple(recipients))


def notify(
    *,
    recipient: User,
    kind: str,
    source: str,
    context: Mapping[str, Any],
    product: Product | None = None,
    case: str = "",
) -> None:
    """Tell one person of one event, in the caller's transaction; the same `source` a second time changes nothing.

    `source` names the event in at most 64 characters. Raises as kinds.render.
    """
    product_id = None if product is None else product.pk
    recipients = (recipient.pk,)
    store_notifications(
        [
            NotificationDraft.of(
                kind, source=source, context=context, recipients=recipients, product_id=product_id, case=case
            )
        ]
    )


def store_notifications(notices: Iterable[NotificationDraft]) -> None:
    """Write each notice once per recipient, in chunks and in one transaction, with a delivery if it is mailed.

    Exactly one row per (recipient, kind, source) and one delivery at most per row, however often it is called. What
    the recipient has switched off is written all the same, hidden, or without a delivery. An account that is gone or
    erased gets none, also if it is erased meanwhile.
    """
    rows = (
        Notification(
            recipient_id=recipient,
            kind=notice.kind,
            title=notice.title,
            message=notice.message,
            source=notice.source,
            product_id=notice.product_id,
            mailed=KINDS[notice.kind].mails,
        )
        for notice in notices
        for recipient in notice.recipients
    )
    with transaction.atomic(savepoint=False):
        while chunk := list(islice(rows, CHUNK)):
            _store_chunk(chunk)


def _store_chunk(rows: list[Notification]) -> None:
    known = user_locking.lock_active_users(user_ids={row.recipient_id for row in rows})
    distinct = {(row.recipient_id, row.kind, row.source): row for row in rows if row.recipient_id in known}
    preferences.apply_preferences(distinct.values())
    # Not ignore_conflicts: that returns no ids, and a row that was there already would get no delivery if it lacks
    # one. Updating `source` to what it is changes nothing and returns the id of either; `mailed` too, which is as it
    # was decided when the row was written, whatever has been switched since.
    written = Notification.objects.bulk_create(
        distinct.values(),
        update_conflicts=True,
        unique_fields=("recipient", "kind", "source"),
        update_fields=("source",),
    )
    EmailDelivery.objects.bulk_create(
        [EmailDelivery(notification=row) for row in written if row.mailed], ignore_conflicts=True
    )
