"""A stranger registers another person's address and prepares the account; then the owner proves the address by a code.

POST /api/auth/otp/verify/ and POST /api/auth/password/reset/confirm/.
"""

from decimal import Decimal

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import DiscardedAccount, OneTimeCode, User
from accounts.services import first_proof, otp
from auctioncraft.core.errors import NotAuthenticated
from auctions.models import Auction, Bid, Product, Watch
from auctions.services import watching
from auctions.tests import auction_helpers
from notifications.models import Notification, Preference
from notifications.services.outbox import write_notifications
from payments.models import Order, OrderEvent
from payments.services import expiry
from privacy import tasks
from privacy.services import discarding
from tests import factories
from tests.db_snapshot import broken_invariants
from tests.interleave import interleave
from tests.races.guards_disabled import disable_in_bids

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

EMAIL, PASSWORD = "victim@example.com", "the attacker's own"
VERIFY, CONFIRM = "/api/auth/otp/verify/", "/api/auth/password/reset/confirm/"


@pytest.fixture(autouse=True)
def _no_throttles(settings):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)


def sign_in(password=PASSWORD):
    """Sign in by password as a client would; return the client."""
    answer = APIClient().post("/api/auth/token/", {"username": EMAIL, "password": password})
    assert answer.status_code == 200, answer.content
    return bearer(answer.json())


def bearer(pair):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


@pytest.fixture
def attacker():
    """A client of an account with the victim's address, registered by another person."""
    answer = APIClient().post("/api/users/register/", {"email": EMAIL, "password": PASSWORD, "display_name": "Acme"})
    assert answer.status_code == 201
    return sign_in()


def mailed_code(path="/api/auth/otp/request/"):
    assert APIClient().post(path, {"email": EMAIL}).status_code == 200
    return otp.derive_code(OneTimeCode.objects.get(email=EMAIL, consumed_at__isnull=True))


def prove(client=None, **body):
    """Prove the address as its owner does, on a device of their own."""
    return (client or APIClient()).post(VERIFY, {"email": EMAIL, "code": mailed_code(), **body})


def account():
    return User.objects.get(email=EMAIL)


# -- nothing of what was made before stays with the owner --------------------------------------------------------------


@pytest.mark.parametrize("path", [VERIFY, CONFIRM])
def test_first_proof_by_the_owner_gives_a_clean_account(attacker, seller, rival, as_user, path):
    before = account()
    led, sold, own = factories.product(seller), factories.product(seller, buy_now_price="70"), factories.product(seller)
    auction_helpers.bid(led, rival, "30")
    assert attacker.post(f"/api/products/{led.pk}/bids/", {"amount": "4000"}).status_code == 201
    assert attacker.post(f"/api/products/{led.pk}/bids/", {"max_amount": "5000"}).status_code == 201
    assert attacker.post(f"/api/products/{sold.pk}/buy_now/", {"price": "70"}).status_code == 200
    watching.watch(product_id=own.pk, user=before)
    listed = attacker.post("/api/products/", {"name": "A trap", "category": led.category_id, "starting_bid": 1}).json()
    as_user(rival).post(f"/api/products/{listed['id']}/bids/", {"amount": "10"})
    write_notifications()

    if path == VERIFY:
        answer = prove()
    else:
        code = mailed_code("/api/auth/password/reset/")
        answer = APIClient().post(CONFIRM, {"email": EMAIL, "code": code, "password": "the owner's very own"})

    assert answer.status_code == 200
    owner, me = bearer(answer.json()), answer.json()["user"]
    assert (me["id"] != before.pk, me["email"], me["strikes"]) == (True, EMAIL, 0)
    assert me["display_name"] != "Acme"
    assert owner.get("/api/bids/").json()["count"] == 0
    assert owner.get("/api/products/?mine=true").json()["count"] == 0
    assert owner.get("/api/payments/orders/").json()["count"] == 0
    kinds = [row["kind"] for row in owner.get("/api/auth/notifications/").json()["results"]]
    assert kinds == ([] if path == VERIFY else ["account_changed"])
    # The attacker is out, and the password is not theirs.
    assert attacker.get("/api/users/me/").status_code == 401
    assert APIClient().post("/api/auth/token/", {"username": EMAIL, "password": PASSWORD}).status_code == 401
    left = User.objects.get(pk=before.pk)
    assert (left.is_active, left.display_name, left.strikes) == (False, "deleted member", 0)
    # Bids are voided and the rival leads again at the price of before; the listing with a bid is cancelled; the order
    # is cancelled without a strike, and the seller can sell the product otherwise.
    state = Auction.objects.get(pk=led.pk)
    assert (state.leader, state.price, state.status) == (rival, Decimal(30), "open")
    assert Auction.objects.get(pk=listed["id"]).status == "cancelled"
    order = Order.objects.get()
    assert (order.status, order.buyer_id) == ("expired", before.pk)
    expired = OrderEvent.objects.get(order=order, kind="expired")
    assert expired.data == {"reason": expiry.ACCOUNT_ENDED}
    assert Auction.objects.get(pk=sold.pk).payment_defaulted_at is not None
    assert not Watch.objects.exists()
    assert Product.objects.get(pk=own.pk).watch_count == 0
    assert not DiscardedAccount.objects.exists()
    write_notifications()
    assert not Notification.objects.filter(recipient=before).exists()
    told = Notification.objects.filter(recipient=rival).values_list("kind", flat=True)
    assert {"bid_voided", "auction_cancelled"} <= set(told)
    assert broken_invariants() == []


