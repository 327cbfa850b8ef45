"""Production security, and the defaults on which production does not start."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from auctioncraft.settings.base import METRICS_TOKEN
from auctioncraft.settings.environment import (
    ALLOWED_HOSTS,
    DEBUG,
    EXAMPLE_SECRET_KEY,
    JWT_SIGNING_KEY,
    JWT_SIGNING_KEYS_OLD,
    NUM_PROXIES,
    SECRET_KEY,
    env,
)
from auctioncraft.settings.marketplace import STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET
from auctioncraft.settings.services import DATABASE_IS_SQLITE

if DEBUG and STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")):
    # DEBUG shows stack traces to anyone and skips the checks below.
    raise ImproperlyConfigured("DEBUG=on is for development. Do not use a live Stripe key with it.")
if not DEBUG:
    _checks = {
        "SECRET_KEY must be set, 50 characters or more, and not the example": len(SECRET_KEY) < 50
        or SECRET_KEY == EXAMPLE_SECRET_KEY,
        "JWT_SIGNING_KEY must be set, 32 characters or more, and not SECRET_KEY": len(JWT_SIGNING_KEY) < 32
        or JWT_SIGNING_KEY == SECRET_KEY,
        "JWT_SIGNING_KEYS_OLD must hold keys of 32 characters or more, and not SECRET_KEY": any(
            len(key) < 32 or key == SECRET_KEY for key in JWT_SIGNING_KEYS_OLD
        ),
        "ALLOWED_HOSTS must name the hosts, without *": not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS,
        "DATABASE_URL must be PostgreSQL (or set ALLOW_SQLITE=on)": DATABASE_IS_SQLITE
        and not env.bool("ALLOW_SQLITE", False),
        "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must be set": not STRIPE_SECRET_KEY or not STRIPE_WEBHOOK_SECRET,
        "METRICS_TOKEN must hold 32 characters or more, if it is set": 0 < len(METRICS_TOKEN) < 32,
    }
    if problems := [text for text, wrong in _checks.items() if wrong]:
        raise ImproperlyConfigured(
            "AuctionCraft does not start in production with defaults (for development: cp .env.example .env):\n  "
            + "\n  ".join(problems)
        )
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    if NUM_PROXIES:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
