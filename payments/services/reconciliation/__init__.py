"""Reconciliation: Stripe's books held against ours, what can be put right put right, and the rest told.

run       one at a time, from where the last one ended
payments  PaymentIntents
events    what Stripe could not deliver
books     every entry on our balance there, by `ours`
"""

from payments.services.reconciliation.run import reconcile

__all__ = ["reconcile"]
