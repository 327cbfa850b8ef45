"""Every line of what Stripe, or who poses as Stripe, may do to us, over real HTTP on both sides.

Our server answers in a thread (`live_server`), Stripe is the double in a process of its own, and all that happens is
done with `requests`; rows are only looked at. The lines are those of the design's table of faults and abuse, and what
Stripe documents of webhooks, errors and idempotency.
"""
