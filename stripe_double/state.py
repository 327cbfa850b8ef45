"""The state of a running double."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stripe_double.faults import Faults

if TYPE_CHECKING:
    from stripe_double.store import Store
    from stripe_double.webhooks import Deliverer


@dataclass
class Double:
    """The state of one double: its store, its webhook sender (None without a webhook URL) and the queued faults."""

    store: Store
    deliverer: Deliverer | None = None
    latency: float = 0.0
    faults: Faults = field(default_factory=Faults)

    def wake(self) -> None:
        """Notify the webhook sender that events were committed."""
        if self.deliverer:
            self.deliverer.wake()
