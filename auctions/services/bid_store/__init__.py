"""The seam behind which a bid meets the database: one read without a lock, one write that happens whole or not at all.

PostgreSQL does each in a single statement; the portable store (SQLite) in the ORM's terms. Both keep one promise:
`commit` writes nothing unless the auction is still at the version that `look` read and still open by the clock, and the
bidder's account is neither disabled nor erased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from django.db import connection

from auctions.services.bid_store import postgres, sqlite

if TYPE_CHECKING:
    from accounts.services.tokens import Credential
    from auctions.services.bid_store.types import AuctionSnapshot, BidWrite


class Store(Protocol):
    """What a store does."""

    def read_snapshot(
        self, *, product_id: int, bidder_id: int, credential: Credential | None
    ) -> AuctionSnapshot | None:
        """Read the auction, the bidder's standing and the clock without a lock; None if there is no such product."""

    def write_bid(self, write: BidWrite) -> bool:
        """Write all of it and return True, or nothing and return False because something moved.

        Raises django.db.IntegrityError when another request with the same Idempotency-Key was faster.
        """


def store() -> Store:
    """Return the store of the default database."""
    return postgres if connection.vendor == "postgresql" else sqlite
