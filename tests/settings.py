"""Settings of the test suite: development's, untouched by a developer's `.env` or Stripe keys."""

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

from auctioncraft.settings import *  # noqa: F403 (the environment first)
from auctioncraft.settings import DATABASE_IS_SQLITE, DATABASES, THROTTLES, VAR_DIR

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # speed only: Argon2 is 50 ms a user
# A test of a limit sets it.
THROTTLES = dict.fromkeys(THROTTLES, 0)
if DATABASE_IS_SQLITE:
    # Threads and server processes must see one database: a file, not memory.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    # To make a test database and to drop it takes the disk longer than any query of ours may take.
    _OPTIONS = DATABASES["default"]["OPTIONS"]
    _OPTIONS["options"] = _OPTIONS["options"].replace("statement_timeout=15s", "statement_timeout=60s")
