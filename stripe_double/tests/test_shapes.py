"""The double's answers held against Stripe's own examples and against the SDK's types.

Every field of Stripe's example must be in ours, with the same JSON type. Leniently: where either side is null nothing
is compared (optional fields, and hashes that Stripe's example fills with every variant at once); where Stripe's example
holds an object and ours its id, the id stands for it; an empty hash or list says nothing about its items.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from stripe_double.objects import API_VERSION
from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running

FIXTURES = Path(__file__).resolve().parents[2].parent / "shared" / "stripe" / "fixtures3.json"


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    if ours is None or theirs is None:
        return []
    if isinstance(theirs, dict) and isinstance(ours, str) and "id" in theirs:
        return []
    if type(ours) is not type(theirs):
        return [f"{path}: {type(ours).__name__}, Stripe sends {type(theirs).__name__}"]
    if isinstance(ours, list):
        return differences(ours[0], theirs[0], f"{path}[0]") if ours and theirs else []
    if not isinstance(ours, dict) or not ours or path.endswith(("metadata", "event.data.object")):
        return []
    missing = [f"{path}.{name}: missing" for name in theirs if name not in ours]
    below = [differences(ours[name], theirs[name], f"{path}.{name}") for name in theirs if name in ours]
    return missing + [found for each in below for found in each]


def answers(double: Running) -> dict[str, list[dict[str, Any]]]:
    """Return what the double answers in its states, by object."""
    client = double.client().v1
    paid = double.paid()
    asked = double.intent(confirm=True, payment_method="pm_card_threeDSecure2Required")
    declined = double.intent()
    with pytest.raises(stripe.CardError):
        client.payment_intents.confirm(declined.id, {"payment_method": "pm_card_visa_chargeDeclined"})
    declined = client.payment_intents.retrieve(declined.id)
    refund = client.refunds.create({"payment_intent": paid.id, "amount": 1000})
    charges = [client.charges.retrieve(item.latest_charge, {"expand": ["refunds"]}) for item in (paid, declined)]
    found = {
        "payment_intent": [double.intent(), paid, asked, declined, client.payment_intents.cancel(asked.id)],
        "charge": charges,
        "payment_method": [client.payment_methods.retrieve(paid.payment_method)],
        "refund": [refund, client.refunds.retrieve(refund.id)],
        "event": client.events.list({"limit": 100}).data,
    }
    return {kind: [plain(item) for item in items] for kind, items in found.items()}


@pytest.mark.skipif(not FIXTURES.exists(), reason=f"Stripe's examples are not at {FIXTURES}")
def test_every_field_stripe_sends_is_there_with_its_type(double: Running) -> None:
    examples = json.loads(FIXTURES.read_text())["resources"]
    found = {
        kind: sorted({line for item in items for line in differences(item, examples[kind], kind)})
        for kind, items in answers(double).items()
    }
    assert found == {"payment_intent": [], "charge": [], "payment_method": [], "refund": [], "event": []}


def test_no_field_is_made_up(double: Running) -> None:
    types = {
        "payment_intent": stripe.PaymentIntent,
        "charge": stripe.Charge,
        "payment_method": stripe.PaymentMethod,
        "refund": stripe.Refund,
        "event": stripe.Event,
    }
    invented = {
        (kind, name)
        for kind, items in answers(double).items()
        for item in items
        for name in item
        if name not in types[kind].__annotations__
    }
    assert invented == set()


def test_the_api_version_is_the_one_the_sdk_pins() -> None:
    assert stripe.api_version == API_VERSION
