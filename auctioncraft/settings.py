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

from auctioncraft.core import logs

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if env.bool("READ_DOT_ENV", True):
    env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", False)
# Everything that is written at run time: the SQLite file, Celery's default broker, uploads, the Stripe double's state.
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

EXAMPLE_SECRET_KEY = "development-only-secret-key-do-not-use-this-in-production-0000"  # noqa: S105 (refused below)  # nosec B105
SECRET_KEY = env.str("SECRET_KEY", env.str("DJANGO_SECRET_KEY", EXAMPLE_SECRET_KEY if DEBUG else ""))
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", "") or (f"jwt:{SECRET_KEY}" if DEBUG else "")
# Earlier ones that still verify: while keys are rotated (docs/operations.md, Changing the signing key).
JWT_SIGNING_KEYS_OLD = env.list("JWT_SIGNING_KEYS_OLD", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
PORT = env.int("PORT", 8000)
SITE_URL = env.str("SITE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
# Where your frontend is: people come back there from Stripe's pages.
FRONTEND_URL = env.str("FRONTEND_URL", "http://localhost:5173" if DEBUG else SITE_URL).rstrip("/")

INSTALLED_APPS = [
    # Before accounts, which shows its devices in the admin in a way of its own.
    "django_otp",
    "django_otp.plugins.otp_totp",
    "auctioncraft",
    "accounts",
    "auctions",
    "payments",
    "notifications",
    "unfold.apps.BasicAppConfig",
    "auctioncraft.apps.AdminConfig",
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
if DEBUG:
    INSTALLED_APPS.append("simulation")

MIDDLEWARE = [
    "auctioncraft.request_logging.log_requests",
    "auctioncraft.middleware.security_headers",
    "auctioncraft.middleware.json_invalid_host",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "auctioncraft.middleware.require_content_length",
    "auctioncraft.middleware.no_store_when_authenticated",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
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
# On: staff come into the admin with a code of their authenticator only; off: whoever has set one up does.
ADMIN_REQUIRES_TOTP = env.bool("ADMIN_REQUIRES_TOTP", False)
OTP_TOTP_ISSUER = "AuctionCraft"
# How many proxies of ours stand in front: only that many entries of X-Forwarded-For are believed. 0: none.
NUM_PROXIES = env.int("NUM_PROXIES", 0)

# --- API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["auctioncraft.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "auctioncraft.api.negotiation.JSONOnlyNegotiation",
    "DEFAULT_PARSER_CLASSES": ["auctioncraft.api.parsers.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "auctioncraft.api.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_SCHEMA_CLASS": "auctioncraft.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "auctioncraft.api.exceptions.handle_exception",
    "DEFAULT_THROTTLE_CLASSES": ["auctioncraft.api.throttling.Throttle"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": NUM_PROXIES,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
# Requests a minute (auctioncraft/throttling.py); 0: no limit.
THROTTLES = {
    "sign_in": env.int("THROTTLE_SIGN_IN", 10),
    "bids": env.int("THROTTLE_BIDS", 60),
    "writes": env.int("THROTTLE_WRITES", 120),
    "reads": env.int("THROTTLE_READS", 600),
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
    # Swagger UI would have a server of others check the schema.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/",
    # {product_pk} is shown as {product_id}.
    "SCHEMA_COERCE_PATH_PK_SUFFIX": True,
    "ENUM_NAME_OVERRIDES": {
        "ProductStatus": "auctions.models.PUBLIC_STATUSES",
        "OrderStatus": "payments.models.Order.Status",
        "OrderRole": ["buyer", "seller"],
        "OrderEventRole": "payments.models.OrderEvent.Role",
        "SellerState": "accounts.models.User.SellerState",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "auctioncraft.api.schema.add_error_answers",
    ],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
# A picture that is sent, in bytes; every other body is held to the line above.
UPLOAD_MAX_SIZE = 5_242_880
CORS_ALLOWED_ORIGINS = env.list(
    "CORS_ALLOWED_ORIGINS", default=["http://localhost:3000", "http://localhost:5173"] if DEBUG else []
)
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id", "x-request-id"),
]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After", "X-Request-ID"]
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
# The seller's commission, in percent of the hammer price: what the house keeps beside the buyer's premium.
SELLER_COMMISSION_PERCENT = Decimal(env.str("SELLER_COMMISSION_PERCENT", "0"))
if not 0 <= SELLER_COMMISSION_PERCENT <= 100:
    raise ImproperlyConfigured("SELLER_COMMISSION_PERCENT must be from 0 to 100.")
# "USD=500,JPY=50000": who bids above that must have a card on file. A currency that is not named needs none.
CARD_REQUIRED_ABOVE = {
    currency.upper(): Decimal(amount) for currency, amount in env.dict("CARD_REQUIRED_ABOVE", default={}).items()
}
# Whether winners may have their saved card charged at the close. Each says so for a card of theirs.
AUTO_CHARGE = env.bool("AUTO_CHARGE", False)
# Without a key of your own, payments go to the Stripe double that `make run` starts (stripe_double/README.md).
STRIPE_DOUBLE_PORT = env.int("STRIPE_DOUBLE_PORT", PORT + 1)
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", "")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY", "")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", "")
# Accepted beside it: the former ones while you rotate, and the one of the endpoint for connected accounts.
STRIPE_WEBHOOK_SECRETS_OLD = env.list("STRIPE_WEBHOOK_SECRETS_OLD", default=[])
STRIPE_CONNECT_WEBHOOK_SECRET = env.str("STRIPE_CONNECT_WEBHOOK_SECRET", "")
# Whether sellers are paid out by Stripe Connect. Off, the house collects and pays them by its payout report.
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
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "auctioncraft.caches.RedisCache",
        "LOCATION": REDIS_URL,
        # Seconds. What is only for speed or for limits is not worth a longer wait.
        "OPTIONS": {"socket_connect_timeout": 0.25, "socket_timeout": 0.25},
    }
    if REDIS_URL
    # Each process its own; past so many keys it forgets the oldest.
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 20_000}}
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
# Pictures: `files` in MEDIA_ROOT, or `s3`, a bucket that every web server shares (docs/operations.md, Pictures).
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
            # Pictures are public and their addresses cacheable: a signed one would change with every answer.
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
# Whoever brings it as a bearer may read /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
UNFOLD = {"SITE_TITLE": "AuctionCraft", "SITE_HEADER": "AuctionCraft"}

LOGGING = logs.logging_config(
    log_format=env.str("LOG_FORMAT", "text" if DEBUG else "json"), level=env.str("LOG_LEVEL", "INFO").upper()
)

# --- Development refuses what only production has, and production to start on a default --------------------------
if DEBUG and STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_")):
    # DEBUG shows stack traces to whoever causes an error, and leaves the refusals below out.
    raise ImproperlyConfigured("DEBUG=on is for development, and a live Stripe key is not.")
if not DEBUG:
    _refusals = {
        "SECRET_KEY must be set, 50 characters or more, and not the example": len(SECRET_KEY) < 50
        or SECRET_KEY == EXAMPLE_SECRET_KEY,
        "JWT_SIGNING_KEY must be set, 32 characters or more, and not SECRET_KEY": len(JWT_SIGNING_KEY) < 32
        or JWT_SIGNING_KEY == SECRET_KEY,
        "JWT_SIGNING_KEYS_OLD must hold keys of 32 characters or more, and not SECRET_KEY": any(
            len(key) < 32 or key == SECRET_KEY for key in JWT_SIGNING_KEYS_OLD
        ),
        "ALLOWED_HOSTS must name the hosts, without *": not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS,
        "DATABASE_URL must be PostgreSQL (or say ALLOW_SQLITE=on)": DATABASE_IS_SQLITE
        and not env.bool("ALLOW_SQLITE", False),
        "STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET must be set": not STRIPE_SECRET_KEY or not STRIPE_WEBHOOK_SECRET,
        "METRICS_TOKEN must hold 32 characters or more, if it is set": 0 < len(METRICS_TOKEN) < 32,
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
