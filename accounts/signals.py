"""Signals to the apps above, sent in the transaction of what happened."""

from django.dispatch import Signal

# `code`: the OneTimeCode that was created. The receiver mails services.otp.derive_code(code).
code_requested = Signal()
# `discarded`: a DiscardedAccount. Its address was proved by another person, and what it made is to be withdrawn.
account_discarded = Signal()
# `user`: a refresh token was used again after more than 10 seconds, and its session was ended.
refresh_token_reused = Signal()
# `user`, `session`: a device signed in that is new to the account. Not sent for the account's first session.
new_device_signed_in = Signal()
# `user`, `actor` (staff, or None), `reason`, `at`: the account was disabled.
account_disabled = Signal()
# `user`: the password was changed or reset.
password_changed = Signal()
# `user`, `code`: the user asked to change the address; the code goes to the new one.
email_change_requested = Signal()
# `user`, `previous`: the address was changed. `previous` is a PreviousEmail.
email_changed = Signal()
# `user`, `action`: staff changed an account. `action` is a StaffAction.
staff_acted = Signal()
# `user`, `actor`, `reason`, `at`: staff disabled an account; what it takes part in is to be withdrawn by `actor`. A
# receiver that finds `actor` taking part in it too raises ConflictOfInterest, and nothing is disabled.
account_disabled = Signal()
