"""The seam for faults: what goes wrong with the next POST to the API. Set at `POST /_double/faults`.

One fault for one request, in memory. Issue 5 adds its switches here (slow answers, webhooks doubled, reordered,
delayed, dropped): a kind in KINDS, and the place in `app.py` or `webhooks.py` that asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KINDS = ("timeout_after_create", "500", "429")
MAX_SECONDS = 600.0


@dataclass(frozen=True)
class Fault:
    """`timeout_after_create`: the work is done, then `seconds` of silence and a closed connection."""

    kind: str
    seconds: float = 0.0


@dataclass
class Faults:
    """The fault waiting for the next POST, if any."""

    next: Fault | None = field(default=None)

    def set(self, given: dict[str, Any]) -> str | None:
        """Arm or (with an empty `next`) disarm; return what is wrong with the request, or None."""
        kind = given.get("next") or None
        try:
            seconds = float(given.get("seconds", 0))
        except (TypeError, ValueError):
            return "seconds must be a number"
        if kind is not None and str(kind) not in KINDS:
            return f"next must be one of {', '.join(KINDS)}, or empty"
        if not 0 <= seconds <= MAX_SECONDS:
            return f"seconds must be between 0 and {MAX_SECONDS:.0f}"
        self.next = None if kind is None else Fault(str(kind), seconds)
        return None

    def take(self) -> Fault | None:
        """Return the waiting fault and disarm it."""
        fault, self.next = self.next, None
        return fault
