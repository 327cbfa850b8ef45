"""The periodic jobs of this app."""

from __future__ import annotations

from contextlib import suppress

from auctioncraft.core.jobs import STRIPE, periodic_job
from payments import errors
from payments.services import auto_charge, customers, expiry, refunds, transfers, webhooks
from payments.services import purge as purging
from payments.services.reconciliation import reconcile


@periodic_job("payments.process_events", every=5, queue=STRIPE)
def process_events() -> None:
    """Act on the Stripe events whose first try failed."""
    webhooks.process_due()


@periodic_job("payments.send_payment_reminders", every=5)
def send_payment_reminders() -> None:
    """Remind buyers of the orders they have not paid."""
    expiry.remind_due()


@periodic_job("payments.expire_orders", every=5, queue=STRIPE)
def expire_orders() -> None:
    """Expire the orders whose time to pay is over."""
    expiry.expire_due()


@periodic_job("payments.cancel_stale_intents", every=60, queue=STRIPE)
def cancel_stale_intents() -> None:
    """Cancel at Stripe what is not to be paid any more."""
    expiry.cancel_stale_intents()


@periodic_job("payments.reconcile", every=3600, queue=STRIPE)
def reconcile_with_stripe() -> None:
    """Compare our rows with Stripe's, unless that is running."""
    with suppress(errors.ReconciliationRunning):
        reconcile()


@periodic_job("payments.send_refunds", every=5, queue=STRIPE)
def send_refunds() -> None:
    """Have Stripe make the refunds that it has not answered yet."""
    refunds.send_due()


@periodic_job("payments.charge_winners", every=5, queue=STRIPE)
def charge_winners() -> None:
    """Charge the saved cards of winners who want that."""
    auto_charge.charge_winners()


@periodic_job("payments.delete_customers", every=60, queue=STRIPE)
def delete_customers() -> None:
    """Have Stripe forget the customers whose accounts were erased."""
    customers.delete_due()


@periodic_job("payments.send_payouts", every=10, queue=STRIPE)
def send_payouts() -> None:
    """Send sellers what they are due, and take back what they have too much."""
    transfers.send_due()


@periodic_job("payments.purge", every=3600)
def purge() -> None:
    """Delete old Stripe events."""
    purging.purge()
