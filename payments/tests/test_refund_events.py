"""Events about refunds: ours that are pending or fail, and those made in Stripe's dashboard."""

from __future__ import annotations

import pytest

from auctioncraft.core import money
from payments import stripe_gateway
from payments.models import OrderEvent, Payment, Refund, StripeEvent
from payments.services import refunds
from payments.signals import refund_issued
from payments.tests.conftest import broken_invariants, build_event, post_event, request_intent
from payments.tests.connect_helpers import onboarded, transfers
from payments.tests.refund_helpers import (
    at_stripe,
    in_dashboard,
    kinds,
    outcome,
    pay,
    post_event_about,
    post_refund_event,
    refund,
    refund_totals,
)

pytestmark = pytest.mark.django_db

TYPES = ["refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.refund.updated"]


@pytest.fixture
def seller_client(as_user, seller):
    """An API client of the seller."""
    return as_user(seller)


@pytest.fixture
def paid(client, double, winner, product):
    """An order of 19.99 USD that is paid."""
    return pay(client, double, winner, product)


@pytest.fixture
def issued():
    """The refund_issued signals that were sent: (order id, amount)."""
    seen = []

    def on_refund(order, refund, **_):
        seen.append((order.pk, money.to_text(refund.amount, refund.currency)))

    refund_issued.connect(on_refund)
    yield seen
    refund_issued.disconnect(on_refund)


def settle(double, order, outcome):
    refund_id = Refund.objects.get(payment__order=order).stripe_refund_id
    answer = double.post(f"/_double/refunds/{refund_id}/settle", outcome=outcome)
    assert "id" in answer, answer


@pytest.mark.parametrize("kind", ["refund.created", "charge.refunded"])
def test_refund_made_in_the_dashboard_is_imported(client, double, paid, issued, kind):
    made = in_dashboard(double, paid, amount=500, reason="fraudulent")
    event = post_refund_event(client, paid, kind)
    assert (event.flag, event.last_error) == ("", "")
    row = Refund.objects.get()
    assert (row.stripe_refund_id, str(row.amount), row.reason, row.requested_by) == (
        made["id"],
        "5.000",
        "fraudulent",
        None,
    )
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")
    assert kinds(paid) == ["refund_requested", "refunded"]
    assert set(OrderEvent.objects.filter(kind__startswith="refund").values_list("role", flat=True)) == {"stripe"}
    assert issued == [(paid.pk, "5.00")]
    assert broken_invariants() == []


def test_refund_made_in_the_dashboard_counts_against_the_amount_left(client, double, paid, seller_client):
    in_dashboard(double, paid, amount=1500)
    post_refund_event(client, paid)
    answer = refund(seller_client, paid, amount="5")
    assert (outcome(answer), answer.json()["refundable"]) == ((409, "refund_too_large"), "4.99")


def test_refund_events_in_any_number_and_order_have_one_effect(client, double, paid, seller_client, issued):
    refund(seller_client, paid, amount="5")
    in_dashboard(double, paid, amount=300)
    for number, kind in enumerate([*TYPES[::-1], *TYPES]):
        assert post_refund_event(client, paid, kind, event_id=f"evt_{number}").flag == ""
    assert refund_totals(paid) == ("8.000", "8.000", "succeeded", "succeeded")
    assert issued == [(paid.pk, "5.00"), (paid.pk, "3.00")]


def test_pending_refund_counts_at_once_and_is_announced_when_it_succeeds(
    client, double, winner, product, seller_client, issued
):
    order = pay(client, double, winner, product, "pm_card_pendingRefund")
    assert refund(seller_client, order, amount="5").json()["refund"]["status"] == "pending"
    assert (refund_totals(order), issued) == (("0.000", "5.000", "pending"), [])
    settle(double, order, "succeed")
    assert post_refund_event(client, order).flag == ""
    assert (refund_totals(order), issued) == (("5.000", "5.000", "succeeded"), [(order.pk, "5.00")])
    assert broken_invariants() == []


