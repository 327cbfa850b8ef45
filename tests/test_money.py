from decimal import Decimal

import pytest
from django.db.models import Q

from auctioncraft.core import money
from auctioncraft.core.model_fields import money_sum
from auctioncraft.core.money import InvalidAmount
from auctions.models import Product
from tests import factories


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        *((150, "150"), ("150.00", "150.00"), (Decimal("150.0"), "150"), (Decimal("1E+2"), "100"), ("0.001", "0.001")),
        *((Decimal("1e-3"), "0.001"), ("007", "7"), ("999999999999999", "999999999999999"), ("1.000", "1")),
    ],
)
def test_amount_as_plain_number_is_accepted(raw, amount):
    assert money.parse(raw) == Decimal(amount)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            None,
            True,
            False,
            [],
            {},
            1.5,
            b"1",
            object(),
            -1,
            0,
            10**15,
            "0",
            "0.00",
            "-0",
            Decimal(0),
            Decimal("-0.0"),
        ),
        *(Decimal(-1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e400"), Decimal("1e-400")),
        *(
            Decimal("1e30"),
            "1e2",
            "1_000",
            "1,000",
            " 1",
            "1 ",
            "1\n",
            "+1",
            "-1",
            ".5",
            "5.",
            "0x10",
            "NaN",
            "inf",
            "",
        ),
        *("\uff11\uff12", "\u0661", "1.2.3", "9" * 5000, "1." + "0" * 5000, "1000000000000000", "\x001"),
    ],
    ids=lambda raw: repr(raw)[:20],
)
def test_amount_in_another_form_is_refused(raw):
    with pytest.raises(InvalidAmount):
        money.parse(raw)


def test_amount_zero_is_accepted_only_where_allowed():
    assert money.parse("0.00", zero=True) == 0
    assert money.parse(0, zero=True) == 0
    with pytest.raises(InvalidAmount):
        money.parse("-0.0", zero=True)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("150", "USD", "150.00"), ("150.5", "EUR", "150.50"), ("150.000", "JPY", "150"), ("1.5", "KWD", "1.500")],
)
def test_amount_is_written_with_the_decimals_of_its_currency(amount, currency, text):
    assert money.to_text(Decimal(amount), currency) == text
    assert money.to_text_or_none(Decimal(amount), currency) == text
    assert str(money.check_precision(Decimal(amount), currency, 1000)) == text


def test_amount_none_is_written_as_null():
    assert money.to_text_or_none(None, "USD") is None


@pytest.mark.parametrize(
    ("amount", "currency", "sentence"),
    [
        ("1.005", "USD", "USD has 2 decimals."),
        ("1.5", "JPY", "JPY has no decimals."),
        ("1.0005", "KWD", "KWD has 3 decimals."),
        ("1000.01", "USD", "The amount must be at most 1,000."),
    ],
)
def test_amount_with_too_many_decimals_is_refused(amount, currency, sentence):
    with pytest.raises(InvalidAmount, match=f"^{sentence}$"):
        money.check_precision(Decimal(amount), currency, 1000)


def test_currencies_are_disjoint_iso_codes():
    kinds = (money.ZERO_DECIMAL, money.TWO_DECIMAL, money.THREE_DECIMAL)
    assert sum(len(kind) for kind in kinds) == len(money.CURRENCIES)
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in money.CURRENCIES)
    assert [money.quantum(code) for code in ("JPY", "USD", "KWD")] == [1, Decimal("0.01"), Decimal("0.001")]


@pytest.mark.django_db
def test_amounts_summed_by_the_database_are_exact():
    """SQLite adds binary fractions: 400 times 1.1 is not 440."""
    one = factories.product(factories.user("seller@example.com"), starting_bid="1.10")
    values = {field.attname: getattr(one, field.attname) for field in Product._meta.concrete_fields if field.editable}
    Product.objects.bulk_create(Product(**{**values, "id": None}) for _ in range(399))
    found = Product.objects.aggregate(sum=money_sum("starting_bid"), none=money_sum("starting_bid", filter=Q(pk=0)))
    assert found == {"sum": Decimal(440), "none": Decimal(0)}
