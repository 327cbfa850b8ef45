"""A bid on PostgreSQL: one SELECT, and one statement in autocommit that writes all of it (ADR 0005)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.db import connection

from accounts.services import bidder_status
from auctioncraft.core.pricing import SaleTerms
from auctions.formats import get_format
from auctions.formats.base import State, Terms
from auctions.services.bid_store.types import AuctionSnapshot
from auctions.services.eligibility import Bidder

if TYPE_CHECKING:
    from accounts.services.tokens import Credential
    from auctions.services.bid_store.types import BidWrite

_SNAPSHOT = """
SELECT a.status, a.leader_id, a.leader_max, a.price, a.bid_count, a.last_bid_at, a.starts_at, a.ends_at, a.hard_ends_at,
       a.version, a.seq, p.seller_id, p.currency, p.starting_bid, p.reserve_price, p.increments::text,
       p.soft_close_window, p.soft_close_extension, p.shipping, p.premium_bands::text, p.defaulters::text,
       p.alias_salt, p.format, clock_timestamp(), s.is_active,
       u.is_active, u.strikes, u.has_card, u.unpaid_orders, u.created_at, u.email_verified_at,
       %s OR EXISTS (SELECT FROM user_session t
                     WHERE t.id = %s AND t.user_id = u.id AND t.ended_at IS NULL AND u.token_version = %s)
FROM auctions_auction a
JOIN auctions_product p ON p.id = a.product_id
JOIN accounts_user s ON s.id = p.seller_id
LEFT JOIN accounts_user u ON u.id = %s
WHERE a.product_id = %s
"""

# Safe without a lock because of the version: PostgreSQL evaluates the condition again after it has waited for another
# writer, so of two bids evaluated on one version exactly one is written. The bidder's row stays locked until the
# commit: an erasure waits for the bid and then sees it, or the bid waits for the erasure.
_WRITE = """
WITH moved AS (
  UPDATE auctions_auction a
  SET leader_id = %(leader)s, leader_max = %(leader_max)s, price = %(price)s, bid_count = %(bid_count)s,
      ends_at = %(ends_at)s, last_bid_at = %(placed_at)s, seq = %(seq)s, version = a.version + 1
  WHERE a.product_id = %(product)s AND a.version = %(version)s AND a.status = 'open'
    AND a.starts_at <= clock_timestamp() AND a.ends_at > clock_timestamp()
    AND EXISTS (SELECT FROM accounts_user u WHERE u.id = %(bidder)s AND u.is_active FOR KEY SHARE)
  RETURNING a.product_id, a.version
), bids AS (
  INSERT INTO auctions_bid
    (id, product_id, version, position, seq, bidder_id, displayed_amount, amount, max_amount, outcome, placed_at,
     terms)
  SELECT b.id, moved.product_id, moved.version, b.position, b.seq, b.bidder_id, b.displayed_amount, b.amount,
         b.max_amount, b.outcome, %(placed_at)s, b.terms
  FROM moved, jsonb_populate_recordset(NULL::auctions_bid, %(bids)s::jsonb) b
), events AS (
  INSERT INTO auctions_auctionevent (product_id, seq, kind, data, private, created_at)
  SELECT moved.product_id, e.seq, e.kind, e.data, e.private, %(placed_at)s
  FROM moved, jsonb_populate_recordset(NULL::auctions_auctionevent, %(events)s::jsonb) e
  RETURNING product_id, seq
), outbox AS (
  INSERT INTO auctions_eventoutbox (product_id, seq) SELECT product_id, seq FROM events
){key}
SELECT count(*) FROM moved
"""

_KEY = """, key AS (
  INSERT INTO auctioncraft_idempotencykey (user_id, key, fingerprint, response)
  SELECT %(bidder)s, %(key)s, %(fingerprint)s, %(response)s::jsonb FROM moved
)"""


def read_snapshot(*, product_id: int, bidder_id: int, credential: Credential | None) -> AuctionSnapshot | None:
    """See Store.read_snapshot: one query."""
    session_id, version = (credential.session_id, credential.version) if credential else (None, None)
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT, [credential is None, session_id, version, bidder_id, product_id])
        row = cursor.fetchone()
    if row is None:
        return None
    (status, leader, maximum, price, bid_count, last_bid_at, starts_at, ends_at, hard_ends_at, *rest) = row
    (at_version, seq, seller, currency, starting_bid, reserve, increments, window, extension, *rest) = rest
    (shipping, bands, defaulters, salt, format_name, now, seller_active, active, *rest) = rest
    strikes, has_card, unpaid, created_at, verified_at, credential_good = rest
    sale = SaleTerms(currency, shipping, orjson.loads(bands))
    terms = Terms(
        seller=seller,
        currency=currency,
        starting_bid=starting_bid,
        reserve_price=reserve,
        increments=orjson.loads(increments),
        soft_close_window=window,
        soft_close_extension=extension,
        cap=settings.MAX_AMOUNT,
        chargeable=None if settings.OFFLINE_PAYMENTS else sale,
    )
    # A disabled seller's product takes no bid.
    is_open = status == "open" and seller_active
    state = State(starts_at, ends_at, hard_ends_at, is_open, leader, maximum, price, bid_count, last_bid_at)
    is_new = created_at is None or bidder_status.is_new(created_at=created_at, email_verified_at=verified_at, now=now)
    bidder = Bidder(strikes or 0, bool(has_card), unpaid or 0, is_new, bidder_id in orjson.loads(defaulters))
    return AuctionSnapshot(
        get_format(format_name),
        terms,
        sale,
        state,
        at_version,
        seq,
        salt,
        now,
        bool(active),
        bidder,
        bool(credential_good),
    )


def write_bid(write: BidWrite) -> bool:
    """See Store.write_bid: one statement, its own transaction unless the caller has one open."""
    parameters: dict[str, Any] = {
        "leader": write.state.leader,
        "leader_max": write.state.leader_max,
        "price": write.state.price,
        "bid_count": write.state.bid_count,
        "ends_at": write.state.ends_at,
        "placed_at": write.placed_at,
        "seq": write.seq,
        "product": write.product_id,
        "bidder": write.bidder_id,
        "version": write.version,
        "bids": orjson.dumps(write.bids, default=str).decode(),
        "events": orjson.dumps(write.events).decode(),
    }
    if write.key:
        parameters |= {
            "key": write.key.key,
            "fingerprint": write.key.fingerprint,
            "response": orjson.dumps(write.key.response).decode(),
        }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE.format(key=_KEY if write.key else ""), parameters)
        return bool(cursor.fetchone()[0])
