"""Signals for the apps above, sent in the same transaction."""

from django.dispatch import Signal

# Each is sent with `order`, whose row is locked. A receiver may write rows, nothing else.
order_opened = Signal()
payment_succeeded = Signal()
payment_failed = Signal()
# And with `payable`: whether a card could be charged its total. What it could not counts as no strike.
payment_reminded = Signal()
order_expired = Signal()  # and with `withdrawn`: its buyer's or seller's account has ended
# With `refund` too: it has gone through at Stripe.
refund_issued = Signal()
