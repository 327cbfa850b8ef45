"""Settings of the tests: those of development, without the developer's `.env` and Stripe keys."""

import os

os.environ.update(
    {
        "READ_DOT_ENV": "off",
        "DEBUG": "on",
        "STRIPE_SECRET_KEY": "",
        "STRIPE_API_BASE": "",
        "STRIPE_WEBHOOK_SECRET": "whsec_test",
        "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
        "REDIS_URL": "",
        "CELERY_BROKER_URL": "memory://",
        "LOG_LEVEL": "WARNING",
    }
)
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")

from auctioncraft.settings import *  # noqa: F403 (after the environment)
from auctioncraft.settings import DATABASE_IS_SQLITE, DATABASES, LIMITS, VAR_DIR

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast: Argon2 takes 50 ms per user
# Tests of a limit set it.
MAX_UNPAID_ORDERS = MAX_UNPAID_ORDERS_NEW = 1000
LIMITS = dict.fromkeys(LIMITS, 0) | {"images_per_product": LIMITS["images_per_product"]}
if DATABASE_IS_SQLITE:
    # A file, not memory: threads and server processes share it.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    # Creating and dropping a test database may take longer than any query.
    _OPTIONS = DATABASES["default"]["OPTIONS"]
    _OPTIONS["options"] = _OPTIONS["options"].replace("statement_timeout=15s", "statement_timeout=60s")
