"""What this app tells the ones above it, in the same transaction."""

from django.dispatch import Signal

# Sent for every sale, by the hammer or otherwise, with `auction`, whose row is locked and says who won and at what
# price, and `at`, the moment of the sale (UTC). A receiver may write rows, nothing else.
auction_sold = Signal()
