"""What the worker sweeps for this app."""

from __future__ import annotations

from contextlib import suppress

from auctioncraft.sweeps import sweep
from payments import errors
from payments.services import auto_charge, customers, expiry, refunds, transfers, webhooks
from payments.services.reconciliation import reconcile


@sweep("payments.process_events")
def process_events() -> None:
    """Act on the Stripe events whose first try failed."""
    webhooks.process_pending()


@sweep("payments.follow_up_orders")
def follow_up_orders() -> None:
    """Remind of unpaid orders, and let those expire whose time is up."""
    expiry.remind_due()
    expiry.expire_due()


@sweep("payments.cancel_leftovers")
def cancel_leftovers() -> None:
    """Cancel at Stripe what is not to be paid any more."""
    expiry.cancel_leftovers()


@sweep("payments.reconcile")
def compare_with_stripe() -> None:
    """Hold our rows against Stripe's, unless that is being done."""
    with suppress(errors.ReconciliationRunning):
        reconcile()


@sweep("payments.send_refunds")
def send_refunds() -> None:
    """Have Stripe make the refunds that it has not answered yet."""
    refunds.send_waiting()


@sweep("payments.charge_winners")
def charge_winners() -> None:
    """Charge the saved cards of winners who want that."""
    auto_charge.charge_winners()


@sweep("payments.delete_customers")
def delete_customers() -> None:
    """Have Stripe forget the customers whose accounts were erased."""
    customers.delete_due()


@sweep("payments.send_payouts")
def send_payouts() -> None:
    """Send sellers what they are due, and take back what they have too much."""
    transfers.send_due()
