"""Settings, all from the environment or `.env` (`.env.example` lists and explains them).

Development is what `.env.example` says; without it everything defaults to production, and production refuses to
start on a default.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if env.bool("READ_DOT_ENV", True):
    env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", False)
# Everything that is written at run time: the SQLite file, Celery's default broker, uploads, the Stripe double's state.
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

EXAMPLE_SECRET_KEY = "development-only-secret-key-do-not-use-this-in-production-0000"  # noqa: S105 (refused below)
SECRET_KEY = env.str("SECRET_KEY", env.str("DJANGO_SECRET_KEY", EXAMPLE_SECRET_KEY if DEBUG else ""))
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", "") or (f"jwt:{SECRET_KEY}" if DEBUG else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
PORT = env.int("PORT", 8000)
SITE_URL = env.str("SITE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")

INSTALLED_APPS = [
    "auctioncraft",
    "accounts",
    "auctions",
    "payments",
    "notifications",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "auctioncraft.middleware.sized_bodies",
    "auctioncraft.middleware.private_answers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "auctioncraft.urls"
WSGI_APPLICATION = "auctioncraft.wsgi.application"
# A POST without its slash would otherwise be a RuntimeError in development; here it is the API's 404.
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Database: SQLite by default, PostgreSQL from one DATABASE_URL -----------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", "") or f"sqlite:///{VAR_DIR / 'auctioncraft.sqlite3'}"
DATABASES: dict[str, dict[str, Any]] = {"default": environ.Env.db_url_config(DATABASE_URL)}
DATABASE_IS_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if DATABASE_IS_SQLITE:
    # As Django ships it, SQLite fails about half of 200 concurrent bids with "database is locked" (ADR 0002).
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", 60)
    # A health check would be one more round trip of every request. Without it a restarted database costs each thread
    # one 503, and the client's retry finds a new connection.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
    DATABASES["default"]["OPTIONS"] = {
        "options": "-c lock_timeout=3s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s",
        # What a connection has sent five times is parsed and planned no more. PREPARE_THRESHOLD=0: never, for a pooler
        # that hands connections out by the transaction.
        "server_side_binding": True,
        "prepare_threshold": env.int("PREPARE_THRESHOLD", 5) or None,
    } | DATABASES["default"].get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Time and text -----------------------------------------------------------------------------------------------
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# --- Accounts ----------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_SIGN_IN = env.bool("PASSWORD_SIGN_IN", True)
REGISTRATION_REQUIRES_VERIFICATION = env.bool("REGISTRATION_REQUIRES_VERIFICATION", False)
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    # Seconds by which our own servers' clocks may differ.
    "LEEWAY": 5,
}
# How many proxies of ours stand in front: only that many entries of X-Forwarded-For are believed. 0: none.
NUM_PROXIES = env.int("NUM_PROXIES", 0)

# --- API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["auctioncraft.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "auctioncraft.api.negotiation.JSONOnly",
    "DEFAULT_PARSER_CLASSES": ["auctioncraft.api.parsers.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "auctioncraft.api.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_SCHEMA_CLASS": "auctioncraft.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "auctioncraft.api.exceptions.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": NUM_PROXIES,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AuctionCraft",
    "DESCRIPTION": "Auctions over REST: sign in with a one-time code, list products, bid, win and pay.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/",
    "ENUM_NAME_OVERRIDES": {
        "ProductStatus": "auctions.models.PUBLIC_STATUSES",
        "OrderStatus": "payments.models.Order.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "auctioncraft.api.schema.add_error_answers",
    ],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
CORS_ALLOWED_ORIGINS = env.list(
    "CORS_ALLOWED_ORIGINS", default=["http://localhost:3000", "http://localhost:5173"] if DEBUG else []
)
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id"]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After"]
CORS_URLS_REGEX = r"^/api/"

# --- Auctions ----------------------------------------------------------------------------------------------------
DEFAULT_CURRENCY = env.str("DEFAULT_CURRENCY", "USD").upper()
# The cap on every amount, in units of its currency. Stripe charges at most 99,999,999 minor units (999,999.99 USD).
MAX_AMOUNT = env.int("MAX_AMOUNT", 99_999_999)
SOFT_CLOSE_WINDOW = timedelta(seconds=env.int("SOFT_CLOSE_WINDOW", 120))
SOFT_CLOSE_EXTENSION = timedelta(seconds=env.int("SOFT_CLOSE_EXTENSION", 120))
SOFT_CLOSE_CAP = timedelta(seconds=env.int("SOFT_CLOSE_CAP", 24 * 3600))
STRIKES_BEFORE_BAN = env.int("STRIKES_BEFORE_BAN", 3)

# --- Payments ----------------------------------------------------------------------------------------------------
# The buyer's premium in marginal bands, "0:10,1000:5" is 10% up to 1,000 and 5% of what is above; default none.
BUYERS_PREMIUM_BANDS = tuple(
    (Decimal(start), Decimal(percent))
    for start, _, percent in (band.partition(":") for band in env.list("BUYERS_PREMIUM_BANDS", default=[]))
)
PAYMENT_WINDOW = timedelta(hours=env.int("PAYMENT_WINDOW_HOURS", 96))
# Without a key of your own, payments go to the Stripe double that `make run` starts (stripe_double/README.md).
STRIPE_DOUBLE_PORT = env.int("STRIPE_DOUBLE_PORT", PORT + 1)
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "")
STRIPE_TIMEOUT = env.float("STRIPE_TIMEOUT", 10.0)
STRIPE_IS_DOUBLE = DEBUG and not STRIPE_SECRET_KEY
if STRIPE_IS_DOUBLE:
    STRIPE_SECRET_KEY = "sk_test_double"  # noqa: S105 (the double takes any test key)
    STRIPE_PUBLISHABLE_KEY = STRIPE_PUBLISHABLE_KEY or "pk_test_double"
    STRIPE_API_BASE = STRIPE_API_BASE or f"http://127.0.0.1:{STRIPE_DOUBLE_PORT}"
    STRIPE_WEBHOOK_SECRET = STRIPE_WEBHOOK_SECRET or "whsec_double"

# --- E-mail, cache, jobs -----------------------------------------------------------------------------------------
EMAIL_BACKEND = env.str("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", str(VAR_DIR / "mail"))
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
EMAIL_PORT = env.int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "AuctionCraft <auctions@localhost>")

REDIS_URL = env.str("REDIS_URL", "")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "") or REDIS_URL or f"sqla+sqlite:///{VAR_DIR / 'broker.sqlite3'}"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

# --- Files -------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
UNFOLD = {"SITE_TITLE": "AuctionCraft", "SITE_HEADER": "AuctionCraft"}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        # One line a refused request is the access log's work, not the error log's.
        "django.request": {"level": "ERROR"},
        # The SDK logs request bodies at INFO.
        "stripe": {"level": "WARNING"},
    },
}

# --- Production refuses to start on a default --------------------------------------------------------------------
if not DEBUG:
    _refusals = {
        "SECRET_KEY must be set, 50 characters or more, and not the example": len(SECRET_KEY) < 50
        or SECRET_KEY == EXAMPLE_SECRET_KEY,
        "JWT_SIGNING_KEY must be set, 32 characters or more, and not SECRET_KEY": len(JWT_SIGNING_KEY) < 32
        or JWT_SIGNING_KEY == SECRET_KEY,
        "ALLOWED_HOSTS must name the hosts, without *": not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS,
        "DATABASE_URL must be PostgreSQL (or say ALLOW_SQLITE=on)": DATABASE_IS_SQLITE
        and not env.bool("ALLOW_SQLITE", False),
        "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must be set": not STRIPE_SECRET_KEY or not STRIPE_WEBHOOK_SECRET,
    }
    if problems := [text for text, wrong in _refusals.items() if wrong]:
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
SESSION_COOKIE_HTTPONLY = True
