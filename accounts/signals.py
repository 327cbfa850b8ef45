"""What this app tells the ones above it, in the same transaction."""

from django.dispatch import Signal

# Sent by services.otp with `code` (a OneTimeCode just written): somebody above mails services.otp.derive_code(code).
code_requested = Signal()
# Sent by services.tokens with `user` when a spent refresh token came back and its family was ended.
refresh_token_reused = Signal()
# Sent by services.tokens with `user` and `sign_in` when a device signed in that the account had not seen before. Not
# at its very first sign-in.
new_device_signed_in = Signal()
# Sent with `user` when the password was set anew: by its owner, or by whoever reads the account's mail.
password_changed = Signal()
# Sent by services.email_change with `user`, and `code`: when somebody signed in asked for another address.
email_change_requested = Signal()
# Sent by services.email_change with `user` and `former` (a PreviousEmail) when the account has the other address.
email_changed = Signal()
