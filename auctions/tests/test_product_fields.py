"""auctions/product_fields.py against the models."""

import pytest

from auctions.models import Auction, Product
from auctions.product_fields import COLUMNS, FIELDS, TIMES


@pytest.mark.parametrize("name", COLUMNS)
def test_product_field_is_a_column_of_the_product(name):
    column = Product._meta.get_field(name)
    assert column.null == FIELDS[name].removable
    assert name in {column.name, column.attname}


@pytest.mark.parametrize("name", TIMES)
def test_product_time_is_a_column_of_the_auction(name):
    assert Auction._meta.get_field(name).null is False
