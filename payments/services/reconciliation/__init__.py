"""Reconciliation: compare our rows with Stripe's, fix what can be fixed, and report the rest."""

from payments.services.reconciliation.run import reconcile
