"""Requests that were authenticated before the erasure of their account do nothing afterwards."""

from decimal import Decimal

import pytest
from django.contrib.auth.hashers import make_password

from accounts.errors import InvalidCode
from accounts.models import OneTimeCode, Session, User
from accounts.services import email_change, otp, tokens
from auctioncraft.core.errors import DomainError, NotAuthenticated
from auctions.models import Auction, Product, Watch
from auctions.services import buying, closing, listing, relisting, watching
from auctions.tests import auction_helpers
from notifications.models import Notification
from notifications.services.outbox import write_notifications
from payments.models import Order
from privacy.errors import AccountInUse
from privacy.services import account_settings, erasure
from tests import factories
from tests.db_snapshot import broken_invariants
from tests.interleave import interleave

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def me(db):
    return factories.user("mike@example.com")


def reasons(result):
    assert isinstance(result, AccountInUse), result
    return [reason["reason"] for reason in result.extra["reasons"]]


def _buy(me, seller, _):
    product = factories.product(seller, buy_now_price=Decimal(70))
    return lambda: buying.buy_now(product_id=product.pk, buyer=me, price=Decimal(70))


def _list(me, *_):
    fields = {"name": "A lamp", "category_id": factories.category().pk, "starting_bid": Decimal(1)}
    return lambda: listing.create_product(seller=me, **fields)


def _list_again(me, *_):
    product = factories.product(me)
    closing.close_auction(product_id=product.pk, actor=me)
    return lambda: relisting.relist(product_id=product.pk, actor=me, changes={})


def _follow(me, seller, _):
    product = factories.product(seller)
    return lambda: watching.watch(product_id=product.pk, user=me)


def _accept_below_the_reserve(me, _, rival):
    product = factories.product(me, reserve_price=Decimal(100))
    auction_helpers.bid(product, rival, "10")
    closing.close_auction(product_id=product.pk, actor=me)
    return lambda: closing.accept_below_reserve(product_id=product.pk, actor=me)


def _change_the_address(me, *_):
    code = otp.derive_code(otp.request_code(email=me.email, ip=None, purpose=OneTimeCode.Purpose.CONFIRM))
    return lambda: email_change.request_change(user=me, email="new@example.com", code=code)


# Each takes (me, seller, rival), prepares, and returns the call of a request authenticated before.
ACTS = {
    "buys": _buy,
    "lists": _list,
    "lists again": _list_again,
    "follows": _follow,
    "accepts below the reserve": _accept_below_the_reserve,
    "signs in": lambda me, *_: lambda: tokens.sign_in(user=me, user_agent="", ip=None),
    "changes the address": _change_the_address,
    "changes the name": lambda me, *_: lambda: account_settings.update_account(user=me, display_name="Mike"),
    "goes": lambda me, *_: lambda: erasure.erase_account(user=me),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("when", ["after", "interleave"])
def test_request_authenticated_before_erasure_is_refused(me, seller, rival, act, when):
    User.objects.filter(pk=me.pk).update(password=make_password(None))
    me.refresh_from_db()
    work = ACTS[act](me, seller, rival)
    products, orders = Product.objects.count(), Order.objects.count()
    if when == "after":
        erasure.erase_account(user=User.objects.get(pk=me.pk))
        with pytest.raises((NotAuthenticated, InvalidCode)):
            work()
    else:
        erased, result = interleave(lambda: erasure.erase_account(user=User.objects.get(pk=me.pk)), work)
        assert erased is None
        assert isinstance(result, (NotAuthenticated, InvalidCode)), result
    assert (Product.objects.count(), Order.objects.count()) == (products, orders)
    assert not Session.objects.filter(user=me).exists()
    assert not Watch.objects.filter(user=me).exists()
    assert not OneTimeCode.objects.exists()
    assert User.objects.get(pk=me.pk).display_name == "deleted member"
    write_notifications()
    assert not Notification.objects.filter(recipient=me).exists()
    assert broken_invariants() == []


@pytest.mark.parametrize("act", [act for act in ACTS if act not in {"buys", "goes", "changes the name"}])
def test_data_written_before_erasure_commits_is_erased(me, seller, rival, act):
    User.objects.filter(pk=me.pk).update(password=make_password(None))
    me.refresh_from_db()
    done, erased = interleave(
        ACTS[act](me, seller, rival), lambda: erasure.erase_account(user=User.objects.get(pk=me.pk))
    )
    assert not isinstance(done, DomainError)
    if act == "accepts below the reserve":
        assert reasons(erased) == ["unpaid_order"]
        return
    assert erased is None
    assert not Session.objects.filter(user=me).exists()
    assert not Watch.objects.filter(user=me).exists()
    assert not OneTimeCode.objects.exists()
    assert not Notification.objects.filter(recipient=me).exists()
    assert set(Product.objects.values_list("watch_count", flat=True)) <= {0}
    assert not Auction.objects.filter(status="open", product__seller=me).exists()
    assert broken_invariants() == []
