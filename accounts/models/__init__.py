"""The tables of accounts."""

from accounts.models.sign_in import FailedAttempts, KnownNetwork, OneTimeCode, Session, WrongCode
from accounts.models.users import (
    ERASED_DOMAIN,
    ERASED_NAME,
    DiscardedAccount,
    PreviousEmail,
    StaffAction,
    User,
    UserManager,
    normalize_email,
)
