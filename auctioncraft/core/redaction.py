"""Keeping secrets out of what is written down: the second net, under code that logs none in the first place.

Secrets are told by their shape (JWTs, Stripe's keys, password hashes), by the name that stands before them, or by being
one of our settings. A one-time code is six digits like any other: it is told by the word "code" beside it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

REDACTED: Final = "[redacted]"
# A shorter one of our own, like a development database's password, may be a word of everyday lines.
_SHORTEST: Final = 12

# Names, or their ends, whose value is nobody's business. `access` and `refresh` are so only as whole names.
_NAMES = (
    r"(?:passw(?:or)?d|secret|token|token_hash|nonce|api_?key|secret_?key|signing_?key|access_?key|signature|"
    r"authorization|cookie|sessionid|csrftoken|(?<![\w-])access|(?<![\w-])refresh)"
)
# What follows such a name: a string of JSON or Python, such a string inside another, or one word.
_VALUE = r"""(?:b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|\\+["'][^"'\\]*|(?:(?:bearer|basic)\s+)?[^\s,;&'"\\)}\]]+)"""
_CODE = r"(?<![a-z])(?:codes?|otp)(?![a-z])"
_DIGITS = r"(?<![\w.])\d{6}(?!\w)"

_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        # Also half of one: base64 of `{"`.
        (r"(?-i:eyJ)[\w-]{6,}(?:\.[\w-]*){0,2}", REDACTED),
        (r"\b(?:[sr]k|pk)_(?:test|live)_\w+|\bwhsec_\w+|\b\w{2,10}_\w+_secret_\w+", REDACTED),
        (r"\b(?:argon2|pbkdf2_\w+|bcrypt\w*|scrypt|md5)\$[^\s'\",)]+", REDACTED),
        (r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)", REDACTED),
        # PostgreSQL quotes the row that a constraint refused.
        (r"(?<=row contains )\(.*", REDACTED),
        (rf"""({_NAMES}(?:\\*["']\]?\s*[:=,]|\s*[:=])\s*){_VALUE}""", rf"\1{REDACTED}"),
        (r"(\bbearer\s+)[\w.~+/=-]{8,}", rf"\1{REDACTED}"),
        (rf"({_CODE}[^\d]{{0,40}}?){_DIGITS}", rf"\1{REDACTED}"),
        (rf"{_DIGITS}(?=[^\d]{{0,40}}?{_CODE})", REDACTED),
    )
)
# Nothing is looked for in a text with none of these, which is most of them.
_WORTH_A_LOOK: Final = re.compile(
    r"[$_]|eyJ|://|row contains|passw|secret|token|nonce|key|signature|authoriz|cookie|session|access|refresh|bearer|"
    r"code|otp",
    re.IGNORECASE,
)
_NAME: Final = re.compile(rf".*{_NAMES}", re.IGNORECASE)
_SIX_DIGITS: Final = re.compile(r"\d{6}")


def redact(text: str) -> str:
    """Return the text without what looks like a secret, or is one of ours."""
    if own := _own_secrets():
        text = own.sub(REDACTED, text)
    if _WORTH_A_LOOK.search(text):
        for pattern, by in _RULES:
            text = pattern.sub(by, text)
    return text


def redact_value(name: str, value: Any) -> Any:
    """Return a value, of whatever depth, as `redact` would; hidden whole if it stands under a secret's name.

    What is neither text, number, list nor mapping becomes text.
    """
    if value is None or isinstance(value, bool):
        return value
    if _is_secret(name) or (name == "code" and _SIX_DIGITS.fullmatch(str(value))):
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
def _own_secrets() -> re.Pattern[str] | None:
    """Return what finds our settings' secrets by their value, whatever stands around them."""
    values = {value for value in own_secrets() if len(value) >= _SHORTEST}
    return re.compile("|".join(map(re.escape, sorted(values, key=len, reverse=True)))) if values else None


def own_secrets() -> list[str]:
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
