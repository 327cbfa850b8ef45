"""The input fields of the API (auctioncraft/api/fields.py), once for all endpoints."""

import io

import pytest
from rest_framework.exceptions import ParseError
from rest_framework.serializers import ValidationError

from auctioncraft.api.fields import (
    IdField,
    MoneyField,
    SingleLineField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    UTCDateTimeField,
)
from auctioncraft.api.parsers import StrictJSONParser

FAR = [
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "9999-01-01T00:00:00Z"),
    "2030-01-01T00:00:00+99:00",
]
INVALID = [
    *[(IdField(), value) for value in ("abc", True, 1e30, 0, -1, "1.0", "", None, [], {}, "9" * 30, 2**63)],
    *[(StrictIntegerField(min_value=0), value) for value in (-1, 1.5, True, [], {}, "a", "", "1_0", "-0", "\uff11")],
    *[(StrictIntegerField(max_value=86_400), value) for value in (86_401, "86401", 10**30)],
    *[(StrictBooleanField(), value) for value in ("true", "off", "n", 0, 1, None, [], "")],
    *[(StrictCharField(max_length=5), value) for value in (5, 1.5, True, [], {}, None, "", "a" * 6, "a\x00")],
    *[(SingleLineField(max_length=200), value) for value in ("", "   ", "a" * 201, 5, True, [], {}, ["Lamp"], None)],
    *[(UTCDateTimeField(), value) for value in (*FAR, "tomorrow", "", 5, True, [], {}, None)],
    *[(UTCDateTimeField(), value) for value in ("2030-02-30T00:00:00Z", "2030-01-01T25:00:00Z")],
]


def label(value):
    return ascii(value)[:26] if not hasattr(value, "run_validation") else type(value).__name__


@pytest.mark.parametrize(("field", "value"), INVALID, ids=label)
def test_field_with_invalid_value_is_refused(field, value):
    with pytest.raises(ValidationError):
        field.run_validation(value)


@pytest.mark.parametrize(
    "text",
    [
        *('"NaN"', "NaN", '"Infinity"', "-Infinity", "1e400", "1e30", "1e-400", "1e99999999999999999999", "-1", "0"),
        *("-0.0", "true", "[]", "{}", '""', '"1_000"', '" 12"', '"+12"', '"1e2"', '"0x10"', "99999999.01"),
        *('"\uff11\uff12"', "9" * 5000, '"' + "9" * 5000 + '"', "null"),
    ],
    ids=lambda text: text[:12],
)
def test_amount_of_invalid_json_value_is_refused(text):
    with pytest.raises((ValidationError, ParseError)):
        MoneyField().run_validation(StrictJSONParser().parse(io.BytesIO(text.encode())))


def test_amount_of_zero_is_accepted_only_where_allowed():
    assert MoneyField(zero=True).run_validation(0) == 0
    with pytest.raises(ValidationError):
        MoneyField().run_validation(0)
