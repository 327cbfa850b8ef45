"""The server and the Stripe double over real HTTP on both sides: what only a real connection can show.

The rest of what webhooks, checkout and refunds do is tested in the folder above, with Django's test client.
"""
