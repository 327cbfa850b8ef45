"""The periodic jobs of this app. What each does is said at its service."""

from __future__ import annotations

from contextlib import suppress

from auctioncraft.core.jobs import STRIPE, periodic_job
from payments import errors
from payments.services import auto_charge, customers, expiry, refunds, transfers, webhooks
from payments.services.reconciliation import reconcile

process_events = periodic_job("payments.process_events", every=5, queue=STRIPE)(webhooks.process_due)
send_payment_reminders = periodic_job("payments.send_payment_reminders", every=5)(expiry.remind_due)
expire_orders = periodic_job("payments.expire_orders", every=5, queue=STRIPE)(expiry.expire_due)
cancel_stale_intents = periodic_job("payments.cancel_stale_intents", every=60, queue=STRIPE)(
    expiry.cancel_stale_intents
)
send_refunds = periodic_job("payments.send_refunds", every=5, queue=STRIPE)(refunds.send_due)
charge_winners = periodic_job("payments.charge_winners", every=5, queue=STRIPE)(auto_charge.charge_winners)
delete_customers = periodic_job("payments.delete_customers", every=60, queue=STRIPE)(customers.delete_due)
send_payouts = periodic_job("payments.send_payouts", every=10, queue=STRIPE)(transfers.send_due)
purge = periodic_job("payments.purge", every=3600)(webhooks.purge)


@periodic_job("payments.reconcile", every=3600, queue=STRIPE)
def reconcile_with_stripe() -> None:
    """Compare our rows with Stripe's, unless that is running."""
    with suppress(errors.ReconciliationRunning):
        reconcile()
