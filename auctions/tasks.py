"""What the worker does for auctions."""

from __future__ import annotations

from celery import shared_task

from auctions.services import closing


@shared_task(name="auctions.close_due")
def close_due() -> int:
    """Close what is due. Each second; idempotent."""
    return closing.close_due()
