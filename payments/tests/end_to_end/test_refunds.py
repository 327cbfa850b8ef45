"""Refunds and disputes: above what is left, two at once, by whom, with Stripe away, made in the dashboard."""

from __future__ import annotations

import pytest

from payments.models import Dispute, Payment, Refund
from payments.services import refunds
from payments.tests.conftest import broken_invariants, run_concurrently, statuses
from payments.tests.end_to_end.state_helpers import notified, read_flags

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


@pytest.fixture
def vendor(server, seller):
    """The seller, calling."""
    return server.person(seller)


@pytest.fixture
def clerk(server, staff):
    """Staff, calling."""
    return server.person(staff)


@pytest.fixture
def surplus(server, at_stripe, paid, order):
    """A second success: money that the order could not take."""
    other = at_stripe.double.create()["id"]
    Payment.objects.create(order=order, stripe_intent_id=other, amount=order.total, currency="USD", status="canceled")
    at_stripe.double.confirm(other)
    assert server.deliver(at_stripe.event("payment_intent.succeeded", other)).status_code == 200
    return other


@pytest.fixture
def disputed(server, at_stripe, paid):
    """The payment's charge, disputed, and our server knows."""
    charge_id = at_stripe.charge_of(paid)
    at_stripe.double.post(f"/_double/charges/{charge_id}/dispute")
    assert server.deliver(at_stripe.event("charge.dispute.created", charge_id)).status_code == 200
    return charge_id


def refused(answer):
    return answer.status_code, answer.json()["code"]


def there(at_stripe, intent_id):
    """The amounts that Stripe refunded."""
    charge_id = at_stripe.charge_of(intent_id)
    return [event["data"]["object"]["amount"] for event in at_stripe.events(charge_id, type="refund.created")]


def test_the_seller_refunds_all_of_it(at_stripe, paid, order, vendor, bidder):
    answer = vendor.refund(order)
    assert (answer.status_code, answer.json()["refund"]["amount"]) == (201, "19.99")
    order.refresh_from_db()
    assert (str(order.refunded), there(at_stripe, paid)) == ("19.990", [1999])
    assert (notified("refund_issued", bidder), broken_invariants()) == ((1, 1), [])


def test_parts_are_refunded_until_nothing_is_left(at_stripe, paid, order, vendor):
    assert [vendor.refund(order, amount=amount).status_code for amount in ("10.00", "9.98", "0.01")] == [201] * 3
    assert refused(vendor.refund(order, amount="0.01")) == (409, "nothing_to_refund")
    assert there(at_stripe, paid) == [1000, 998, 1]
    assert broken_invariants() == []


def test_a_refund_above_what_was_paid_is_409_with_what_is_left(at_stripe, paid, order, vendor):
    answer = vendor.refund(order, amount="20.00")
    assert refused(answer) == (409, "refund_too_large")
    assert answer.json()["refundable"] == "19.99"
    assert (Refund.objects.count(), there(at_stripe, paid)) == (0, [])


def test_a_refund_above_what_is_left_is_409(at_stripe, paid, order, vendor):
    vendor.refund(order, amount="15.00")
    answer = vendor.refund(order, amount="5.00")
    assert (refused(answer), answer.json()["refundable"]) == ((409, "refund_too_large"), "4.99")
    assert there(at_stripe, paid) == [1500]


def test_two_refunds_at_once_over_the_ceiling_are_one_201_and_one_409(at_stripe, paid, order, vendor):
    answers = run_concurrently(2, lambda: vendor.refund(order, amount="15.00").status_code)
    assert (sorted(answers), there(at_stripe, paid)) == ([201, 409], [1500])
    assert broken_invariants() == []


def test_ten_full_refunds_at_once_are_one(at_stripe, paid, order, vendor):
    answers = run_concurrently(10, lambda: vendor.refund(order).status_code)
    assert (sorted(answers), there(at_stripe, paid)) == ([201] + [409] * 9, [1999])
    assert broken_invariants() == []


def test_the_same_idempotency_key_refunds_once(at_stripe, paid, order, vendor):
    path, body, key = f"/api/payments/orders/{order.pk}/refund/", {"amount": "5.00"}, {"Idempotency-Key": "once"}
    answers = [vendor.call("POST", path, body, **key) for _ in range(3)]
    assert ([answer.status_code for answer in answers], there(at_stripe, paid)) == ([201] * 3, [500])


@pytest.mark.parametrize(("who", "status"), [("bidder", 403), ("rival", 404), (None, 401)])
def test_who_is_neither_seller_nor_staff_refunds_nothing(request, server, at_stripe, paid, order, who, status):
    person = server.person(who and request.getfixturevalue(who))
    assert (person.refund(order).status_code, there(at_stripe, paid)) == (status, [])


def test_an_unpaid_order_has_nothing_to_refund_409(at_stripe, intent_id, order, vendor):
    assert refused(vendor.refund(order)) == (409, "nothing_to_refund")


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "1e400", True, [], "x"])
def test_an_amount_that_is_none_is_400(at_stripe, paid, order, vendor, amount):
    assert refused(vendor.refund(order, amount=amount)) == (400, "invalid")
    assert there(at_stripe, paid) == []


