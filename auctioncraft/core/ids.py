"""Time-ordered identifiers, made before the row is written."""

from __future__ import annotations

import os
import time
import uuid


def uuid7() -> uuid.UUID:
    """Make a UUID version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then randomness.

    Unlike a sequence it tells nobody how many rows others wrote; unlike version 4 it lands at the end of an index.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)
