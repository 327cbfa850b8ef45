"""POST /api/payments/orders/{id}/refund/."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import OrderEvent, Payment, Refund
from payments.services import payouts
from payments.tests.conftest import broken_invariants, sell
from payments.tests.refund_helpers import URL, at_stripe, kinds, outcome, pay, refund, refund_totals

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


@pytest.fixture
def paid(client, double, winner, product):
    """An order of 19.99 USD that is paid."""
    return pay(client, double, winner, product)


@pytest.fixture
def seller_client(as_user, seller):
    """An API client of the seller."""
    return as_user(seller)


def test_refund_by_seller_without_amount_refunds_everything(seller_client, double, paid):
    answer = refund(seller_client, paid)
    assert answer.status_code == 201
    payment, made = Payment.objects.get(), Refund.objects.get()
    shown = answer.json()
    assert shown["refund"] == {
        "id": made.pk,
        "payment_intent_id": payment.stripe_intent_id,
        "amount": "19.99",
        "currency": "USD",
        "reason": "",
        "method": "stripe",
        "reference": "",
        "status": "succeeded",
        "failure_code": "",
        "created_at": shown["refund"]["created_at"],
        "settled_at": shown["refund"]["settled_at"],
    }
    assert (shown["order"]["refunded"], shown["order"]["status"]) == ("19.99", "paid")
    assert shown["order"]["refunds"] == [shown["refund"]]
    [there] = at_stripe(double, paid)
    assert (there["id"], there["amount"], there["reason"]) == (made.stripe_refund_id, 1999, None)
    assert there["metadata"] == {"order": str(paid.pk), "refund": str(made.pk)}
    assert refund_totals(paid) == ("19.990", "19.990", "succeeded")
    assert broken_invariants() == []


def test_refund_in_parts_until_nothing_is_left_then_409(seller_client, double, paid):
    assert refund(seller_client, paid, amount="5", reason="requested_by_customer").json()["refund"]["amount"] == "5.00"
    assert refund(seller_client, paid, amount=10.5).status_code == 201
    assert refund(seller_client, paid).json()["refund"]["amount"] == "4.49"
    assert outcome(refund(seller_client, paid)) == (409, "nothing_to_refund")
    assert outcome(refund(seller_client, paid, amount="0.01")) == (409, "nothing_to_refund")
    assert [there["amount"] for there in at_stripe(double, paid)] == [500, 1050, 449]
    assert at_stripe(double, paid)[0]["reason"] == "requested_by_customer"
    assert refund_totals(paid) == ("19.990", "19.990", *["succeeded"] * 3)
    assert broken_invariants() == []


def test_refund_of_more_than_is_left_is_409_with_the_amount_left(seller_client, double, paid):
    refund(seller_client, paid, amount="15")
    answer = refund(seller_client, paid, amount="5")
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "code": "refund_too_large",
            "detail": "Refund at most 4.99 USD.",
            "refundable": "4.99",
            "currency": "USD",
        },
    )
    assert refund_totals(paid) == ("15.000", "15.000", "succeeded")
    assert len(at_stripe(double, paid)) == 1


def test_refund_history_records_who_requested_it_and_its_success(seller_client, as_user, staff, seller, paid):
    refund(seller_client, paid, amount="5", reason="duplicate")
    refund(as_user(staff), paid, amount="6")
    events = OrderEvent.objects.filter(order=paid, kind__startswith="refund").order_by("pk")
    assert [(event.kind, event.role, event.actor, event.data) for event in events] == [
        (
            "refund_requested",
            "seller",
            seller,
            {"amount": "5.00", "currency": "USD", "reason": "duplicate", "note": "A test."},
        ),
        ("refunded", "stripe", None, {"amount": "5.00", "currency": "USD"}),
        ("refund_requested", "staff", staff, {"amount": "6.00", "currency": "USD", "note": "A test."}),
        ("refunded", "stripe", None, {"amount": "6.00", "currency": "USD"}),
    ]
    assert set(Refund.objects.values_list("requested_by", flat=True)) == {seller.pk, staff.pk}


def test_refund_by_buyer_is_403_by_others_404_without_token_401(winner, as_user, rival, client, paid):
    assert outcome(refund(winner, paid)) == (403, "permission_denied")
    assert outcome(refund(as_user(rival), paid)) == (404, "not_found")
    assert refund(client, paid).status_code == 401
    assert refund_totals(paid) == ("0.000", "0.000")


def test_refund_with_reason_fraudulent_is_for_staff_only(seller_client, as_user, staff, double, paid):
    assert outcome(refund(seller_client, paid, amount="5", reason="fraudulent")) == (403, "permission_denied")
    assert refund_totals(paid) == ("0.000", "0.000")
    assert refund(as_user(staff), paid, amount="5", reason="fraudulent").status_code == 201
    assert [made["reason"] for made in at_stripe(double, paid)] == ["fraudulent"]


def test_refund_of_unpaid_order_is_409(seller_client, order):
    assert outcome(refund(seller_client, order)) == (409, "nothing_to_refund")


@pytest.mark.parametrize(
    "amount",
    ["-1", "0.001"],
)
def test_refund_with_invalid_amount_is_400(seller_client, paid, amount):
    answer = refund(seller_client, paid, amount=amount)
    assert (outcome(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["amount"])
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", "because"), ("payment", "pi_x")],
)
def test_refund_with_invalid_reason_or_payment_is_400(seller_client, paid, field, value):
    answer = refund(seller_client, paid, **{field: value})
    assert (outcome(answer), list(answer.json()["errors"])) == ((400, "invalid"), [field])


@pytest.mark.parametrize(
    ("currency", "price", "least"), [("USD", "20", "0.50"), ("JPY", "2000", "50"), ("KWD", "9", "0.500")]
)
def test_refund_below_the_least_amount_is_400_unless_it_is_the_rest(
    client, double, winner, seller, bidder, seller_client, currency, price, least
):
    order = pay(client, double, winner, sell(seller, bidder, price, currency=currency))
    below = {"USD": "0.49", "JPY": "49", "KWD": "0.490"}[currency]
    answer = refund(seller_client, order, amount=below)
    assert (outcome(answer), answer.json()["errors"]) == (
        (400, "invalid"),
        {"amount": [f"Refund at least {least} {currency}."]},
    )
    assert not Refund.objects.exists()
    assert refund(seller_client, order, amount=least).status_code == 201
    left = Payment.objects.get().refundable
    rest = {"USD": "0.01", "JPY": "1", "KWD": "0.010"}[currency]
    assert refund(seller_client, order, amount=str(left - Decimal(rest))).status_code == 201
    assert refund(seller_client, order, amount=rest).status_code == 201
    assert (Payment.objects.get().refundable, broken_invariants()) == (0, [])


def test_refund_by_staff_of_their_own_purchase_is_403(client, double, winner, product, bidder):
    order = pay(client, double, winner, product)
    bidder.is_staff = True
    bidder.save()
    assert outcome(refund(winner, order)) == (403, "conflict_of_interest")
    assert not Refund.objects.exists()


def test_refund_ignores_fields_the_caller_may_not_set(seller_client, paid):
    answer = refund(
        seller_client, paid, amount="19.99", currency="EUR", status="failed", requested_by=1, refund_id="re_1"
    )
    made = Refund.objects.get()
    assert (answer.status_code, made.currency, made.status, made.stripe_refund_id != "re_1") == (
        201,
        "USD",
        "succeeded",
        True,
    )


def test_refund_with_the_same_idempotency_key_is_made_once(seller_client, double, paid):
    first, again = (refund(seller_client, paid, key="k1", amount="5") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["refund"] == again.json()["refund"]
    assert outcome(refund(seller_client, paid, key="k1", amount="6")) == (422, "idempotency_key_reused")
    assert len(at_stripe(double, paid)) == 1
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")


def test_refund_twice_without_a_key_makes_two(seller_client, double, paid):
    assert [refund(seller_client, paid, amount="5").status_code for _ in range(2)] == [201, 201]
    assert len(at_stripe(double, paid)) == 2


def test_refund_in_currencies_with_no_or_three_decimals(
    as_user, client, double, winner, seller, bidder, seller_client, settings
):
    settings.OFFLINE_PAYMENTS = True
    yen = pay(client, double, winner, sell(seller, bidder, "5000", currency="JPY"))
    assert outcome(refund(seller_client, yen, amount="0.5")) == (400, "invalid")
    assert refund(seller_client, yen, amount="1234").json()["refund"]["amount"] == "1234"
    dinar = pay(client, double, winner, sell(seller, bidder, "12.340", currency="KWD"))
    answer = refund(seller_client, dinar, amount="1.234")
    assert answer.json()["errors"] == {"amount": ["Cards take two decimals of KWD's three: the last one must be 0."]}
    assert refund(seller_client, dinar, amount="1.23").json()["refund"]["amount"] == "1.230"
    assert [there["amount"] for order in (yen, dinar) for there in at_stripe(double, order)] == [1234, 1230]
    assert broken_invariants() == []


def test_refund_that_stripe_refuses_is_409_and_can_be_requested_again(seller_client, double, paid):
    payment = Payment.objects.get()
    double.post("/v1/refunds", payment_intent=payment.stripe_intent_id, amount=1500)  # its event was not delivered
    answer = refund(seller_client, paid, key="k1", amount="10")
    assert outcome(answer) == (409, "refund_refused")
    assert "stripe_code" in answer.json()
    assert outcome(refund(seller_client, paid, key="k1", amount="10")) == (409, "refund_refused")
    assert refund_totals(paid) == ("0.000", "0.000", "failed")
    assert kinds(paid) == ["refund_requested", "refund_failed"]
    assert refund(seller_client, paid, amount="4.99").status_code == 201
    assert broken_invariants() == []


def test_refund_of_charge_already_refunded_is_409_with_stripes_code(seller_client, double, paid):
    double.post("/v1/refunds", payment_intent=Payment.objects.get().stripe_intent_id)
    assert refund(seller_client, paid).json()["stripe_code"] == "charge_already_refunded"


def test_refund_with_stripe_unreachable_is_201_pending_and_counts(seller_client, paid, stripe_unreachable):
    answer = refund(seller_client, paid, amount="5")
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "pending")
    assert refund_totals(paid) == ("0.000", "5.000", "creating")
    assert outcome(refund(seller_client, paid, amount="15")) == (409, "refund_too_large")


def test_order_shows_refunds_to_the_parties_and_surplus_and_disputes_to_staff(
    seller_client, winner, as_user, staff, paid
):
    refund(seller_client, paid, amount="5")
    for caller in (winner, seller_client):
        shown = caller.get(f"{URL}{paid.pk}/").json()
        assert [row["amount"] for row in shown["refunds"]] == ["5.00"]
        assert (shown["refunded"], shown["surplus"], shown["disputes"]) == ("5.00", None, None)
    shown = as_user(staff).get(f"{URL}{paid.pk}/").json()
    assert (len(shown["refunds"]), shown["surplus"], shown["disputes"]) == (1, [], [])
    assert "refunds" not in winner.get(URL).json()["results"][0]


def test_refund_other_methods_are_405(seller_client, paid):
    for method in ("get", "put", "patch", "delete"):
        assert getattr(seller_client, method)(f"{URL}{paid.pk}/refund/").status_code == 405


def test_order_with_one_or_many_refunds_takes_the_same_queries(seller_client, paid):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            seller_client.get(f"{URL}{paid.pk}/")
        return len(seen)

    refund(seller_client, paid, amount="1")
    one = queries()
    for _ in range(2):
        refund(seller_client, paid, amount="1")
    assert queries() == one


def test_refund_after_a_manual_payout_is_for_staff_only(as_user, staff, seller_client, double, paid):
    payouts.mark_paid_by_hand(payout_id=paid.payout.pk, actor=staff, note="Bank transfer.")
    for caller in (seller_client, as_user(staff)):
        assert outcome(refund(caller, paid)) == (409, "paid_out")
    assert outcome(refund(seller_client, paid, force_reason="I promise.")) == (403, "permission_denied")
    assert not Refund.objects.exists()
    assert refund(as_user(staff), paid, amount="5", force_reason="The item was broken.").status_code == 201
    made = Refund.objects.get()
    assert (made.requested_by, made.forced_reason) == (staff, "The item was broken.")
    assert broken_invariants() == []


def test_refund_with_misspelled_amount_is_400(seller_client, paid):
    answer = refund(seller_client, paid, ammount="10.00")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {"amount": ["Enter an amount, or remove ammount to refund everything that is left."]},
    )
    assert not Refund.objects.exists()
