"""Redaction finds secrets by their shape, by the name before them, and by the values of settings."""

import json

import pytest
from django.conf import settings

from auctioncraft.core.redaction import REDACTED, redact, redact_value, settings_secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
HIDDEN = "hidden-thing"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Your code is 042137.", f"Your code is {REDACTED}."),
        ("Your code is 04213712.", f"Your code is {REDACTED}."),
        ("042137 is your AuctionCraft code", f"{REDACTED} is your AuctionCraft code"),
        ("  042137\n\nThis is your code for AuctionCraft.", f"  {REDACTED}\n\nThis is your code for AuctionCraft."),
        ("{'email': 'a@b.example', 'code': '042137'}", f"{{'email': 'a@b.example', 'code': '{REDACTED}'}}"),
        (f"token {JWT} refused", f"token {REDACTED} refused"),
        (f"cut off: {JWT[:60]}", f"cut off: {REDACTED}"),
        (f"Authorization: Bearer {HIDDEN}", f"Authorization: {REDACTED}"),
        (f"sent 'bearer {HIDDEN}'", f"sent 'bearer {REDACTED}'"),
        (f"[('Authorization', 'Basic {HIDDEN}')]", f"[('Authorization', {REDACTED})]"),
        ("key sk_live_51Habc and whsec_abc", f"key {REDACTED} and {REDACTED}"),
        ("pi_3abc_secret_def of pi_3abc", f"{REDACTED} of pi_3abc"),
        (f"grant?refresh={HIDDEN}&everywhere=1", f"grant?refresh={REDACTED}&everywhere=1"),
        (f"new_password = '{HIDDEN} \\' and on', x", f"new_password = {REDACTED}, x"),
        (f'"{{\\"access\\": \\"{HIDDEN}\\", \\"a\\": 1}}"', f'"{{\\"access\\": {REDACTED}\\", \\"a\\": 1}}"'),
        (f"b'client_secret=b\"{HIDDEN}\"'", f"b'client_secret={REDACTED}'"),
        (f"postgres://auctions:{HIDDEN}@db/auctions", f"postgres://{REDACTED}@db/auctions"),
        (f"Failing row contains (1, {HIDDEN}, f).", f"Failing row contains {REDACTED}"),
        (f"it was argon2$argon2id$v=19${HIDDEN}", f"it was {REDACTED}"),
    ],
)
def test_redact_text_with_a_secret_hides_only_the_secret(text, left):
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "delivery 123456 failed, attempt 3: SMTPServerDisconnected",
        "stripe: APIConnectionError, HTTP 404, code resource_missing, req_123456",
        "status code 500 for order 123456",
        "took 0.123456 s, exit code 1",
        "unicode 123456",
        "GET /api/products/{pk}/ refreshed, accessed by 7",
        "http://127.0.0.1:8000/api/",
    ],
)
def test_redact_text_without_a_secret_keeps_it(text):
    assert redact(text) == text


def test_redact_value_of_a_setting_hides_it():
    for secret in settings_secrets():
        if len(secret) >= 12:
            assert redact(f"x{secret}y") == f"x{REDACTED}y"
    assert redact(settings.SECRET_KEY) == REDACTED


def test_redact_value_with_a_secret_name_hides_it_at_any_depth():
    given = {
        "body": {"password": HIDDEN, "Refresh": 12, "list": [{"code": 42137}, {"code": "042137"}, "code 042137"]},
        "token": [HIDDEN],
        JWT: 1.5,
        "error": ValueError(f"password={HIDDEN}"),
        "code": "invalid_code",
        "none": None,
        "yes": True,
    }
    left = redact_value("data", given)
    assert left == {
        "body": {
            "password": REDACTED,
            "Refresh": REDACTED,
            "list": [{"code": 42137}, {"code": REDACTED}, f"code {REDACTED}"],
        },
        "token": REDACTED,
        REDACTED: 1.5,
        "error": f"ValueError('password={REDACTED}')",
        "code": "invalid_code",
        "none": None,
        "yes": True,
    }
    json.dumps(left)


@pytest.mark.parametrize("part", ["a", "a_b_", "eyJ", 'code "', '\\"', "://a:", "password='", "12345 ", "access"])
def test_redact_long_text_takes_linear_time(part):
    """Quadratic work on this text would take minutes."""
    redact(part * 20_000)