def test_first_proof_cancels_orders_of_those_who_bought_from_the_account(attacker, rival, as_user):
    category = factories.category().pk
    body = {"name": "A trap", "category": category, "starting_bid": 1, "buy_now_price": 70}
    listed = attacker.post("/api/products/", body).json()["id"]
    assert as_user(rival).post(f"/api/products/{listed}/buy_now/", {"price": "70"}).status_code == 200
    assert prove().status_code == 200
    assert Order.objects.get().status == "expired"
    rival.refresh_from_db()
    assert rival.strikes == 0
    (told,) = Notification.objects.filter(recipient=rival, kind="payment_expired")
    assert told.title == "The sale of “A trap” was canceled"
    assert "Nobody got a strike." in told.message
    assert as_user(rival).post("/api/payments/create-payment-intent/", {"product_id": listed}).status_code in {403, 409}
    assert broken_invariants() == []


def test_address_change_to_a_prepared_address_discards_its_account(attacker, as_user, seller):
    member = factories.user("old@example.com")
    led = factories.product(seller)
    assert attacker.post(f"/api/products/{led.pk}/bids/", {"amount": "40"}).status_code == 201
    client = as_user(member)
    body = {"email": EMAIL, "password": "correct horse battery"}
    assert client.post("/api/users/me/email/", body).status_code == 200
    code = otp.derive_code(OneTimeCode.objects.get(email=EMAIL))
    assert client.post("/api/users/me/email/confirm/", {"code": code}).status_code == 200
    assert account() == member
    assert attacker.get("/api/users/me/").status_code == 401
    assert Auction.objects.get(pk=led.pk).leader is None


# -- with the password or a session of it, all stays -------------------------------------------------------------------


def of_session(attacker):
    return prove(attacker)


def of_password(attacker):
    return prove(password=PASSWORD)


@pytest.mark.parametrize("how", [of_session, of_password])
def test_first_proof_by_the_holder_keeps_everything(attacker, seller, how):
    before = account()
    product = factories.product(seller)
    assert attacker.post(f"/api/products/{product.pk}/bids/", {"amount": "40"}).status_code == 201
    answer = how(attacker)
    assert answer.status_code == 200
    assert answer.json()["user"]["id"] == before.pk
    assert account().email_verified_at is not None
    assert Auction.objects.get().leader_id == before.pk
    assert sign_in().get("/api/bids/").json()["count"] == 1
    assert attacker.get("/api/users/me/").status_code == 200
    assert not DiscardedAccount.objects.exists()
    # And the next code keeps it too.
    OneTimeCode.objects.all().delete()
    assert prove().json()["user"]["id"] == before.pk


def test_first_proof_with_a_wrong_password_changes_nothing(attacker):
    answer = prove(password="a typing mistake")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
    assert account().email_verified_at is None
    assert attacker.get("/api/users/me/").status_code == 200
    assert OneTimeCode.objects.get().consumed_at is None


def test_first_proof_with_an_expired_session_changes_nothing(attacker):
    stale = APIClient()
    stale.credentials(HTTP_AUTHORIZATION="Bearer expired")
    answer = prove(stale)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert attacker.get("/api/users/me/").status_code == 200
    assert OneTimeCode.objects.get().consumed_at is None


