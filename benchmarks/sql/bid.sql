-- A bid as one hand-written statement: the limit of the database, and the baseline. It writes what a real bid writes (the
-- auction, the bid, its public event, the outbox) and decides nothing: no rules, no token, no response.
\set product random(:low, :high)
\set bidder random(:first_bidder, :last_bidder)
WITH moved AS (
  UPDATE auctions_auction a
  SET leader_id = :bidder, price = coalesce(a.price, 10000) + 100, leader_max = coalesce(a.price, 10000) + 100,
      bid_count = a.bid_count + 1, last_bid_at = clock_timestamp(), seq = a.seq + 1, version = a.version + 1
  WHERE a.product_id = :product AND a.status = 'open'
    AND a.starts_at <= clock_timestamp() AND a.ends_at > clock_timestamp()
  RETURNING a.product_id, a.version, a.seq, a.price, a.bid_count, a.ends_at
), bids AS (
  INSERT INTO auctions_bid (id, product_id, version, position, seq, bidder_id, displayed_amount, amount, outcome, placed_at)
  SELECT gen_random_uuid(), product_id, version, 0, seq, :bidder, price, price, 'leading', clock_timestamp() FROM moved
), events AS (
  INSERT INTO auctions_auctionevent (product_id, seq, kind, data, private, created_at)
  SELECT product_id, seq, 'bid_placed',
         jsonb_build_object('bidder', 'Bidder 1a2b', 'leader', 'Bidder 1a2b', 'amount', price, 'currency', 'USD',
                            'current_price', price, 'minimum_bid', price + 100, 'bid_count', bid_count,
                            'ends_at', ends_at, 'reserve_met', true),
         jsonb_build_object('bidder', :bidder, 'leader', :bidder, 'outbid', null),
         clock_timestamp()
  FROM moved
  RETURNING product_id, seq
), outbox AS (
  INSERT INTO auctions_eventoutbox (product_id, seq) SELECT product_id, seq FROM events
)
SELECT count(*) FROM moved;
