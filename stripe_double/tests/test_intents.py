from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

from stripe_double.tests.conftest import SUCCESS, plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def confirm(double: Running, intent_id: str, **params: Any) -> stripe.PaymentIntent:
    return double.client().v1.payment_intents.confirm(intent_id, params=params)


def test_intent_created_requires_payment_method(double: Running) -> None:
    intent = double.intent(
        description="Lamp", receipt_email="bo@example.com", metadata={"order": "7", "0": "digits are a key too"}
    )
    assert re.fullmatch(r"pi_\w{24}", intent.id)
    assert intent.client_secret.startswith(intent.id + "_secret_")
    assert (intent.status, intent.amount, intent.currency, intent.livemode) == (
        "requires_payment_method", 1999, "usd", False,
    )  # fmt: skip
    assert intent.metadata.to_dict() == {"order": "7", "0": "digits are a key too"}
    assert (intent.description, intent.receipt_email) == ("Lamp", "bo@example.com")
    assert plain(double.client().v1.payment_intents.retrieve(intent.id)) == plain(intent)


def test_intent_with_good_card_is_paid_once(double: Running) -> None:
    intent = confirm(double, double.intent().id, **SUCCESS, expand=["latest_charge"])
    charge = intent.latest_charge
    assert (intent.status, intent.amount_received, intent.last_payment_error) == ("succeeded", 1999, None)
    assert (charge.status, charge.paid, charge.amount_captured, charge.payment_intent) == (
        "succeeded", True, 1999, intent.id,
    )  # fmt: skip
    assert plain(double.client().v1.charges.retrieve(charge.id)) == plain(charge)
    assert double.events() == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        confirm(double, intent.id, **SUCCESS)
    assert (caught.value.http_status, caught.value.code) == (400, "payment_intent_unexpected_state")
    assert "already succeeded" in caught.value.user_message
    assert len(double.client().v1.charges.list({"payment_intent": intent.id}).data) == 1


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("4000000000000002", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("4012888888881881", "card_declined", "test_mode_live_card"),
    ],
)
def test_intent_with_declined_card_returns_402_and_stays_payable(
    double: Running, card: str, code: str, decline_code: str
) -> None:
    intent = double.intent()
    raw = {"payment_method_data": {"type": "card", "card": {"number": card, "exp_month": 12, "exp_year": 2040}}}
    with pytest.raises(stripe.CardError) as caught:
        confirm(double, intent.id, **({"payment_method": card} if card.startswith("pm_") else raw))
    error = caught.value.json_body["error"]
    assert (caught.value.http_status, error["type"], error["code"], error["decline_code"]) == (
        402, "card_error", code, decline_code,
    )  # fmt: skip
    after = plain(double.client().v1.payment_intents.retrieve(intent.id))
    assert error["payment_intent"] == after
    assert (after["status"], after["payment_method"], after["latest_charge"]) == (
        "requires_payment_method", None, error["charge"],
    )  # fmt: skip
    assert after["last_payment_error"]["code"] == code
    assert double.events() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert confirm(double, intent.id, **SUCCESS).status == "succeeded"


def test_intent_with_invalid_card_number_is_unchanged(double: Running) -> None:
    intent = double.intent()
    with pytest.raises(stripe.CardError) as caught:
        confirm(double, intent.id, payment_method_data={"type": "card", "card": {"number": "4242424242424241"}})
    assert caught.value.code == "incorrect_number"
    assert plain(double.client().v1.payment_intents.retrieve(intent.id)) == plain(intent)


@pytest.mark.parametrize(
    "card", ["pm_card_threeDSecure2Required", "pm_card_authenticationRequired", "4000000000003220", "4000002500003155"]
)
@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_3d_secure_ends_as_the_customer_decides(double: Running, card: str, outcome: str) -> None:
    method = (
        {"payment_method": card}
        if card.startswith("pm_")
        else {"payment_method_data": {"type": "card", "card": {"number": card}}}
    )
    intent = confirm(double, double.intent().id, **method)
    assert (intent.status, intent.next_action.type, intent.latest_charge) == ("requires_action", "use_stripe_sdk", None)
    assert double.act(f"payment_intents/{intent.id}/authenticate", outcome=outcome).status_code == 200
    after = double.client().v1.payment_intents.retrieve(intent.id)
    if outcome == "succeed":
        assert (after.status, after.next_action, after.amount_received) == ("succeeded", None, 1999)
        assert double.events()[-3:] == [
            "payment_intent.requires_action", "charge.succeeded", "payment_intent.succeeded",
        ]  # fmt: skip
    else:
        assert (after.status, after.last_payment_error.code) == (
            "requires_payment_method", "payment_intent_authentication_failure",
        )  # fmt: skip
        assert double.events()[-1] == "payment_intent.payment_failed"
    assert double.act(f"payment_intents/{intent.id}/authenticate", outcome=outcome).status_code == 409


