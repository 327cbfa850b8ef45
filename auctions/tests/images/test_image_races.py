"""Two requests that add an image at the same time."""

import threading

import pytest
from django.db import connection

from auctions.models import Auction, ProductImage
from auctions.services import images
from auctions.tests.images.image_helpers import stored_names


@pytest.mark.django_db(transaction=True)
def test_add_image_twice_at_once_does_not_exceed_the_maximum(add, product, seller, monkeypatch):
    for _ in range(11):
        add()
    start, results, check = threading.Barrier(2, timeout=20), [], images._check_room
    looked = threading.local()

    def look_together(product_id):
        """Let both requests see room before either writes."""
        check(product_id)
        if not hasattr(looked, "once"):
            looked.once = True
            start.wait()

    monkeypatch.setattr(images, "_check_room", look_together)

    def run():
        try:
            add()
            results.append("added")
        except images.TooManyImages:
            results.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["added", "refused"]
    assert (ProductImage.objects.count(), len(stored_names())) == (12, 24)
    positions = ProductImage.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(12))
    assert Auction.objects.get().seq == 12