def test_first_proof_with_the_session_of_another_account_is_the_owners(attacker, as_user, rival):
    before = account().pk
    assert prove(as_user(rival)).json()["user"]["id"] != before
    assert attacker.get("/api/users/me/").status_code == 401


def test_first_proof_of_staff_keeps_the_account_and_ends_its_sessions(attacker):
    User.objects.update(is_staff=True)
    before = account().pk
    assert prove().json()["user"]["id"] == before
    assert attacker.get("/api/users/me/").status_code == 401
    assert not account().has_usable_password()


# -- races and faults --------------------------------------------------------------------------------------------------


def test_bid_during_the_proof_is_refused(attacker, seller):
    product, before = factories.product(seller), account()
    code = mailed_code()
    proof = interleave_proof(code)
    proved, bid = interleave(proof, lambda: auction_helpers.bid(product, before, "10"))
    assert proved.user.pk != before.pk
    assert isinstance(bid, NotAuthenticated)
    assert not Bid.objects.exists()
    assert broken_invariants() == []


def test_proof_during_a_bid_waits_and_voids_it(attacker, seller):
    product, before = factories.product(seller), account()
    code = mailed_code()
    bid, proved = interleave(lambda: auction_helpers.bid(product, before, "10"), interleave_proof(code))
    assert bid["outcome"] == "leading"
    assert proved.user.pk != before.pk
    assert Auction.objects.get().leader is None
    assert Bid.objects.get().void.reason == discarding.REASON
    assert broken_invariants() == []


def test_proof_during_a_bid_without_lock_leaves_the_bid(attacker, seller, monkeypatch):
    """The negative control."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: the transaction is the lock")
    product, before = factories.product(seller), account()
    code = mailed_code()
    disable_in_bids(monkeypatch, "bidder_lock")
    bid, _ = interleave(lambda: auction_helpers.bid(product, before, "10"), interleave_proof(code))
    assert bid["outcome"] == "leading"
    assert Auction.objects.get().leader_id == before.pk


def interleave_proof(code):
    return lambda: otp.verify_code(email=EMAIL, code=code)


def test_withdrawal_that_fails_is_done_by_the_job(attacker, seller, monkeypatch):
    product = factories.product(seller)
    assert attacker.post(f"/api/products/{product.pk}/bids/", {"amount": "40"}).status_code == 201
    with monkeypatch.context() as broken:
        broken.setattr(discarding.payments, "withdraw_account", lambda **_: 1 / 0)
        assert prove().status_code == 200
    assert DiscardedAccount.objects.count() == 1
    tasks.withdraw_discarded()
    assert not DiscardedAccount.objects.exists()
    assert Auction.objects.get().leader is None


def test_withdrawal_that_takes_long_is_continued_by_the_job(attacker, seller, monkeypatch, caplog):
    products = [factories.product(seller) for _ in range(3)]
    for product in products:
        assert attacker.post(f"/api/products/{product.pk}/bids/", {"amount": "40"}).status_code == 201
    with monkeypatch.context() as slow:
        slow.setattr(discarding, "SECONDS", -1)
        assert prove().status_code == 200
    assert Auction.objects.filter(leader__isnull=False).count() == 3
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    tasks.withdraw_discarded()
    assert not DiscardedAccount.objects.exists()
    assert not Auction.objects.filter(leader__isnull=False).exists()


def test_two_proofs_at_once_make_one_account(attacker):
    code = mailed_code()
    one, other = interleave(interleave_proof(code), interleave_proof(code))
    assert isinstance(one, otp.VerifiedLogin)
    assert other.code == "invalid_code"
    assert User.objects.filter(email=EMAIL).count() == 1


def test_proof_without_evidence_would_keep_a_prepared_account(attacker, seller, monkeypatch):
    """The negative control: were any caller believed to be the holder, the attacker's bid would stay."""
    monkeypatch.setattr(first_proof, "_has_password", lambda *_: True)
    product, before = factories.product(seller), account()
    assert attacker.post(f"/api/products/{product.pk}/bids/", {"amount": "40"}).status_code == 201
    assert prove().json()["user"]["id"] == before.pk
    assert Auction.objects.get().leader_id == before.pk
    assert not Preference.objects.exists()
