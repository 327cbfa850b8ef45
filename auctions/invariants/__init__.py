"""What must always be true of auctions, bids and the event log (invariants 1-9), checked on live data, read-only.

Each check returns one line for every row that breaks it.

    replay, replay_sql  every bid decided again: by the engine, and by one statement of SQL
    timeline            the end as it stood at each moment
    bids                bids, their events and amounts
    results             how auctions end
    sequels             second chances, relistings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auctioncraft.core.invariants import invariant
from auctions.invariants import bids, category_counts, end_times, post_sale, replay, results

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHECKS", "category_counts"]

CHECKS: Final[dict[str, Callable[[], list[str]]]] = {
    "1 its bids, decided again, give each auction": replay.replay,
    "1 bid_count counts what people bid in public": bids.counts,
    "2 the log of each product is gap-free": bids.log_is_gap_free,
    "2 every public bid has its event, every such event its bid": bids.bids_and_log_agree,
    "2 every void has its bid and its event": bids.voids_and_log_agree,
    "2 no bid is ahead of its auction": bids.bids_are_within_their_auction,
    "2, 4 neither prices nor moments of bids fall": bids.prices_never_fall,
    "3 amounts are above zero, under the cap and fit their currency": bids.amounts_fit,
    "4 no seller bid on their own product": bids.sellers_do_not_bid,
    "4, 7 ends moved as they should, and every bid was in time": end_times.ends_add_up,
    "5 every kept answer has its bid": bids.kept_answers_have_their_bid,
    "7 terms stand once somebody has bid": results.terms_stand_while_bids_do,
    "8 results fit how the auctions stood": results.results_fit,
    "8 every closed auction was closed once": results.closed_once,
    "8 nothing came after the close, no sequel before it": results.nothing_after_the_close,
    "8 reserves were waived in time": results.reserves_were_waived_in_time,
    "8 second chances are at the bidder's own price": post_sale.offers_are_at_the_bidders_own_price,
    "8 second chances last a day": post_sale.offers_last_a_day,
    "8 second chances are in the log": post_sale.offers_are_in_the_log,
    "8 second chances follow a sale that fell through": post_sale.offers_follow_a_sale_that_fell_through,
    "8 only the unsold is listed again": post_sale.relistings_are_of_the_unsold,
    "9 no auction is overdue": results.none_is_overdue,
    "9 no second chance is overdue": post_sale.none_waits_beyond_its_time,
}


for _name, _check in CHECKS.items():
    _numbers = tuple(int(word.rstrip(",")) for word in _name.split() if word.rstrip(",").isdigit())
    invariant(_numbers, _name.split(" ", len(_numbers))[-1])(_check)
