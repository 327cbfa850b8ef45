"""The page of rules a second time, as one statement of SQL: which auctions are not what their bids give (PostgreSQL).

pricing.py decides a bid from the state before it. Here that state is read off the rows themselves: who led and at what
price say the rows of the bid before, the maximum is the highest there was. If every row follows from the one before and
the last one gives the auction, then by induction all of it is right; and a million rows are judged in seconds. What was
voided breaks such a chain: those auctions, and those found here, are the engine's to explain (replay.py).
"""

from __future__ import annotations

from typing import Final

from django.db import connection

from auctioncraft.core import money

_DOUBTFUL: Final = """
WITH rungs AS (
  SELECT increments, array_agg((rung->>0)::numeric ORDER BY place) AS starts,
         array_agg((rung->>1)::numeric ORDER BY place) AS steps
  FROM (SELECT DISTINCT increments FROM auctions_product) listed,
       jsonb_array_elements(increments) WITH ORDINALITY rungs(rung, place)
  GROUP BY increments
), terms AS MATERIALIZED (
  SELECT id AS product_id, seller_id, starting_bid, reserve_price, starts, steps,
         CASE WHEN currency = ANY(%(without_decimals)s) THEN 0 WHEN currency = ANY(%(three_decimals)s) THEN 3 ELSE 2 END
           AS decimals
  FROM auctions_product JOIN rungs USING (increments)
), write AS (
  -- What somebody bid, and beside it what a proxy did: the rows of one version. It was the leader's, if it outbid them.
  SELECT product_id, version, own.bidder_id AS bidder, own.displayed_amount, own.amount, own.outcome, own.placed_at,
         coalesce(own.max_amount, own.amount) AS most, own.position AS place, own.seq IS NOT NULL AS public,
         proxy.bidder_id AS proxy, proxy.displayed_amount AS proxy_price, proxy.position AS proxy_place,
         proxy.seq IS NOT NULL AS proxy_public,
         CASE WHEN own.outcome = 'outbid' THEN proxy.bidder_id ELSE own.bidder_id END AS leads,
         CASE WHEN own.outcome = 'outbid' THEN proxy.displayed_amount ELSE own.displayed_amount END AS stands
  FROM (SELECT * FROM auctions_bid WHERE outcome <> 'automatic') own
  LEFT JOIN (SELECT * FROM auctions_bid WHERE outcome = 'automatic') proxy USING (product_id, version)
), chain AS (
  -- And what it found: who led, at which price, with which maximum.
  SELECT *, lag(leads) OVER so_far AS led, lag(stands) OVER so_far AS stood,
         max(most) OVER (so_far ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reach,
         count(*) FILTER (WHERE public) OVER so_far AS bid_count, max(placed_at) OVER so_far AS last_bid_at,
         lag(version) OVER so_far IS DISTINCT FROM version AS alone, lead(version) OVER so_far IS NULL AS is_last
  FROM write WINDOW so_far AS (PARTITION BY product_id ORDER BY version)
), offered AS (
  SELECT *, coalesce(stood + steps[width_bucket(stood, starts)], starting_bid) AS minimum,
         CASE WHEN led IS NULL THEN 'leading' WHEN bidder = led THEN 'maximum_raised' WHEN most <= reach THEN 'outbid'
              ELSE 'leading' END AS ought
  FROM chain JOIN terms USING (product_id)
  OFFSET 0  -- here and below: or PostgreSQL writes each expression out wherever its name stands, and is twice as slow
), priced AS (
  SELECT *, CASE WHEN led IS NULL THEN coalesce(nullif(amount, 0), minimum)
                 WHEN bidder = led THEN stood
                 WHEN ought = 'outbid' THEN least(reach, most + steps[width_bucket(most, starts)])
                 ELSE greatest(coalesce(nullif(amount, 0), minimum),
                               least(most, reach + steps[width_bucket(reach, starts)])) END AS bare,
         CASE WHEN bidder = led THEN most > reach
              ELSE least(coalesce(nullif(amount, 0), most), most) >= minimum END AS good
  FROM offered
  OFFSET 0
), judged AS (
  SELECT *, CASE WHEN bare < reserve_price THEN least(greatest(reach, most), reserve_price) ELSE bare END AS gives,
         CASE WHEN ought = 'outbid' THEN bare WHEN ought = 'leading' AND reach > stood THEN reach END AS answer
  FROM priced
  OFFSET 0
)
SELECT DISTINCT product_id
FROM judged j JOIN auctions_auction a USING (product_id)
WHERE (
  alone AND good AND bidder <> seller_id
  AND (amount IS NULL OR amount <= most AND amount = round(amount, decimals)) AND most = round(most, decimals)
  AND outcome = ought AND stands = gives AND j.displayed_amount = CASE ought WHEN 'outbid' THEN most ELSE gives END
  AND public = (ought = 'leading' OR gives <> stood)
  AND CASE WHEN answer IS NULL THEN proxy IS NULL
           ELSE proxy = led AND proxy_price = answer AND proxy_public = public
                AND (place < proxy_place) = (ought = 'outbid') END
  AND (NOT is_last OR a.leader_id = leads AND a.leader_max = greatest(reach, most) AND a.price = gives
                      AND a.bid_count = j.bid_count AND a.last_bid_at = j.last_bid_at)
) IS NOT TRUE
UNION
-- A proxy's row that answers nothing.
SELECT product_id FROM auctions_bid proxy
WHERE outcome = 'automatic'
  AND NOT EXISTS (SELECT FROM auctions_bid own WHERE own.product_id = proxy.product_id
                    AND own.version = proxy.version AND own.outcome <> 'automatic')
UNION
SELECT product_id FROM auctions_auction a
WHERE (leader_id IS NOT NULL OR bid_count <> 0 OR last_bid_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM auctions_bid b WHERE b.product_id = a.product_id)
"""


def suspects() -> set[int]:
    """Return the products whose rows do not follow from each other or do not give the auction, but for voided ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DOUBTFUL,
            {"without_decimals": sorted(money.ZERO_DECIMAL), "three_decimals": sorted(money.THREE_DECIMAL)},
        )
        return {product_id for (product_id,) in cursor.fetchall()}
