"""An API call, and what most calls do: find an object, change it, emit an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stripe_double import objects
from stripe_double.errors import missing_resource

if TYPE_CHECKING:
    from stripe_double.forms import Params
    from stripe_double.store import Store

JSON = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request to the API, after authentication. `request_id` is empty when the double itself acts."""

    store: Store
    params: Params
    request_id: str
    idempotency_key: str | None
    base_url: str
    publishable: bool
    delivers: bool

    def find(self, kind: str, object_id: str, param: str) -> JSON:
        """Return an object or raise Stripe's 404 naming the parameter that held the id."""
        found = self.store.get(kind, object_id)
        if found is None:
            raise missing_resource(kind, object_id, param)
        return found

    def announce(self, type_: str, snapshot: JSON, previous: JSON | None = None, *, account: str | None = None) -> None:
        """Write an event and queue its delivery, in the transaction of the change.

        `account` is the connected account it happened on; None is the platform's own.
        Source: https://docs.stripe.com/api/events/types
        """
        # What a customer or a bank does has no API request behind it; Stripe's events then contain nulls.
        request = {"id": self.request_id or None, "idempotency_key": self.idempotency_key}
        event = objects.event(type_, snapshot, previous, request) | ({"account": account} if account else {})
        self.store.add(event)
        if self.delivers:
            self.store.queue(event["id"])