def test_pending_refund_that_fails_frees_its_amount(client, double, winner, product, seller_client, issued):
    order = pay(client, double, winner, product, "pm_card_pendingRefund")
    refund(seller_client, order)
    settle(double, order, "fail")
    assert post_refund_event(client, order, "refund.failed").flag == "refund_failed"
    assert (refund_totals(order), issued) == (("0.000", "0.000", "failed"), [])
    assert Refund.objects.get().failure_code == "unknown"
    assert kinds(order) == ["refund_requested", "refund_failed"]
    assert refund(seller_client, order).status_code == 201
    assert broken_invariants() == []


def test_refund_that_fails_after_success_is_reverted(client, double, winner, product, seller_client):
    order = pay(client, double, winner, product, "pm_card_refundFail")
    refund(seller_client, order)
    assert refund_totals(order) == ("19.990", "19.990", "succeeded")
    assert order.payout.clawed_back == order.payout.amount
    settle(double, order, "fail")
    assert post_refund_event(client, order, "refund.failed").flag == "refund_failed"
    assert refund_totals(order) == ("0.000", "0.000", "failed")
    order.payout.refresh_from_db()
    assert order.payout.clawed_back == 0
    assert kinds(order) == ["refund_requested", "refunded", "refund_failed"]
    assert broken_invariants() == []


def test_refund_list_read_before_the_failure_does_not_undo_it(
    client, double, winner, product, seller_client, monkeypatch
):
    order = pay(client, double, winner, product, "pm_card_refundFail")
    refund(seller_client, order)
    before = stripe_gateway.list_refunds(Payment.objects.get().stripe_intent_id)
    settle(double, order, "fail")
    post_refund_event(client, order, "refund.failed")
    monkeypatch.setattr(stripe_gateway, "list_refunds", lambda _: before)
    post_refund_event(client, order, event_id="evt_2")
    assert refund_totals(order) == ("0.000", "0.000", "failed")


def test_refund_event_before_stripes_answer_matches_our_refund(client, double, paid, seller_client, issued):
    double.fail_next("timeout_after_create")
    assert refund(seller_client, paid, amount="5").json()["refund"]["status"] == "pending"
    assert refund_totals(paid) == ("0.000", "5.000", "creating")
    post_refund_event(client, paid, "refund.created")
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")
    assert refunds.send_due() == 0
    assert (len(at_stripe(double, paid)), issued) == (1, [(paid.pk, "5.00")])
    assert broken_invariants() == []


def test_unsent_refund_fails_when_a_dashboard_refund_takes_its_amount(client, double, paid, seller_client, settings):
    here, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    refund(seller_client, paid, amount="15")
    settings.STRIPE_API_BASE = here
    in_dashboard(double, paid, amount=1000)
    post_refund_event(client, paid)
    assert refund_totals(paid) == ("10.000", "10.000", "failed", "succeeded")
    assert Refund.objects.order_by("pk")[0].failure_code == "charge_already_refunded"
    assert broken_invariants() == []


def test_refund_given_up_here_but_made_at_stripe_counts(client, double, paid, seller_client):
    double.fail_next("timeout_after_create")
    refund(seller_client, paid, amount="5")
    Refund.objects.update(status="failed", failure_code="x")
    Payment.objects.update(refunds_reserved=0)
    post_refund_event(client, paid)
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")
    assert broken_invariants() == []


def test_failed_dashboard_refund_needs_no_amount_left(client, double, winner, product, seller_client):
    order = pay(client, double, winner, product, "pm_card_pendingRefund")
    failed = in_dashboard(double, order)
    double.post(f"/_double/refunds/{failed['id']}/settle", outcome="fail")
    refund(seller_client, order)
    assert post_refund_event(client, order).flag == "refund_failed"
    assert refund_totals(order) == ("0.000", "19.990", "pending", "failed")
    assert kinds(order) == ["refund_requested", "refund_failed"]
    assert post_refund_event(client, order, event_id="evt_2").flag == ""
    assert broken_invariants() == []


def test_refund_given_up_here_and_failed_at_stripe_gets_its_id(client, double, winner, product, seller_client):
    order = pay(client, double, winner, product, "pm_card_pendingRefund")
    double.fail_next("timeout_after_create")
    refund(seller_client, order)
    Refund.objects.update(status="failed", failure_code="x")
    Payment.objects.update(refunds_reserved=0)
    [there] = at_stripe(double, order)
    double.post(f"/_double/refunds/{there['id']}/settle", outcome="fail")
    post_refund_event(client, order)
    assert (refund_totals(order), Refund.objects.get().stripe_refund_id) == (("0.000", "0.000", "failed"), there["id"])


