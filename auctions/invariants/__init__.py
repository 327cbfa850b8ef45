"""What must always be true of auctions, bids and the event log: invariants 1-9 and 25 of docs/invariants.md.

replay           every bid evaluated again by the rules of its format
bids             bids, their events and amounts
results          how auctions end
post_sale        second chances and relistings
staff            who acted as staff, and why
category_counts  the stored counts of open products
"""

from auctions.invariants import bids, category_counts, changes, post_sale, replay, results, staff
