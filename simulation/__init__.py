"""A marketplace in process: people list, bid, close, pay or don't, on a simulated clock, against the real services.

stage     the clock, the dice, what happens next, and what counts as a failure
people    who there is, and how each kind of bidder decides
wares     what sellers list
lots      one auction from its listing to its result: visits, bids, what sellers and staff do meanwhile
sales     what becomes of a result: payment, expiry, second chance, relisting
till      Stripe, without the network
market    a whole run, with the invariants checked as it goes
report    what a run came to, and its digest
scratch   the database that is thrown away
"""