def test_3d_secure_redirect_returns_to_the_return_url(double: Running) -> None:
    back = "http://127.0.0.1:9/orders/7?tab=pay"
    intent = confirm(double, double.intent().id, payment_method="pm_card_threeDSecure2Required", return_url=back)
    action = intent.next_action.redirect_to_url
    assert (action.return_url, intent.next_action.type) == (back, "redirect_to_url")
    assert "Complete" in requests.get(action.url, timeout=5).text
    answer = requests.post(action.url, data={"outcome": "succeed", "page": 1}, timeout=5, allow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["Location"] == (
        f"{back}&payment_intent={intent.id}&payment_intent_client_secret={intent.client_secret}&redirect_status=succeeded"
    )


def test_card_declined_after_3d_secure(double: Running) -> None:
    intent = confirm(double, double.intent().id, payment_method="pm_card_threeDSecureRequiredChargeDeclined")
    after = double.act(f"payment_intents/{intent.id}/authenticate", outcome="succeed").json()
    assert (after["status"], after["last_payment_error"]["code"]) == ("requires_payment_method", "card_declined")


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "succeeded"), ("fail", "requires_payment_method")])
def test_bank_payment_is_processing_until_settled(double: Running, outcome: str, status: str) -> None:
    intent = confirm(double, double.intent().id, payment_method="pm_usBankAccount_processing")
    assert intent.status == "processing"
    assert double.events()[-2:] == ["charge.pending", "payment_intent.processing"]
    with pytest.raises(stripe.InvalidRequestError, match="status of processing"):
        confirm(double, intent.id, **SUCCESS)
    assert double.act(f"payment_intents/{intent.id}/settle", outcome=outcome).json()["status"] == status


def test_cancel_ends_only_an_unpaid_intent(double: Running) -> None:
    intents = double.client().v1.payment_intents
    canceled = intents.cancel(double.intent().id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason, canceled.canceled_at is None) == (
        "canceled", "abandoned", False,
    )  # fmt: skip
    assert double.events()[-1] == "payment_intent.canceled"
    for intent_id in (canceled.id, double.paid().id):
        with pytest.raises(stripe.InvalidRequestError, match="You cannot cancel") as caught:
            intents.cancel(intent_id)
        assert caught.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        confirm(double, canceled.id, **SUCCESS)


def test_update_changes_payable_intent_and_metadata_always(double: Running) -> None:
    intents = double.client().v1.payment_intents
    intent = intents.update(double.intent(metadata={"a": "1", "b": "2"}).id, {"amount": 2500, "metadata": {"a": ""}})
    assert (intent.amount, intent.metadata.to_dict()) == (2500, {"b": "2"})
    paid = double.paid()
    assert intents.update(paid.id, {"metadata": {"c": "3"}}).metadata.to_dict() == {"c": "3"}
    with pytest.raises(stripe.InvalidRequestError, match="amount could not be updated"):
        intents.update(paid.id, {"amount": 1})


def test_update_of_amount_requires_new_authentication(double: Running) -> None:
    intent = confirm(double, double.intent().id, payment_method="pm_card_threeDSecure2Required")
    updated = double.client().v1.payment_intents.update(intent.id, {"amount": 99999})
    assert (updated.status, updated.next_action) == ("requires_confirmation", None)
    assert double.act(f"payment_intents/{intent.id}/authenticate", outcome="succeed").status_code == 409


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -1}, "parameter_invalid_integer", "amount"),
        ({"amount": 19.99}, "parameter_invalid_integer", "amount"),
        ({"amount": "1_000"}, "parameter_invalid_integer", "amount"),
        ({"amount": "\uff11\uff12"}, "parameter_invalid_integer", "amount"),
        ({"amount": "9" * 5000}, "parameter_invalid_integer", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": ""}, "parameter_invalid_integer", "amount"),
        ({"amount": 1005, "currency": "kwd"}, "parameter_invalid_integer", "amount"),
        ({"currency": "xxx"}, None, "currency"),
        ({"currency": ""}, "parameter_missing", "currency"),
        ({"receipt_email": "nobody"}, "email_invalid", "receipt_email"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 40}]"),
        ({"statsu": "succeeded"}, "parameter_unknown", "statsu"),
        ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"payment_method_types": ["card"]}, None, "automatic_payment_methods"),
        ({"confirm": True}, "payment_intent_unexpected_state", None),
        ({"confirm": "maybe"}, None, "confirm"),
    ],
)
def test_invalid_parameters_return_stripe_error_without_changes(
    double: Running, params: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.intent(**params)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.http_status in (400, 404)
    assert double.client().v1.payment_intents.list().data == []
    assert double.events() == []


@pytest.mark.parametrize(("amount", "currency"), [(50, "jpy"), (1, "krw"), (5120, "kwd"), (99_999_999, "usd")])
def test_intent_amount_limits_by_currency_decimals(double: Running, amount: int, currency: str) -> None:
    assert double.paid(amount=amount, currency=currency).amount_received == amount


def test_lists_page_newest_first(double: Running) -> None:
    made = [double.intent().id for _ in range(5)]
    listed = double.client().v1.payment_intents.list({"limit": 2})
    assert ([item.id for item in listed.data], listed.has_more, listed.url) == (
        [made[4], made[3]], True, "/v1/payment_intents",
    )  # fmt: skip
    assert [item.id for item in listed.auto_paging_iter()] == made[::-1]
    before = double.client().v1.payment_intents.list({"limit": 2, "ending_before": made[1]})
    assert ([item.id for item in before.data], before.has_more) == ([made[3], made[2]], True)
    assert double.client().v1.payment_intents.list({"created": {"gt": 4_000_000_000}}).data == []


def test_unknown_object_returns_404(double: Running) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.payment_intents.retrieve("pi_none")
    assert (caught.value.http_status, caught.value.code, caught.value.user_message) == (
        404, "resource_missing", "No such payment_intent: 'pi_none'",
    )  # fmt: skip
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        double.client().v1.products.list()


def test_readme_curl_pays(double: Running) -> None:
    url = f"{double.url}/v1/payment_intents/{double.intent().id}/confirm"
    command = ["curl", "-sS", "-u", "sk_test_double:", url, "-d", "payment_method=pm_card_visa"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    assert '"status": "succeeded"' in done.stdout
