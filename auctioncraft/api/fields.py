"""Serializer fields with strict parsing."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import get_attribute

from auctioncraft.core import clock, money

if TYPE_CHECKING:
    from decimal import Decimal

MAX_ID = 2**63 - 1
# What money.parse accepts, for the schema.
AMOUNT_STRING_SCHEMA = {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,15})?$"}
_JOINING = frozenset("\u200c\u200d\ufe0e\ufe0f")
# Letters, marks and symbols that show nothing: fillers, the empty braille cell, variation selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0").union(
    map(chr, [*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)])
)


@extend_schema_field({"oneOf": [{"type": "number", "minimum": 0}, AMOUNT_STRING_SCHEMA], "example": "150.00"})
class MoneyField(serializers.Field):
    """An amount in a request: a JSON number or a string. Services check the decimals of the currency."""

    def __init__(self, *, zero: bool = False, **kwargs: Any) -> None:
        """`zero`: whether 0 is accepted."""
        self.zero = zero
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the amount, above zero and at most MAX_AMOUNT."""
        try:
            amount = money.parse(data, zero=self.zero)
        except money.InvalidAmount as error:
            raise serializers.ValidationError(str(error)) from error
        if amount > settings.MAX_AMOUNT:
            raise serializers.ValidationError(f"The amount must be at most {settings.MAX_AMOUNT:,}.")
        return amount

    def to_representation(self, value: Any) -> str:
        """Return the text; MoneyOutputField formats amounts in responses."""
        return str(value)


@extend_schema_field({"type": "string", "example": "150.00"})
class MoneyOutputField(serializers.Field):
    """An amount in a response: a string with the decimals of the currency."""

    def __init__(self, *, currency_source: str = "currency", **kwargs: Any) -> None:
        """`currency_source` names the attribute of the currency, as `source` names the amount's."""
        self.currency_source = currency_source
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> str | None:
        """Return the amount as text, None if there is none."""
        amount = super().get_attribute(instance)
        currency = get_attribute(instance, self.currency_source.split("."))
        return None if amount is None else money.to_text(amount, currency)

    def to_representation(self, value: str) -> str:
        """Return the text."""
        return value


class ServerTimeField(serializers.DateTimeField):
    """The server's time when the response is rendered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> datetime:  # noqa: ARG002 (DRF's signature)
        """Return the time, whatever the instance."""
        return clock.now()


class StrictIntegerField(serializers.IntegerField):
    """An integer in ASCII digits."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number; refuse `true`, `1.0`, `1_000` and digits of other scripts."""
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        if isinstance(data, str) and not (data.isascii() and data.isdigit()):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the boolean; DRF's field would accept "off", "n" and 0."""
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class IdField(StrictIntegerField):
    """The ID of a row. It fits a 64-bit column, so that the database never sees a larger one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": MAX_ID, **kwargs})


class StrictCharField(serializers.CharField):
    """A JSON string; DRF's field would accept a number."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text without surrounding white space."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class CurrencyField(StrictCharField):
    """A three-letter code; services check that it is one of a currency."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 3, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Return the code in upper case."""
        return super().to_internal_value(data).upper()


class SingleLineField(StrictCharField):
    """A name in one line, without invisible characters or changes of the text direction.

    Normalized to NFC with plain spaces. Joiners (Persian, emoji) and the variation selectors of emoji are allowed
    between visible characters (Unicode UAX 31 and UTS 39); look-alike letters are not refused.
    """

    def to_internal_value(self, data: Any) -> str:
        """Return the name."""
        text = super().to_internal_value(data)
        spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)
        name = unicodedata.normalize("NFC", spaced).strip()
        if not all((char.isprintable() and char not in _BLANK) or char in _JOINING for char in name):
            raise serializers.ValidationError("This contains a character that cannot be shown.")
        if not any(char not in _JOINING and unicodedata.category(char)[0] in "LNPS" for char in name):
            raise serializers.ValidationError("This contains no visible character.")
        return name


@extend_schema_field(OpenApiTypes.DATETIME)
class UTCDateTimeField(serializers.DateTimeField):
    """A time in ISO 8601: any offset in requests, UTC without one; UTC in responses."""

    def __init__(self, **kwargs: Any) -> None:
        # Not the server's time zone.
        super().__init__(**{"default_timezone": UTC, **kwargs})

    def to_internal_value(self, value: Any) -> datetime:
        """Return the time in UTC; refuse years that the calendar or the database cannot hold."""
        if not isinstance(value, str):
            self.fail("invalid", format="ISO 8601")
        try:
            time = super().to_internal_value(value)
            if not 1970 < time.year < 9000:
                self.fail("invalid", format="ISO 8601")
            return time.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")
