"""A simulated marketplace: random users list, bid, close and pay against the real services, on a simulated clock.

runner            a whole run, which checks the invariants as it goes
scheduler         the clock, the random choices, the queue of actions, and what counts as a failure
users             the users, and how each kind of bidder decides
products          what sellers list
listings          what sellers and staff do about an open auction
bidders           visits, bids, buy-now and watching
sales             what follows a close: acceptance below the reserve, second chances, relistings
orders            payments, reminders and expiry
fake_stripe       Stripe without the network
report            the figures of a run, and its digest
scratch_database  the database of a run
simulated_clock   the clock, also used by tests
"""
