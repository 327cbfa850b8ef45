"""Holds: nothing is paid to a seller who is disabled, or whom staff hold, until staff release it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from auctioncraft.core import clock
from payments.models import OrderEvent, Payment, Payout, SellerHold
from payments.services import transfers
from payments.tests.conftest import broken_invariants, make_due, post_event, request_intent, sell
from payments.tests.connect_helpers import onboarded
from payments.tests.connect_helpers import transfers as at_stripe
from payments.tests.payout_helpers import pay
from payments.tests.refund_helpers import URL, outcome, refund
from tests import admin_pages, factories
from tests.admin_pages import act
from tests.violations import find_violations

pytestmark = pytest.mark.django_db

PAYOUTS = "/api/payments/payouts/"
WHY = "Three buyers say that nothing came."


@pytest.fixture(autouse=True)
def _connect(settings):
    settings.STRIPE_CONNECT = True


@pytest.fixture
def payout(double, winner, product, seller):
    """A payout that the next job would send."""
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    request_intent(winner, product)
    onboarded(seller)
    return Payout.objects.get()


@pytest.fixture
def clerk(as_user, staff):
    """An API client of the staff."""
    return as_user(staff)


def decide(caller, payout, what, **body):
    """Hold or release."""
    return caller.post(f"{PAYOUTS}{payout.pk}/{what}/", {"reason": WHY, **body}, format="json")


def send_all():
    """Run the job with every attempt due."""
    make_due()
    return transfers.send_due()


def history(order):
    """Return (kind, role) of the entries about payouts."""
    entries = OrderEvent.objects.filter(order=order, kind__startswith="pa").exclude(kind__startswith="payment")
    return list(entries.exclude(kind="paid").order_by("pk").values_list("kind", "role"))


def test_held_payout_is_not_sent_until_it_is_released(double, payout, clerk, as_user, seller, staff, order):
    answer = decide(clerk, payout, "hold")
    assert (answer.status_code, answer.json()["status"], answer.json()["due"]) == (200, "held", "19.99")
    assert send_all() == 0
    (shown,) = as_user(seller).get(PAYOUTS, {"status": "held"}).json()["results"]
    assert (shown["status"], shown["sent"], shown["paid_at"]) == ("held", "0.00", None)
    assert outcome(decide(clerk, payout, "hold")) == (409, "payouts_held")
    assert broken_invariants() == []
    answer = decide(clerk, payout, "release", reason="They came.")
    assert (answer.status_code, answer.json()["status"]) == (200, "due")
    assert outcome(decide(clerk, payout, "release")) == (409, "payouts_not_held")
    assert send_all() == 1
    assert at_stripe(double, seller.seller_account) == [(1999, 0)]
    hold = SellerHold.objects.get()
    assert (hold.held_by, hold.reason, hold.released_by, hold.release_reason) == (staff, WHY, staff, "They came.")
    assert history(order) == [("payout_held", "staff"), ("payout_released", "staff"), ("paid_out", "system")]
    assert broken_invariants() == []


def test_hold_reason_is_in_the_history_for_staff_only(payout, clerk, as_user, seller, winner, order, staff):
    decide(clerk, payout, "hold")
    said = OrderEvent.objects.get(kind="payout_held")
    assert (said.actor, said.data) == (staff, {"note": WHY})
    assert WHY in clerk.get(f"{URL}{order.pk}/").content.decode()
    for caller in (as_user(seller), winner):
        page = caller.get(f"{URL}{order.pk}/")
        assert [each["kind"] for each in page.json()["history"]][-1] == "payout_held"
        assert WHY not in page.content.decode()


@pytest.mark.parametrize("what", ["hold", "release"])
def test_hold_by_anybody_but_staff_is_refused(payout, as_user, seller, winner, what):
    assert outcome(decide(as_user(seller), payout, what)) == (403, "permission_denied")
    assert outcome(decide(winner, payout, what)) == (404, "not_found")
    seller.is_staff = True
    seller.save()
    assert outcome(decide(as_user(seller), payout, what)) == (403, "conflict_of_interest")
    payout.order.buyer.is_staff = True
    payout.order.buyer.save()
    assert outcome(decide(winner, payout, what)) == (403, "conflict_of_interest")
    assert not SellerHold.objects.exists()


def test_hold_without_a_reason_is_400(payout, clerk):
    for reason in ("", " ", None):
        assert outcome(decide(clerk, payout, "hold", reason=reason)) == (400, "invalid")
    assert not SellerHold.objects.exists()


def test_payouts_of_disabled_seller_are_held_and_stay_held_when_enabled(double, payout, seller, clerk, order):
    factories.disable_account(seller)
    assert send_all() == 0
    assert Payout.objects.get().status == "held"
    assert history(order) == [("payout_held", "staff")]
    User.objects.update(is_active=True)
    assert send_all() == 0
    assert at_stripe(double, seller.seller_account) == []
    assert broken_invariants() == []
    decide(clerk, payout, "release")
    assert send_all() == 1
    factories.disable_account(seller)
    assert SellerHold.objects.filter(released_at=None).count() == 1  # again
    assert broken_invariants() == []


def test_released_payout_of_a_seller_still_disabled_is_sent(double, payout, seller, clerk):
    factories.disable_account(seller)
    decide(clerk, payout, "release")
    assert send_all() == 1
    assert broken_invariants() == []


def test_seller_disabled_behind_the_services_back_is_held_too(double, payout, seller):
    User.objects.filter(pk=seller.pk).update(is_active=False)
    assert send_all() == 0
    assert (Payout.objects.get().status, SellerHold.objects.get().held_by) == ("held", None)
    assert broken_invariants() == []


@pytest.mark.parametrize("how", ["hold", "disable"])
def test_payment_to_held_seller_has_no_destination_and_its_payout_is_held(
    double, payout, seller, bidder, as_user, clerk, how
):
    product = sell(seller, bidder, "30")
    decide(clerk, payout, "hold") if how == "hold" else factories.disable_account(seller)
    double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
    request_intent(as_user(bidder), product)
    assert Payment.objects.get(order__product=product).destination == ""
    later = Payout.objects.get(order__product=product)
    assert (later.status, later.transferred) == ("held", 0)
    assert history(later.order) == [("payout_held", "staff")]
    assert send_all() == 0
    assert at_stripe(double, seller.seller_account) == []
    assert broken_invariants() == []


@pytest.mark.parametrize("how", ["hold", "disable"])
def test_hold_cancels_what_could_still_be_paid_to_the_seller(double, payout, seller, bidder, as_user, clerk, how):
    product = sell(seller, bidder, "30")
    first = request_intent(as_user(bidder), product).json()["payment_intent_id"]
    assert double.intent(first)["transfer_data"] is not None
    if how == "hold":
        decide(clerk, payout, "hold")
        assert double.intent(first)["status"] == "canceled"
    else:
        factories.disable_account(seller)
    again = request_intent(as_user(bidder), product).json()["payment_intent_id"]
    assert (double.intent(first)["status"], double.intent(again)["transfer_data"]) == ("canceled", None)
    double.confirm(again)
    request_intent(as_user(bidder), product)
    assert Payout.objects.get(order__product=product).status == "held"
    assert broken_invariants() == []


def test_payment_that_reaches_a_held_seller_all_the_same_is_flagged(double, payout, seller, bidder, as_user, client):
    product = sell(seller, bidder, "30")
    intent_id = request_intent(as_user(bidder), product).json()["payment_intent_id"]
    factories.disable_account(seller)
    double.confirm(intent_id)  # before the job cancels it
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "livemode": False}
    assert post_event(client, {**event, "data": {"object": double.intent(intent_id)}}).status_code == 200
    from payments.models import StripeEvent

    assert StripeEvent.objects.get(pk="evt_1").flag == "paid_to_held_seller"


def test_held_payout_cannot_be_marked_as_paid_manually(order, settings, clerk):
    settings.STRIPE_CONNECT = False
    payout = pay(order)
    decide(clerk, payout, "hold")
    clerk_of_admin = admin_pages.clerk("view_payout", "change_payout")
    text = act(clerk_of_admin, Payout, "mark_paid", [payout], confirmed="yes", reason="By bank.").content.decode()
    assert "The payouts to this seller are held." in text
    payout.refresh_from_db()
    assert (payout.status, payout.transferred) == ("held", 0)


def test_refund_of_held_payout_lowers_it(payout, seller, as_user, order, clerk):
    decide(clerk, payout, "hold")
    assert refund(as_user(seller), order, amount="9.99").status_code == 201
    payout.refresh_from_db()
    assert (payout.status, payout.owed) == ("held", Decimal("10.00"))
    assert refund(as_user(seller), order).status_code == 201
    payout.refresh_from_db()
    assert payout.status == "void"
    assert broken_invariants() == []


def test_hold_in_the_admin_asks_for_confirmation_and_a_reason(payout, order):
    admin = admin_pages.clerk("view_payout", "change_payout")
    asked = act(admin, Payout, "hold", [payout]).content.decode()
    assert 'name="reason"' in asked
    assert "Nothing is paid to the sellers of these payouts until somebody releases it." in asked
    assert 'name="reason"' in act(admin, Payout, "hold", [payout], confirmed="yes", reason=" ").content.decode()
    assert not SellerHold.objects.exists()
    act(admin, Payout, "hold", [payout], confirmed="yes", reason=WHY)
    assert 'name="reason"' in act(admin, Payout, "release", [payout]).content.decode()
    assert SellerHold.objects.get().released_at is None
    act(admin, Payout, "release", [payout], confirmed="yes", reason="They came.")
    hold, actor = SellerHold.objects.get(), admin_pages.user(admin)
    assert (hold.held_by, hold.reason, hold.released_by, hold.release_reason) == (actor, WHY, actor, "They came.")
    assert [kind for kind, _ in history(order)] == ["payout_held", "payout_released"]


def test_hold_in_the_admin_without_permission_changes_nothing(payout):
    act(admin_pages.clerk("view_payout"), Payout, "hold", [payout], confirmed="yes", reason=WHY)
    assert not SellerHold.objects.exists()


def test_invariant_finds_a_payout_to_a_held_seller(payout, clerk, seller):
    assert send_all() == 1
    assert broken_invariants() == []
    SellerHold.objects.create(seller=seller, reason="x", held_at=clock.now() - timedelta(hours=1))
    name = "22 no payout goes to a held seller"
    assert find_violations("payments")[name] == [f"payout {payout.pk} was sent to a seller who was held"]
    now = clock.now()
    SellerHold.objects.update(released_at=now - timedelta(minutes=30), released_by=seller, release_reason="y")
    assert name not in find_violations("payments")


def test_payouts_list_with_one_or_many_held_takes_the_same_queries(payout, clerk, seller, bidder, double, as_user):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert clerk.get(PAYOUTS, {"status": "held"}).json()["results"]
        return len(seen)

    decide(clerk, payout, "hold")
    one = queries()
    for _ in range(2):
        product = sell(seller, bidder)
        double.confirm(request_intent(as_user(bidder), product).json()["payment_intent_id"])
        request_intent(as_user(bidder), product)
    assert (len(clerk.get(PAYOUTS, {"status": "held"}).json()["results"]), queries()) == (3, one)
