"""The introduction of the API reference, and its areas. Settings import this."""

from __future__ import annotations

from typing import Final

DESCRIPTION: Final = """\
Sign in with a one-time code, list products, bid, win and pay.

**Authentication.** Send an access token as `Authorization: Bearer …`. An access token lasts 15 minutes; exchange the
refresh token for a new pair.

**Amounts and times.** Amounts in responses are strings with the decimals of their currency, like `"150.00"`. Requests
may send strings or numbers. Times are ISO 8601; responses use UTC.

**Errors.** Every error has a `code` for programs, which never changes, and a `detail` for people. Invalid input has an
`errors` object with the messages of each field.

**Idempotency.** A POST that accepts `Idempotency-Key` can be sent again after a lost response without a second effect.

**Pagination.** Lists are paged with `page` and `page_size`. `next` is null on the last page.
"""
TAGS: Final = [
    {"name": "auth", "description": "Sign-in, tokens, sessions and notifications."},
    {"name": "users", "description": "Accounts."},
    {"name": "products", "description": "Products, their auctions, bids, events and images."},
    {"name": "bids", "description": "Your bids."},
    {"name": "categories", "description": "Categories of products."},
    {"name": "payments", "description": "Orders, checkout, saved cards, refunds and payouts."},
    {"name": "stripe", "description": "Webhooks from Stripe."},
]
