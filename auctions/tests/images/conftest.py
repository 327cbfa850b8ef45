"""Fixtures of the image tests."""

import io

import pytest

from auctions.models import ProductImage
from auctions.services import images
from auctions.tests.images.image_helpers import make_image, upload_form, url
from tests import factories


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def product(seller):
    return factories.product(seller)


@pytest.fixture
def send(as_user, seller, product):
    """Return a function that posts an image, as the seller unless `user` is given."""
    caller = as_user(seller)

    def post(data=None, user=None, to=product, **named):
        who = caller if user is None else as_user(user)
        return who.post(url(to), upload_form(data or make_image(), **named), format="multipart")

    return post


@pytest.fixture
def add(seller, product):
    """Return a function that adds an image by the service."""

    def add_image(data=None, to=product, actor=seller, **more):
        file = io.BytesIO(data or make_image())
        return ProductImage(**images.add_image(product_id=to.pk, actor=actor, file=file, **more))

    return add_image
