"""POST and DELETE /api/products/{id}/watch/."""

import threading

import pytest
from django.db import connection

from auctions.models import Product, Watch
from auctions.services import watching
from tests import factories

pytestmark = pytest.mark.django_db


def url(product):
    return f"/api/products/{product.pk}/watch/"


def test_watch_and_unwatch_change_the_count_once(as_user, client, seller, bidder):
    product, caller = factories.product(seller), as_user(bidder)
    for _ in range(2):
        answer = caller.post(url(product))
        assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"/api/products/{product.pk}/").json()["watch_count"] == 1
    assert caller.get(f"/api/products/{product.pk}/").json()["viewer"]["watching"] is True
    for _ in range(2):
        answer = caller.delete(url(product))
        assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"/api/products/{product.pk}/").json()["watch_count"] == 0
    assert not Watch.objects.exists()


@pytest.mark.parametrize("method", ["post", "delete"])
def test_watch_of_a_missing_product_is_not_found(as_user, bidder, method):
    answer = getattr(as_user(bidder), method)("/api/products/999999/watch/")
    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "detail": "Not found."}


@pytest.mark.parametrize("method", ["post", "delete"])
def test_watch_without_token_is_refused(client, seller, method):
    assert getattr(client, method)(url(factories.product(seller))).status_code == 401


@pytest.mark.parametrize("method", ["get", "put", "patch"])
def test_watch_with_another_method_is_not_allowed(as_user, seller, method):
    assert getattr(as_user(seller), method)(url(factories.product(seller))).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_watch_by_many_at_once_counts_each(seller):
    product = factories.product(seller)
    people = [factories.user(f"{number}@example.com") for number in range(4)]

    def run(person):
        watching.watch(product_id=product.pk, user=person)
        connection.close()

    threads = [threading.Thread(target=run, args=(person,)) for person in people * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (Product.objects.get().watch_count, Watch.objects.count()) == (4, 4)
