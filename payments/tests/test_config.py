"""GET /api/payments/config/."""

from __future__ import annotations

from decimal import Decimal

from auctioncraft.core import money


def test_config_for_anybody_returns_the_public_settings(client, settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(25)), (Decimal(1000), Decimal("12.5")))
    settings.CARD_REQUIRED_ABOVE = {"USD": Decimal(500), "JPY": Decimal(50000)}
    answer = client.get("/api/payments/config/")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "publishable_key": "pk_test_double",
            "currencies": sorted(money.CURRENCIES),
            "buyers_premium": [{"from_price": "0", "percent": "25"}, {"from_price": "1000", "percent": "12.5"}],
            "card_required_above": {"USD": "500.00", "JPY": "50000"},
            "auto_charge": False,
        },
    )


def test_config_contains_no_secret(client, settings):
    text = client.get("/api/payments/config/").content.decode()
    assert settings.STRIPE_SECRET_KEY not in text
    assert settings.STRIPE_WEBHOOK_SECRET not in text