@pytest.mark.parametrize("kind", ["500", "429", "reset", "timeout_after_create"])
def test_a_refund_that_stripe_did_not_answer_is_kept_as_pending_and_made_once(at_stripe, paid, order, vendor, kind):
    at_stripe.arm(kind, path="/v1/refunds")
    answer = vendor.refund(order)
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "pending")
    row = Refund.objects.get()
    for _ in range(3):
        refunds.send(refund_id=row.pk)
    row.refresh_from_db()
    assert (row.status, there(at_stripe, paid), broken_invariants()) == ("succeeded", [1999], [])


def test_money_that_came_twice_is_refunded_by_staff_alone(at_stripe, surplus, order, vendor, clerk):
    assert vendor.refund(order, payment=surplus).status_code == 403
    assert clerk.refund(order, payment=surplus).status_code == 201
    order.refresh_from_db()
    assert (there(at_stripe, surplus), order.refunded, statuses(order)[0]) == ([1999], 0, "paid")
    assert broken_invariants() == []


def test_a_refund_made_in_stripes_dashboard_is_taken_in_and_counts(server, at_stripe, paid, order, vendor):
    at_stripe.double.post("/v1/refunds", payment_intent=paid, amount=1500)
    for kind in ("refund.created", "charge.refunded", "refund.updated"):
        for event in at_stripe.events(at_stripe.charge_of(paid), type=kind):
            assert server.deliver(event).status_code == 200
    order.refresh_from_db()
    assert (str(order.refunded), Refund.objects.count()) == ("15.000", 1)
    assert refused(vendor.refund(order, amount="5.00")) == (409, "refund_too_large")
    assert broken_invariants() == []


def test_an_event_of_a_refund_delivered_ten_times_at_once_has_one_effect(server, at_stripe, paid, order, bidder):
    at_stripe.double.post("/v1/refunds", payment_intent=paid, amount=500)
    event = at_stripe.event("charge.refunded", paid)
    assert run_concurrently(10, lambda: server.deliver(event).status_code) == [200] * 10
    order.refresh_from_db()
    assert (str(order.refunded), Refund.objects.count()) == ("5.000", 1)
    assert notified("refund_issued", bidder) == (1, 1)


def test_a_refund_that_fails_afterwards_is_given_back_to_the_ceiling(server, at_stripe, intent_id, order, vendor):
    at_stripe.double.confirm(intent_id, "pm_card_refundFail")
    server.deliver(at_stripe.event("payment_intent.succeeded", intent_id))
    assert vendor.refund(order).status_code == 201
    refund_id = Refund.objects.get().stripe_refund_id
    at_stripe.double.post(f"/_double/refunds/{refund_id}/settle", outcome="fail")
    assert server.deliver(at_stripe.event("refund.failed", refund_id)).status_code == 200
    order.refresh_from_db()
    payment = Payment.objects.get()
    assert (Refund.objects.get().status, order.refunded, payment.refunds_reserved) == ("failed", 0, 0)
    assert (order.status, broken_invariants()) == ("paid", [])


def test_a_dispute_is_200_shown_to_staff_and_flagged(disputed, order, clerk, buyer):
    assert (Dispute.objects.get().status, read_flags()[-1]) == ("needs_response", "disputed")
    assert [dispute["status"] for dispute in clerk.order(order)["disputes"]] == ["needs_response"]
    assert buyer.order(order)["disputes"] is None
    assert broken_invariants() == []


def test_a_disputed_payment_is_not_refunded_409(at_stripe, paid, disputed, order, vendor):
    assert refused(vendor.refund(order)) == (409, "order_disputed")
    assert there(at_stripe, paid) == []


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_that_is_decided_is_200_and_told_twice_has_one_effect(server, at_stripe, disputed, order, outcome):
    at_stripe.double.post(f"/_double/disputes/{Dispute.objects.get().stripe_dispute_id}/close", outcome=outcome)
    for _ in range(2):
        assert server.deliver(at_stripe.event("charge.dispute.closed", disputed)).status_code == 200
    dispute = Dispute.objects.get()
    assert (dispute.status, dispute.closed_at is None) == (outcome, False)
    assert order.history.filter(kind="dispute_closed").count() == 1
    assert (statuses(order)[0], broken_invariants()) == ("paid", [])


def test_a_dispute_told_in_reverse_order_ends_the_same(server, at_stripe, paid, order):
    charge_id = at_stripe.charge_of(paid)
    dispute = at_stripe.double.post(f"/_double/charges/{charge_id}/dispute")
    at_stripe.double.post(f"/_double/disputes/{dispute['id']}/close", outcome="won")
    for event in reversed(at_stripe.events(dispute["id"])):
        assert server.deliver(event).status_code == 200
    row = Dispute.objects.get()
    assert (row.status, row.closed_at is None, broken_invariants()) == ("won", False, [])
