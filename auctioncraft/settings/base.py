"""Django itself: apps, middleware, templates, authentication."""

from __future__ import annotations

from datetime import timedelta

from auctioncraft.core import logs
from auctioncraft.settings.environment import DEBUG, JWT_SIGNING_KEY, env

INSTALLED_APPS = [
    # Before accounts, which replaces the admin of its devices.
    "django_otp",
    "auctioncraft.apps.TwoFactorConfig",
    "auctioncraft",
    "accounts",
    "auctions",
    "payments",
    "notifications",
    "privacy",
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
# A POST without the final slash is the API's 404; with APPEND_SLASH it would be a RuntimeError in development.
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
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
# No page at /, so no link to it.
UNFOLD = {"SITE_TITLE": "AuctionCraft", "SITE_HEADER": "AuctionCraft", "SITE_URL": ""}
SESSION_COOKIE_HTTPONLY = True

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["accounts.hashers.OneThreadArgon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_SIGN_IN = env.bool("PASSWORD_SIGN_IN", True)
REGISTRATION_REQUIRES_VERIFICATION = env.bool("REGISTRATION_REQUIRES_VERIFICATION", False)
# More wrong codes in an hour: new ones have 8 digits, and an error is logged (accounts/services/code_alarm.py).
WRONG_CODES_ALARM = env.int("WRONG_CODES_ALARM", 300)
# Names that no display name may contain, such as your brand.
RESERVED_NAMES = env.list("RESERVED_NAMES", default=[])
SIMPLE_JWT = {
    "ALGORITHM": "HS256",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    # Seconds by which the clocks of our servers may differ.
    "LEEWAY": 5,
}
# On: staff need an authenticator to log in to the admin. Off: only those who have set one up do.
ADMIN_REQUIRES_TOTP = env.bool("ADMIN_REQUIRES_TOTP", False)
OTP_TOTP_ISSUER = "AuctionCraft"

# The bearer token of /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
LOGGING = logs.logging_config(
    log_format=env.str("LOG_FORMAT", "text" if DEBUG else "json"), level=env.str("LOG_LEVEL", "INFO").upper()
)
