"""POST /api/payments/orders/{id}/refund/."""

from __future__ import annotations

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
def vendor(as_user, seller):
    """The seller, calling."""
    return as_user(seller)


def test_the_seller_refunds_all_of_it(vendor, double, paid):
    answer = refund(vendor, paid)
    assert answer.status_code == 201
    payment, made = Payment.objects.get(), Refund.objects.get()
    shown = answer.json()
    assert shown["refund"] == {
        "id": made.pk,
        "payment_intent_id": payment.stripe_intent_id,
        "amount": "19.99",
        "currency": "USD",
        "reason": "",
        "status": "succeeded",
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


def test_parts_are_refunded_until_nothing_is_left(vendor, double, paid):
    assert refund(vendor, paid, amount="5", reason="requested_by_customer").json()["refund"]["amount"] == "5.00"
    assert refund(vendor, paid, amount=10.5).status_code == 201
    assert refund(vendor, paid).json()["refund"]["amount"] == "4.49"
    assert outcome(refund(vendor, paid)) == (409, "nothing_to_refund")
    assert outcome(refund(vendor, paid, amount="0.01")) == (409, "nothing_to_refund")
    assert [there["amount"] for there in at_stripe(double, paid)] == [500, 1050, 449]
    assert at_stripe(double, paid)[0]["reason"] == "requested_by_customer"
    assert refund_totals(paid) == ("19.990", "19.990", *["succeeded"] * 3)
    assert broken_invariants() == []


def test_more_than_what_is_left_is_refused_and_says_what_is(vendor, double, paid):
    refund(vendor, paid, amount="15")
    answer = refund(vendor, paid, amount="5")
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "code": "refund_too_large",
            "detail": "That is more than what is left to refund.",
            "refundable": "4.99",
            "currency": "USD",
        },
    )
    assert refund_totals(paid) == ("15.000", "15.000", "succeeded")
    assert len(at_stripe(double, paid)) == 1


def test_it_is_written_down_who_asked_and_that_it_went_through(vendor, as_user, staff, seller, paid):
    refund(vendor, paid, amount="5", reason="duplicate")
    refund(as_user(staff), paid, amount="6")
    events = OrderEvent.objects.filter(order=paid, kind__startswith="refund").order_by("pk")
    assert [(event.kind, event.role, event.actor, event.data) for event in events] == [
        ("refund_requested", "seller", seller, {"amount": "5.00", "currency": "USD", "reason": "duplicate"}),
        ("refunded", "stripe", None, {"amount": "5.00", "currency": "USD"}),
        ("refund_requested", "staff", staff, {"amount": "6.00", "currency": "USD"}),
        ("refunded", "stripe", None, {"amount": "6.00", "currency": "USD"}),
    ]
    assert set(Refund.objects.values_list("requested_by", flat=True)) == {seller.pk, staff.pk}


def test_the_buyer_may_not_and_for_others_there_is_no_such_order(winner, as_user, rival, client, paid):
    assert outcome(refund(winner, paid)) == (403, "permission_denied")
    assert outcome(refund(as_user(rival), paid)) == (404, "not_found")
    assert refund(client, paid).status_code == 401
    assert refund_totals(paid) == ("0.000", "0.000")


def test_staff_alone_call_a_payment_fraudulent(vendor, as_user, staff, double, paid):
    assert outcome(refund(vendor, paid, amount="5", reason="fraudulent")) == (403, "permission_denied")
    assert refund_totals(paid) == ("0.000", "0.000")
    assert refund(as_user(staff), paid, amount="5", reason="fraudulent").status_code == 201
    assert [made["reason"] for made in at_stripe(double, paid)] == ["fraudulent"]


def test_an_order_that_is_not_paid_has_nothing_to_refund(vendor, order):
    assert outcome(refund(vendor, order)) == (409, "nothing_to_refund")


@pytest.mark.parametrize(
    "amount",
    ["-1", 0, "0", "NaN", "1e400", True, [], {}, None, "１２", "1_000", " 5", "0.001", "5" * 40, "100000000000"],  # noqa: RUF001
)
def test_an_amount_that_is_none_is_400(vendor, paid, amount):
    answer = refund(vendor, paid, amount=amount)
    assert (outcome(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["amount"])
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", "because"), ("reason", ""), ("reason", 1), ("payment", 5), ("payment", "pi_x"), ("payment", "x" * 300)],
)
def test_a_reason_or_payment_that_is_none_is_400(vendor, paid, field, value):
    answer = refund(vendor, paid, **{field: value})
    assert (outcome(answer), list(answer.json()["errors"])) == ((400, "invalid"), [field])


def test_what_a_caller_may_not_say_is_ignored(vendor, paid):
    answer = refund(vendor, paid, amount="19.99", currency="EUR", status="failed", requested_by=1, refund_id="re_1")
    made = Refund.objects.get()
    assert (answer.status_code, made.currency, made.status, made.stripe_refund_id != "re_1") == (
        201,
        "USD",
        "succeeded",
        True,
    )


