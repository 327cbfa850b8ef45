"""Buyers with saved cards: set up, confirmed in the browser, saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payments.models import SavedCard

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from payments.tests.double_process import Double

URL = "/api/payments/cards/"


def set_up(caller: APIClient, double: Double, card: str = "pm_card_visa") -> str:
    """Start saving a card and confirm it in the browser; return the SetupIntent's id."""
    begun = caller.post(f"{URL}setup/")
    assert begun.status_code == 200, begun.content
    setup = begun.json()["setup_intent_id"]
    answer = double.post(f"/v1/setup_intents/{setup}/confirm", payment_method=card, return_url="https://x.test/")
    if answer.get("status") == "requires_action":
        double.post(f"/_double/setup_intents/{setup}/authenticate", outcome="succeed")
    return setup


def save(caller: APIClient, double: Double, card: str = "pm_card_visa", *, charge: bool = False) -> SavedCard:
    """Save a card; with `charge`, choose it for automatic charges."""
    kept = caller.post(URL, {"setup_intent_id": set_up(caller, double, card)})
    assert kept.status_code == 201, kept.content
    if charge:
        changed = caller.patch(f"{URL}{kept.json()['id']}/", {"charge_when_winning": True})
        assert changed.status_code == 200, changed.content
    return SavedCard.objects.get(pk=kept.json()["id"])


def at_stripe(double: Double, payment_method_id: str) -> dict[str, Any]:
    """Return a payment method of the double."""
    return double.get(f"/v1/payment_methods/{payment_method_id}")
