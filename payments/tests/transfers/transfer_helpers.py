"""Runs the transfer job when the next attempt is due."""

from __future__ import annotations

from payments.services import transfers
from payments.tests.conftest import make_due


def run_due_transfers(payout):
    """Make all attempts due and run the job; return how many it made."""
    make_due()
    done = transfers.send_due()
    payout.refresh_from_db()
    return done
