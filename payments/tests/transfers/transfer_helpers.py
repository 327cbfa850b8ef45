"""Runs the transfer job when the next attempt is due."""

from __future__ import annotations

from datetime import timedelta

from auctioncraft.core import clock
from payments.models import Payout, TransferReversal
from payments.services import transfers


def run_due_transfers(payout):
    """Make all attempts due and run the job; return how many it made."""
    past = clock.now() - timedelta(seconds=1)
    Payout.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=past)
    TransferReversal.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=past)
    done = transfers.send_due()
    payout.refresh_from_db()
    return done
