"""Every limit in one table: how often, how many, how large (docs/limits.md). 0: no limit."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from auctioncraft.settings.environment import env

_DEFAULTS = {
    # Requests by scope, a minute if LIMIT_WINDOWS says nothing else. `account`: of one account. `address`: without a
    # token, of one IPv4 address or IPv6 /64. `network`: of all in an IPv4 /24 or IPv6 /48, with a token or without.
    "sign_in.account": 10,
    "sign_in.address": 60,
    "sign_in.network": 240,
    "bids.account": 60,
    "bids.network": 1200,
    "writes.account": 120,
    "writes.address": 120,
    "writes.network": 1200,
    "reads.account": 100,
    "reads.address": 400,
    "reads.network": 800,
    "images.account": 10,
    "images.network": 60,
    "export.account": 2,
    "export.network": 20,
    # Open and scheduled listings of an account; `new`: its address is not verified, or it is younger than a week.
    "listings": 1000,
    "listings.new": 20,
    # Images that an account added in the last 30 days, and images of a product.
    "uploads": 3000,
    "uploads.new": 60,
    "images_per_product": 12,
}
# LIMITS="bids.account=120,listings.new=50" changes some of them.
_chosen = {name: int(number) for name, number in env.dict("LIMITS", default={}).items()}
if unknown := _chosen.keys() - _DEFAULTS.keys():
    raise ImproperlyConfigured(f"LIMITS names unknown limits: {', '.join(sorted(unknown))}.")
LIMITS = _DEFAULTS | _chosen
# The scopes that are counted in another window than a minute, in seconds. Reads: so that the burst of one client is
# over before others notice.
LIMIT_WINDOWS = {"reads": 10, "export": 3600}

# The largest bodies, in bytes: JSON, an uploaded image, forms (the admin).
JSON_MAX_SIZE = 131_072
UPLOAD_MAX_SIZE = 5_242_880
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
# Seconds until a body must have arrived, and bytes for which there is one second more (auctioncraft/request_body.py).
BODY_TIMEOUT = env.float("BODY_TIMEOUT", 10.0)
BODY_MIN_RATE = 102_400
# Requests that a web process serves at once. It has more threads (Procfile): those wait for bodies.
WEB_THREADS = env.int("WEB_THREADS", 2)
# Of these, requests of one IPv4 /24 or IPv6 /48 (auctioncraft/places.py). 0: no limit.
WEB_THREADS_PER_NETWORK = env.int("WEB_THREADS_PER_NETWORK", max(1, WEB_THREADS // 2))
