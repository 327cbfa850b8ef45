"""Errors of this app. Codes are public and never renamed."""

from __future__ import annotations

from auctioncraft.core.errors import Conflict, DomainError, PermissionDenied


class InvalidCode(DomainError):
    """The code is wrong, expired, replaced or used, or the account is disabled. The text does not say which."""

    code = "invalid_code"
    detail = "The code is wrong, used, or expired. Please request a new one."


class InvalidCredentials(DomainError):
    """Wrong password, or no account, no password, or a disabled account. The text does not say which."""

    code = "invalid_credentials"
    detail = "The email address or the password is wrong."
    status = 401


class PasswordSignInDisabled(DomainError):
    """The operator disabled passwords (PASSWORD_SIGN_IN)."""

    code = "password_sign_in_disabled"
    detail = "Signing in with a password is disabled. Please use a one-time code."
    status = 403


class EmailTaken(DomainError):
    """The normalized address has an account."""

    code = "email_taken"
    detail = "An account with this email address already exists. Please sign in, for example with a one-time code."


class WeakPassword(DomainError):
    """The new password fails the validators. `errors` lists all reasons."""

    detail = "The input is not valid."

    def __init__(self, reasons: list[str]) -> None:
        """`reasons`: one sentence each."""
        super().__init__(errors={"password": reasons})


class EmailNotVerified(DomainError):
    """Nobody has proved the account's address with a one-time code yet."""

    code = "email_not_verified"
    detail = "Verify your email address first: request a one-time code and enter it while you are signed in."
    status = 403


class DisplayNameReserved(DomainError):
    """The display name pretends to be this site or its staff."""

    code = "display_name_reserved"
    detail = "This name is reserved. Please choose another one."


class DisplayNameTaken(DomainError):
    """The display name can be mistaken for that of a seller."""

    code = "display_name_taken"
    detail = "A seller has this name or one that looks like it. Please choose another one."


class ConflictOfInterest(PermissionDenied):
    """Staff act on something in which they are the seller, a bidder, the buyer or the owner."""

    code = "conflict_of_interest"
    detail = "You take part in this yourself, so another member of staff must decide."


class AccountUnchanged(Conflict):
    """The account is in the requested state already, or was deleted."""

    code = "account_unchanged"
    detail = "There is nothing to change in this account."
