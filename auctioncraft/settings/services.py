"""What we connect to: the database, mail, cache, message broker, files."""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from auctioncraft.settings.environment import BASE_DIR, DEBUG, VAR_DIR, env

# SQLite by default, PostgreSQL from DATABASE_URL.
DATABASE_URL = env.str("DATABASE_URL", "") or f"sqlite:///{VAR_DIR / 'auctioncraft.sqlite3'}"
DATABASES: dict[str, dict[str, Any]] = {"default": environ.Env.db_url_config(DATABASE_URL)}
DATABASE_IS_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if DATABASE_IS_SQLITE:
    # With Django's defaults, SQLite fails about half of 200 concurrent bids with "database is locked" (ADR 0002).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", 60)
    # A health check is one more round trip per request. Without it a restarted database costs each thread one 503, and
    # the client's retry gets a new connection.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
    DATABASES["default"]["OPTIONS"] = {
        "options": "-c lock_timeout=3s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s",
        # A statement sent five times on a connection is prepared. PREPARE_THRESHOLD=0 prepares none, for a pooler in
        # transaction mode.
        "server_side_binding": True,
        "prepare_threshold": env.int("PREPARE_THRESHOLD", 5) or None,
    } | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", "") or str(VAR_DIR / "mail")
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
EMAIL_PORT = env.int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "AuctionCraft <auctions@localhost>")

REDIS_URL = env.str("REDIS_URL", "")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        # Seconds. A cache that only limits requests is not worth a longer wait.
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.25, "SOCKET_TIMEOUT": 0.25},
    }
    if REDIS_URL
    # One per process. Above MAX_ENTRIES the oldest keys are dropped.
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 20_000}}
}
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "") or REDIS_URL or f"sqla+sqlite:///{VAR_DIR / 'broker.sqlite3'}"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
# Images: `files` in MEDIA_ROOT, or `s3`, a bucket that all web servers share (docs/operations.md).
MEDIA_STORAGE = env.str("MEDIA_STORAGE", "files")
MEDIA_BUCKET = env.str("MEDIA_BUCKET", "")
_MEDIA_STORAGES: dict[str, dict[str, Any]] = {
    "files": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "s3": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_BUCKET,
            "region_name": env.str("MEDIA_REGION", "") or None,
            "endpoint_url": env.str("MEDIA_ENDPOINT_URL", "") or None,
            "custom_domain": env.str("MEDIA_DOMAIN", "") or None,
            # Images are public and cacheable; a signed URL would differ in every response.
            "querystring_auth": False,
            "object_parameters": {"CacheControl": "public, max-age=31536000, immutable"},
        },
    },
}
if MEDIA_STORAGE not in _MEDIA_STORAGES or (MEDIA_STORAGE == "s3" and not MEDIA_BUCKET):
    raise ImproperlyConfigured("MEDIA_STORAGE is `files`, or `s3` with MEDIA_BUCKET set.")
STORAGES = {
    "default": _MEDIA_STORAGES[MEDIA_STORAGE],
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
