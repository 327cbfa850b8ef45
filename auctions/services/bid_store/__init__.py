"""Reads and writes of a bid: one read without a lock, one write that happens completely or not at all.

PostgreSQL does each in a single statement, SQLite through the ORM. `write_bid` writes nothing unless the auction still
has the version that `read_snapshot` read, is open by the clock, and the bidder's account is active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from django.db import connection

from auctions.services.bid_store import postgres, sqlite

if TYPE_CHECKING:
    from accounts.services.tokens import Credential
    from auctions.services.bid_store.types import AuctionSnapshot, BidWrite


class Store(Protocol):
    """The two operations, per database."""

    def read_snapshot(
        self, *, product_id: int, bidder_id: int, credential: Credential | None
    ) -> AuctionSnapshot | None:
        """Read the auction, the bidder and the clock without a lock; return None if there is no such product."""

    def write_bid(self, write: BidWrite) -> bool:
        """Write everything and return True, or write nothing and return False because something changed.

        Raises django.db.IntegrityError when another request with the same Idempotency-Key was faster.
        """


def store() -> Store:
    """Return the store of the default database."""
    return postgres if connection.vendor == "postgresql" else sqlite
