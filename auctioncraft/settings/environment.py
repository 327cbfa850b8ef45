"""What the other modules need first: the environment, folders, secrets and addresses."""

from __future__ import annotations

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
if env.bool("READ_DOT_ENV", True):
    env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", False)
# Everything written at run time: the SQLite file, Celery's default broker, uploads, the Stripe double's state.
VAR_DIR = Path(env.str("VAR_DIR", "") or BASE_DIR / "var")
VAR_DIR.mkdir(parents=True, exist_ok=True)

EXAMPLE_SECRET_KEY = "development-only-secret-key-do-not-use-this-in-production-0000"  # noqa: S105 (production refuses it)  # nosec B105
SECRET_KEY = env.str("SECRET_KEY", env.str("DJANGO_SECRET_KEY", EXAMPLE_SECRET_KEY if DEBUG else ""))
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", "") or (f"jwt:{SECRET_KEY}" if DEBUG else "")
# Former keys that still verify tokens, while keys are rotated.
JWT_SIGNING_KEYS_OLD = env.list("JWT_SIGNING_KEYS_OLD", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
# How many proxies are in front of us: so many entries of X-Forwarded-For are trusted.
NUM_PROXIES = env.int("NUM_PROXIES", 0)
PORT = env.int("PORT", 8000)
SITE_URL = (env.str("SITE_URL", "") or f"http://127.0.0.1:{PORT}").rstrip("/")
# Your frontend: Stripe's pages send people back there.
FRONTEND_URL = env.str("FRONTEND_URL", "http://localhost:5173" if DEBUG else SITE_URL).rstrip("/")
