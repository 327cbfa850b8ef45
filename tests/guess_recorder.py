"""The WSGI application, which also records each guess that it compares in the file COMPARED, one per line.

A code is compared by otp.constant_time_compare, perhaps with several codes of its address; a password by hashing it.
The number of different lines is the number of guesses that could have succeeded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from auctioncraft.wsgi import application  # sets up Django

# isort: split
from accounts.models import User
from accounts.services import otp, passwords

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["application"]

# Several processes append: a short line is written in one piece.
_file = os.open(os.environ["COMPARED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _written_down(compare: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Return the function, recording its argument at that position: the guess."""

    def first_write(*arguments: Any) -> Any:
        os.write(_file, f"{arguments[place]}\n".encode())
        return compare(*arguments)

    return first_write


otp.constant_time_compare = _written_down(otp.constant_time_compare, 1)
User.check_password = _written_down(User.check_password, 1)
# Hashes the password when the address has no account.
passwords.make_password = _written_down(passwords.make_password, 0)
