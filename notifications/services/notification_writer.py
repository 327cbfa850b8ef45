"""Write notifications and their email deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from accounts.services import user_locking
from notifications.kinds import render
from notifications.models import EmailDelivery, Notification
from notifications.services import preferences

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from accounts.models import User
    from auctions.models import Product

CHUNK: Final = 1000  # notifications per statement


@dataclass(frozen=True, slots=True)
class NotificationDraft:
    """One text for many recipients."""

    kind: str
    title: str
    message: str
    source: str
    product_id: int | None
    recipients: tuple[int, ...]

    @classmethod
    def render(
        cls,
        kind: str,
        *,
        source: str,
        context: Mapping[str, Any],
        recipients: Iterable[int],
        product_id: int | None,
        variant: str = "",
    ) -> NotificationDraft:
        """Render the text once for all recipients. Raises as kinds.render."""
        title, message = render(kind, context, variant)
        return cls(kind, title, message, source, product_id, tuple(recipients))


def notify(
    *,
    recipient: User,
    kind: str,
    source: str,
    context: Mapping[str, Any],
    product: Product | None = None,
    variant: str = "",
) -> None:
    """Notify one user of one event, in the caller's transaction. The same `source` again changes nothing.

    `source` identifies the event in at most 64 characters. Raises as kinds.render.
    """
    draft = NotificationDraft.render(
        kind,
        source=source,
        context=context,
        recipients=(recipient.pk,),
        product_id=None if product is None else product.pk,
        variant=variant,
    )
    store_notifications([draft])


def store_notifications(drafts: Iterable[NotificationDraft]) -> None:
    """Write each draft once per recipient, with an email delivery if it is mailed, in one transaction.

    There is exactly one notification per (recipient, kind, source) and at most one delivery per notification, however
    often this is called. What the recipient switched off is written too, but not shown or not mailed. Erased accounts
    get nothing, even if they are erased meanwhile.
    """
    rows = (
        Notification(
            recipient_id=recipient,
            kind=draft.kind,
            title=draft.title,
            message=draft.message,
            source=draft.source,
            product_id=draft.product_id,
        )
        for draft in drafts
        for recipient in draft.recipients
    )
    with transaction.atomic(savepoint=False):
        while chunk := list(islice(rows, CHUNK)):
            _store_chunk(chunk)


def _store_chunk(rows: list[Notification]) -> None:
    recipients = user_locking.lock_active_users(user_ids={row.recipient_id for row in rows})
    distinct = {(row.recipient_id, row.kind, row.source): row for row in rows if row.recipient_id in recipients}
    preferences.apply_preferences(distinct.values())
    # ignore_conflicts would return no ids, and existing rows would get no delivery if they lack one. Updating `source`
    # to its own value changes nothing and returns the id and the `mailed` of existing rows, as they were written.
    written = Notification.objects.bulk_create(
        distinct.values(),
        update_conflicts=True,
        unique_fields=("recipient", "kind", "source"),
        update_fields=("source",),
    )
    deliveries = [EmailDelivery(notification=row) for row in written if row.mailed]
    EmailDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
