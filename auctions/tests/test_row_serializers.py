"""RowSerializer agrees with DRF; the answer that place_bid writes itself has the fields of its serializer."""

from decimal import Decimal
from functools import partial
from io import BytesIO

import orjson
import pytest
from rest_framework.serializers import Serializer

from auctioncraft.api.renderers import JSONRenderer
from auctioncraft.api.row_serializer import RowSerializer
from auctions import queries
from auctions.models import Product
from auctions.serializers.bids import MyBidSerializer, PlacedBidSerializer
from auctions.serializers.products import ProductDetailSerializer, ProductListSerializer
from auctions.services import closing, images, second_chance, watching
from auctions.tests import auction_helpers
from auctions.tests.images.image_helpers import make_image
from tests import factories
from tests.time_travel import let_order_expire

pytestmark = pytest.mark.django_db


def rendered(answer):
    return orjson.loads(JSONRenderer().render(answer))


@pytest.fixture
def products(seller, bidder, rival, settings, tmp_path):
    """Products in every state: without bids, scheduled, with images and bids, sold, cancelled, with an open offer."""
    settings.MEDIA_ROOT = tmp_path
    plain = factories.product(seller, buy_now_price=Decimal(90))
    scheduled = factories.product(seller, currency="KWD", starting_bid="1.250", buy_now_price=Decimal(20))
    auction_helpers.move_start_to_tomorrow(scheduled)
    busy = factories.product(seller, currency="JPY", starting_bid="100", reserve_price=Decimal(5000), shipping=300)
    images.add_image(product_id=busy.pk, actor=seller, file=BytesIO(make_image()))
    auction_helpers.bid(busy, rival, "150", max_amount="300")
    auction_helpers.bid(busy, bidder, max_amount="4000")
    watching.watch(product_id=busy.pk, user=bidder)
    sold, cancelled, unpaid = (factories.product(seller) for _ in range(3))
    auction_helpers.bid(sold, bidder, "10")
    closing.close_auction(product_id=sold.pk, actor=seller)
    closing.cancel_auction(product_id=cancelled.pk, actor=seller)
    auction_helpers.bid(unpaid, bidder, "10")
    auction_helpers.bid(unpaid, rival, "20")
    closing.close_auction(product_id=unpaid.pk, actor=seller)
    let_order_expire(unpaid, seller)
    second_chance.offer(product_id=unpaid.pk, actor=seller)
    return [plain, scheduled, busy, sold, cancelled, unpaid]


@pytest.fixture
def by_drf(monkeypatch):
    """Return a function that gives the answer of a serializer as DRF does it, nested ones too."""

    def answer(serializer_class, row):
        with monkeypatch.context() as patch:
            patch.setattr(RowSerializer, "to_representation", Serializer.to_representation)
            return rendered(serializer_class(row).data)

    return answer


def test_list_row_equals_what_drf_gives(products, by_drf):
    rows = list(Product.objects.rows())
    assert len(rows) == len(products)
    assert {ProductListSerializer(row).data["status"] for row in rows} == {"open", "scheduled", "sold", "cancelled"}
    for row in rows:
        assert rendered(ProductListSerializer(row).data) == by_drf(ProductListSerializer, row)


def test_detail_equals_what_drf_gives(products, by_drf, seller, bidder, rival):
    offers = 0
    for product in products:
        for user in (None, seller, bidder, rival):
            row = queries.get_product_detail(product_id=product.pk, user=user)
            answer = rendered(ProductDetailSerializer(row).data)
            assert answer == by_drf(ProductDetailSerializer, row)
            assert list(answer) == list(by_drf(ProductDetailSerializer, row))
            offers += bool(user and answer["viewer"]["second_chance"])
    assert offers == 1


def test_my_bids_equal_what_drf_gives(products, by_drf, bidder):
    context = {"user_id": bidder.pk}
    for row in queries.list_my_bids(user=bidder):
        answer = rendered(MyBidSerializer(row, context=context).data)
        assert answer == by_drf(partial(MyBidSerializer, context=context), row)
    assert row["my_maximum"]


def test_bid_answer_written_by_its_service_has_the_fields_of_its_serializer(as_user, seller, bidder):
    product = factories.product(seller)
    answer = as_user(bidder).post(f"/api/products/{product.pk}/bids/", {"amount": "5", "max_amount": "9"}).json()
    declared = PlacedBidSerializer().fields
    assert list(answer) == list(declared)
    for name, field in declared.items():
        if isinstance(field, Serializer):
            assert list(answer[name]) == list(field.fields)
