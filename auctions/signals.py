"""What this app tells the ones above it, in the same transaction."""

from django.dispatch import Signal

# Sent by services.closing with `auction`: its row is locked and already closed. A receiver may write rows, nothing
# else.
auction_closed = Signal()
