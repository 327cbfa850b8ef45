"""How this app refuses. Codes are public and never renamed."""

from __future__ import annotations

from auctioncraft.core.errors import DomainError


class InvalidCode(DomainError):
    """Wrong, expired, superseded, used, unknown, or of a disabled account: one text, so that none is told apart."""

    code = "invalid_code"
    detail = "The code is wrong, was used already, or has expired. Ask for a new one."


class InvalidCredentials(DomainError):
    """A wrong password, no such account, one without a password, or a disabled one: not told apart either."""

    code = "invalid_credentials"
    detail = "The e-mail address or the password is wrong."
    status = 401


class PasswordSignInDisabled(DomainError):
    """PASSWORD_SIGN_IN is off here."""

    code = "password_sign_in_disabled"
    detail = "Passwords are not in use here. Sign in with a code."
    status = 403


class EmailTaken(DomainError):
    """The address, in its normalised form, has an account."""

    code = "email_taken"
    detail = "There is an account with this e-mail address. Sign in, with a code if need be."


class WeakPassword(DomainError):
    """The new password fails the validators; `errors` says why, all reasons at once."""

    detail = "The input is not valid."

    def __init__(self, reasons: list[str]) -> None:
        """`reasons`: a sentence each."""
        super().__init__(errors={"password": reasons})
