"""Signals to the apps above this one, sent in the transaction of the change."""

from django.dispatch import Signal

# Sent for every sale, with `auction` (locked, with its winner and price), `terms` (the SaleTerms that the buyer agreed
# to) and `at`, the time of the sale in UTC.
# A receiver may only write rows.
auction_sold = Signal()
