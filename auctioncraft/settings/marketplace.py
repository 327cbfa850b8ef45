"""The rules that an operator sets: auctions, fees, payments, Stripe."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured

from auctioncraft.settings.environment import DEBUG, PORT, env

DEFAULT_CURRENCY = env.str("DEFAULT_CURRENCY", "USD").upper()
# The highest amount, in units of its currency. Stripe charges at most 99,999,999 minor units (999,999.99 USD).
MAX_AMOUNT = env.int("MAX_AMOUNT", 99_999_999)
SOFT_CLOSE_WINDOW = timedelta(seconds=env.int("SOFT_CLOSE_WINDOW", 120))
SOFT_CLOSE_EXTENSION = timedelta(seconds=env.int("SOFT_CLOSE_EXTENSION", 120))
SOFT_CLOSE_CAP = timedelta(seconds=env.int("SOFT_CLOSE_CAP", 24 * 3600))
STRIKES_BEFORE_BAN = env.int("STRIKES_BEFORE_BAN", 3)

# The buyer's premium in marginal bands: "0:10,1000:5" is 10% up to 1,000 and 5% of the rest. Default: none.
BUYERS_PREMIUM_BANDS = tuple(
    (Decimal(start), Decimal(percent))
    for start, _, percent in (band.partition(":") for band in env.list("BUYERS_PREMIUM_BANDS", default=[]))
)
PAYMENT_WINDOW = timedelta(hours=env.int("PAYMENT_WINDOW_HOURS", 96))
# The seller's commission in percent of the hammer price, which you keep in addition to the buyer's premium.
SELLER_COMMISSION_PERCENT = Decimal(env.str("SELLER_COMMISSION_PERCENT", "0"))
if not 0 <= SELLER_COMMISSION_PERCENT <= 100:
    raise ImproperlyConfigured("SELLER_COMMISSION_PERCENT must be from 0 to 100.")
# "USD=500,JPY=50000": bidders above that need a card on file. Other currencies need none.
CARD_REQUIRED_ABOVE = {
    currency.upper(): Decimal(amount) for currency, amount in env.dict("CARD_REQUIRED_ABOVE", default={}).items()
}
# On: sales may be paid outside Stripe. Off: no listing, bid or purchase is accepted whose total no card can be charged.
OFFLINE_PAYMENTS = env.bool("OFFLINE_PAYMENTS", False)
# How many unpaid orders an account may have, and one that is younger than a week or whose address was never proved.
MAX_UNPAID_ORDERS = env.int("MAX_UNPAID_ORDERS", 5)
MAX_UNPAID_ORDERS_NEW = env.int("MAX_UNPAID_ORDERS_NEW", 1)
# Whether winners can have a saved card charged at the close; each chooses the card.
AUTO_CHARGE = env.bool("AUTO_CHARGE", False)
# Without a Stripe key, payments go to the Stripe double that `make run` starts (stripe_double/README.md).
STRIPE_DOUBLE_PORT = env.int("STRIPE_DOUBLE_PORT", PORT + 1)
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
# Also accepted: former secrets while you rotate, and the secret of the endpoint for connected accounts.
STRIPE_WEBHOOK_SECRETS_OLD = env.list("STRIPE_WEBHOOK_SECRETS_OLD", default=[])
STRIPE_CONNECT_WEBHOOK_SECRET = env.str("STRIPE_CONNECT_WEBHOOK_SECRET", "")
# On: Stripe Connect pays sellers. Off: you pay them from the payout report.
STRIPE_CONNECT = env.bool("STRIPE_CONNECT", False)
STRIPE_CONNECT_COUNTRY = env.str("STRIPE_CONNECT_COUNTRY", "US").upper()
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "")
STRIPE_TIMEOUT = env.float("STRIPE_TIMEOUT", 10.0)
STRIPE_IS_DOUBLE = DEBUG and not STRIPE_SECRET_KEY
if STRIPE_IS_DOUBLE:
    STRIPE_SECRET_KEY = "sk_test_double"  # noqa: S105 (the double takes any test key)  # nosec B105
    STRIPE_PUBLISHABLE_KEY = STRIPE_PUBLISHABLE_KEY or "pk_test_double"
    STRIPE_API_BASE = STRIPE_API_BASE or f"http://127.0.0.1:{STRIPE_DOUBLE_PORT}"
    STRIPE_WEBHOOK_SECRET = STRIPE_WEBHOOK_SECRET or "whsec_double"