@pytest.mark.parametrize("metadata", ["x", "9" * 30, "-1"])
def test_refund_event_with_invalid_metadata_is_imported_as_new(client, double, paid, metadata):
    in_dashboard(double, paid, **{"amount": 500, "metadata[refund]": metadata})
    post_refund_event(client, paid)
    assert refund_totals(paid) == ("5.000", "5.000", "succeeded")


def test_refund_event_with_metadata_of_another_amount_is_imported_as_new(client, double, paid, seller_client, settings):
    here, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, "http://127.0.0.1:9"
    refund(seller_client, paid, amount="4")
    settings.STRIPE_API_BASE = here
    in_dashboard(double, paid, **{"amount": 500, "metadata[refund]": Refund.objects.get().pk})
    post_refund_event(client, paid)
    assert refund_totals(paid) == ("5.000", "9.000", "creating", "succeeded")


def test_refund_event_before_the_payments_event_pays_the_order_first(client, double, winner, product, order):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id)
    double.post("/v1/refunds", payment_intent=intent_id, amount=500)
    event = post_event_about(client, "charge.refunded", {"object": "charge", "payment_intent": intent_id})
    assert event.flag == ""
    assert refund_totals(order) == ("5.000", "5.000", "succeeded")
    assert (order.status, kinds(order)) == ("paid", ["refund_requested", "refunded"])
    late = post_event_about(client, "payment_intent.succeeded", double.intent(intent_id), event_id="evt_2")
    assert (late.flag, refund_totals(order)) == ("", ("5.000", "5.000", "succeeded"))
    assert broken_invariants() == []


def test_refund_event_of_unpaid_intent_is_flagged(client, double, winner, product, order):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    event = post_event_about(client, "refund.created", {"object": "refund", "payment_intent": intent_id})
    assert (event.flag, order.status) == ("unknown_refund", "awaiting_payment")


@pytest.mark.parametrize("kind", ["refund.created", "charge.refunded"])
@pytest.mark.parametrize("subject", [{"payment_intent": "pi_other"}, {}, {"payment_intent": 7}])
def test_refund_event_of_unknown_intent_is_stored_and_flagged(client, stripe_unreachable, kind, subject):
    event = post_event_about(client, kind, {"object": "refund", **subject})
    assert event.flag == ("unknown_charge" if kind == "charge.refunded" else "unknown_refund")
    assert event.processed_at is not None


def test_refund_event_of_intent_deleted_at_stripe_is_flagged(client, double, paid):
    Payment.objects.update(stripe_intent_id="pi_gone")
    assert post_refund_event(client, paid).flag == "unknown_refund"


def test_refund_event_with_stripe_unreachable_is_503_and_stored(client, double, paid, stripe_unreachable):
    subject = {"object": "refund", "payment_intent": Payment.objects.get().stripe_intent_id}
    assert post_event(client, build_event(subject, "refund.updated")).status_code == 503
    event = StripeEvent.objects.get(pk="evt_1")
    assert (event.processed_at, event.attempts) == (None, 0)


@pytest.mark.parametrize("with_theirs", [False, True])
def test_dashboard_refund_claws_back_the_sellers_share_once(
    client, double, winner, product, seller, settings, with_theirs
):
    settings.STRIPE_CONNECT = True
    account = onboarded(seller)
    order = pay(client, double, winner, product)
    more = {"reverse_transfer": "true"} if with_theirs else {}
    in_dashboard(double, order, amount=500, **more)
    assert post_refund_event(client, order).flag == ""
    assert transfers(double, account) == [(1999, 500 if with_theirs else 0)]
    asked = [str(reversal.amount) for reversal in order.payout.reversals.all()]
    assert asked == ([] if with_theirs else ["5.000"])
    assert (str(order.payout.clawed_back), str(order.payout.owed)) == ("5.000", "0.000" if with_theirs else "-5.000")
    assert broken_invariants() == []