def test_the_same_idempotency_key_refunds_once(vendor, double, paid):
    first, again = (refund(vendor, paid, key="k1", amount="5") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["refund"] == again.json()["refund"]
    assert outcome(refund(vendor, paid, key="k1", amount="6")) == (422, "idempotency_key_reused")
    assert len(at_stripe(double, paid)) == 1
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")


def test_without_a_key_it_is_another_refund(vendor, double, paid):
    assert [refund(vendor, paid, amount="5").status_code for _ in range(2)] == [201, 201]
    assert len(at_stripe(double, paid)) == 2


def test_currencies_without_and_with_three_decimals(as_user, client, double, winner, seller, bidder, vendor):
    yen = pay(client, double, winner, sell(seller, bidder, "5000", currency="JPY"))
    assert outcome(refund(vendor, yen, amount="0.5")) == (400, "invalid")
    assert refund(vendor, yen, amount="1234").json()["refund"]["amount"] == "1234"
    dinar = pay(client, double, winner, sell(seller, bidder, "12.340", currency="KWD"))
    answer = refund(vendor, dinar, amount="1.234")
    assert answer.json()["errors"] == {"amount": ["Cards take two decimals of KWD's three: the last one must be 0."]}
    assert refund(vendor, dinar, amount="1.23").json()["refund"]["amount"] == "1.230"
    assert [there["amount"] for order in (yen, dinar) for there in at_stripe(double, order)] == [1234, 1230]
    assert broken_invariants() == []


def test_what_stripe_refuses_is_given_up_and_can_be_asked_for_again(vendor, double, paid):
    payment = Payment.objects.get()
    double.post("/v1/refunds", payment_intent=payment.stripe_intent_id, amount=1500)  # and no event of it has come
    answer = refund(vendor, paid, key="k1", amount="10")
    assert outcome(answer) == (409, "refund_refused")
    assert "stripe_code" in answer.json()
    assert outcome(refund(vendor, paid, key="k1", amount="10")) == (409, "refund_refused")
    assert refund_totals(paid) == ("0.000", "0.000", "failed")
    assert kinds(paid) == ["refund_requested", "refund_failed"]
    assert refund(vendor, paid, amount="4.99").status_code == 201
    assert broken_invariants() == []


def test_a_wholly_refunded_charge_is_refused_with_stripes_code(vendor, double, paid):
    double.post("/v1/refunds", payment_intent=Payment.objects.get().stripe_intent_id)
    assert refund(vendor, paid).json()["stripe_code"] == "charge_already_refunded"


def test_with_stripe_away_the_refund_is_kept_and_shown_as_pending(vendor, paid, stripe_unreachable):
    answer = refund(vendor, paid, amount="5")
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "pending")
    assert refund_totals(paid) == ("0.000", "5.000", "creating")
    assert outcome(refund(vendor, paid, amount="15")) == (409, "refund_too_large")


def test_buyer_and_seller_see_refunds_and_staff_the_rest_too(vendor, winner, as_user, staff, paid):
    refund(vendor, paid, amount="5")
    for caller in (winner, vendor):
        shown = caller.get(f"{URL}{paid.pk}/").json()
        assert [row["amount"] for row in shown["refunds"]] == ["5.00"]
        assert (shown["refunded"], shown["surplus"], shown["disputes"]) == ("5.00", None, None)
    shown = as_user(staff).get(f"{URL}{paid.pk}/").json()
    assert (len(shown["refunds"]), shown["surplus"], shown["disputes"]) == (1, [], [])
    assert "refunds" not in winner.get(URL).json()["results"][0]


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_405(vendor, paid, method):
    assert getattr(vendor, method)(f"{URL}{paid.pk}/refund/").status_code == 405


def test_one_refund_and_many_cost_the_same_queries(vendor, paid):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            vendor.get(f"{URL}{paid.pk}/")
        return len(seen)

    refund(vendor, paid, amount="1")
    one = queries()
    for _ in range(4):
        refund(vendor, paid, amount="1")
    assert queries() == one


def test_what_staff_have_paid_out_by_hand_only_staff_refund(as_user, staff, vendor, double, paid):
    payouts.mark_paid_by_hand(payout_id=paid.payout.pk, actor=staff)
    assert outcome(refund(vendor, paid)) == (409, "paid_out")
    assert not Refund.objects.exists()
    assert refund(as_user(staff), paid, amount="5").status_code == 201
    assert broken_invariants() == []


def test_a_misspelt_amount_is_not_all_of_it(vendor, paid):
    answer = refund(vendor, paid, ammount="10.00")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {"amount": ["Enter an amount, or remove ammount to refund everything that is left."]},
    )
    assert not Refund.objects.exists()
