"""The settings of production with cheaper password hashes, for `benchmarks.enumeration` only.

Argon2 takes about 50 milliseconds, whose jitter would hide other differences. A hash for only one kind of address would
still show, by several milliseconds.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher

from auctioncraft.settings import *  # noqa: F403 (production's, as the environment says)


class LightArgon2(Argon2PasswordHasher):
    """Django's, with a twelfth of its memory and one pass."""

    time_cost = 1
    memory_cost = 8192
    parallelism = 1


PASSWORD_HASHERS = ["benchmarks.enumeration_settings.LightArgon2"]
