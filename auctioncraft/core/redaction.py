"""Remove secrets from logs. A second line of defense: code should not log secrets in the first place.

A secret is recognized by its form (JWTs, Stripe keys, password hashes), by the name before it, or because it is one of
our settings. A one-time code is recognized by the word "code" next to six or eight digits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

REDACTED: Final = "[redacted]"
# A shorter setting, like the password of a development database, may be an ordinary word.
_MIN_LENGTH: Final = 12

# Names, or ends of names, of secret values. `access` and `refresh` only as whole names.
_NAMES = (
    r"(?:passw(?:or)?d|secret|token|token_hash|nonce|api_?key|secret_?key|signing_?key|access_?key|signature|"
    r"authorization|cookie|sessionid|csrftoken|(?<![\w-])access|(?<![\w-])refresh)"
)
# The value after such a name: a JSON or Python string, a quoted string inside a string, or one word.
_VALUE = r"""(?:b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|\\+["'][^"'\\]*|(?:(?:bearer|basic)\s+)?[^\s,;&'"\\)}\]]+)"""
_CODE = r"(?<![a-z])(?:codes?|otp)(?![a-z])"
_DIGITS = r"(?<![\w.])\d{6}(?:\d\d)?(?!\w)"

_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        # JWTs, cut off ones too: base64 of `{"`.
        (r"(?-i:eyJ)[\w-]{6,}(?:\.[\w-]*){0,2}", REDACTED),
        (r"\b(?:[sr]k|pk)_(?:test|live)_\w+|\bwhsec_\w+|\b\w{2,10}_\w+_secret_\w+", REDACTED),
        (r"\b(?:argon2|pbkdf2_\w+|bcrypt\w*|scrypt|md5)\$[^\s'\",)]+", REDACTED),
        (r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)", REDACTED),
        # PostgreSQL quotes the row that violates a constraint.
        (r"(?<=row contains )\(.*", REDACTED),
        (rf"""({_NAMES}(?:\\*["']\]?\s*[:=,]|\s*[:=])\s*){_VALUE}""", rf"\1{REDACTED}"),
        (r"(\bbearer\s+)[\w.~+/=-]{8,}", rf"\1{REDACTED}"),
        (rf"({_CODE}[^\d]{{0,40}}?){_DIGITS}", rf"\1{REDACTED}"),
        (rf"{_DIGITS}(?=[^\d]{{0,40}}?{_CODE})", REDACTED),
    )
)
# Most texts contain none of these and need no further search.
_MAY_CONTAIN_SECRET: Final = re.compile(
    r"[$_]|eyJ|://|row contains|passw|secret|token|nonce|key|signature|authoriz|cookie|session|access|refresh|bearer|"
    r"code|otp",
    re.IGNORECASE,
)
_NAME: Final = re.compile(rf".*{_NAMES}", re.IGNORECASE)
_CODE_DIGITS: Final = re.compile(r"\d{6}(?:\d\d)?")


def redact(text: str) -> str:
    """Return the text without anything that looks like a secret or is one of our settings."""
    if pattern := _settings_pattern():
        text = pattern.sub(REDACTED, text)
    if _MAY_CONTAIN_SECRET.search(text):
        for pattern, by in _RULES:
            text = pattern.sub(by, text)
    return text


def redact_value(name: str, value: Any) -> Any:
    """Redact a value of any depth. The value of a secret's name is hidden completely.

    Objects other than text, numbers, lists and mappings become text.
    """
    if value is None or isinstance(value, bool):
        return value
    if _is_secret(name) or (name == "code" and _CODE_DIGITS.fullmatch(str(value))):
        return REDACTED
    if isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        return {redact(str(key)): redact_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value("", item) for item in value]
    return redact(value if isinstance(value, str) else repr(value))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


@lru_cache
def _settings_pattern() -> re.Pattern[str] | None:
    """Return a pattern that matches the secrets of our settings."""
    values = {value for value in settings_secrets() if len(value) >= _MIN_LENGTH}
    return re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True)))) if values else None


def settings_secrets() -> list[str]:
    """Return the secrets of our settings."""
    return [
        settings.SECRET_KEY,
        settings.JWT_SIGNING_KEY,
        *settings.JWT_SIGNING_KEYS_OLD,
        settings.STRIPE_SECRET_KEY,
        settings.STRIPE_WEBHOOK_SECRET,
        *settings.STRIPE_WEBHOOK_SECRETS_OLD,
        settings.STRIPE_CONNECT_WEBHOOK_SECRET,
        settings.METRICS_TOKEN,
        settings.EMAIL_HOST_PASSWORD,
        str(settings.DATABASES["default"].get("PASSWORD") or ""),
    ]
