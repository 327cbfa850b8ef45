"""The application, which writes down every guess that it really compares: the file COMPARED, a line a comparison.

A code is compared by otp.constant_time_compare, with more than one code of its address perhaps; a password by hashing
it. Whoever counts the different lines counts the guesses that had a chance.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from auctioncraft.wsgi import application  # Django is there once this is

# isort: split
from accounts.models import User
from accounts.services import otp, passwords

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["application"]

# A short line to a file opened for appending is written whole, whichever process writes it.
_file = os.open(os.environ["COMPARED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _written_down(compare: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Return the same function, that first writes down its argument at that place: the guess."""

    def first_write(*arguments: Any) -> Any:
        os.write(_file, f"{arguments[place]}\n".encode())
        return compare(*arguments)

    return first_write


otp.constant_time_compare = _written_down(otp.constant_time_compare, 1)
User.check_password = _written_down(User.check_password, 1)
# What an address without an account is hashed by.
passwords.make_password = _written_down(passwords.make_password, 0)
