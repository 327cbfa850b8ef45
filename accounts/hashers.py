"""How passwords are hashed."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class OneThreadArgon2(Argon2PasswordHasher):
    """Django's Argon2, with the same memory and work in one thread: eight would take all processors from others."""

    parallelism = 1
