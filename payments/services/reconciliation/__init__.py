"""Reconciliation: compare our rows with Stripe's, fix what can be fixed, and report the rest.

run       one at a time, from where the last one ended
payments  PaymentIntents
events    what Stripe could not deliver
books     every entry on our balance there, by `ours`
"""

from payments.services.reconciliation.run import reconcile
