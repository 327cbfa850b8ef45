"""Faults for the next API requests, set at `POST /_double/faults`. Webhooks: `webhook_faults.py`.

A queue in memory; each request takes the first fault that is meant for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

JSON = dict[str, Any]

# `timeout_after_create`: do the work, wait `seconds`, close the connection.
# `slow`: do the work, wait `seconds`, answer.
# `reset`: close the connection before any work. `500`, `429`: refuse without any work, like Stripe.
KINDS = ("timeout_after_create", "500", "429", "slow", "reset")
METHODS = ("POST", "GET", "DELETE", "any")
MAX_SECONDS = 600.0
MAX_TIMES = 1000


@dataclass(frozen=True)
class Fault:
    """One fault for one request: of this method (or any), to a path that begins so."""

    kind: str
    seconds: float = 0.0
    method: str = "POST"
    path: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault applies to this request."""
        return self.method in ("any", method) and path.startswith(self.path)


@dataclass
class Faults:
    """The queued faults, in order."""

    waiting: list[Fault] = field(default_factory=list)

    def set(self, given: JSON) -> str | None:
        """Queue `times` more faults or (with an empty `next`) clear the queue; return an error message or None."""
        kind = str(given.get("next") or "")
        method = str(given.get("method") or "POST")
        try:
            seconds, times = float(given.get("seconds", 0)), int(given.get("times", 1))
        except (TypeError, ValueError):
            return "seconds must be a number, times a whole one"
        if kind and kind not in KINDS:
            return f"next must be one of {', '.join(KINDS)}, or empty"
        if method not in METHODS:
            return f"method must be one of {', '.join(METHODS)}"
        if not 0 <= seconds <= MAX_SECONDS:
            return f"seconds must be between 0 and {MAX_SECONDS:.0f}"
        if not 1 <= times <= MAX_TIMES:
            return f"times must be between 1 and {MAX_TIMES}"
        if kind:
            self.waiting += [Fault(kind, seconds, method, str(given.get("path") or ""))] * times
        else:
            self.waiting.clear()
        return None

    def take(self, method: str, path: str) -> Fault | None:
        """Remove and return the first fault for this request."""
        for position, fault in enumerate(self.waiting):
            if fault.matches(method, path):
                return self.waiting.pop(position)
        return None

    def as_dict(self) -> JSON:
        """Return the queue; `next` and `seconds` describe its first fault."""
        first = self.waiting[0] if self.waiting else None
        return {
            "next": first.kind if first else None,
            "seconds": first.seconds if first else 0,
            "waiting": [asdict(fault) for fault in self.waiting],
            "kinds": KINDS,
        }
