"""What this app tells the ones above it, in the same transaction."""

from django.dispatch import Signal

# Sent by services.otp with `code` (a OneTimeCode just written): somebody above mails services.otp.reveal(code).
code_requested = Signal()
# Sent by services.tokens with `user` when a spent refresh token came back and its family was ended.
refresh_reused = Signal()
