"""Fields that read strictly."""

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
# What money.parse reads, for the schema.
AMOUNT_STRING_SCHEMA = {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,15})?$"}
_JOINING = frozenset("\u200c\u200d\ufe0e\ufe0f")
# Letters, marks and symbols to Unicode, but nothing to the eye: fillers, the empty braille cell, selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0").union(
    map(chr, [*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)])
)


@extend_schema_field({"oneOf": [{"type": "number", "minimum": 0}, AMOUNT_STRING_SCHEMA], "example": "150.00"})
class MoneyField(serializers.Field):
    """An amount as a client may send it: a JSON number or a string. How many decimals fit is the currency's to say."""

    def __init__(self, *, zero: bool = False, **kwargs: Any) -> None:
        """`zero`: whether nothing is an amount too."""
        self.zero = zero
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the amount, above zero and at most MAX_AMOUNT."""
        try:
            amount = money.parse(data, zero=self.zero)
        except money.InvalidAmount as error:
            raise serializers.ValidationError(str(error)) from error
        if amount > settings.MAX_AMOUNT:
            raise serializers.ValidationError(f"At most {settings.MAX_AMOUNT:,} is possible.")
        return amount

    def to_representation(self, value: Any) -> str:
        """Answers write money with money.to_text, which knows the currency; this only echoes text."""
        return str(value)


@extend_schema_field({"type": "string", "example": "150.00"})
class MoneyOutputField(serializers.Field):
    """An amount in an answer: a string with the currency's decimals."""

    def __init__(self, *, currency_source: str = "currency", **kwargs: Any) -> None:
        """`currency_source` names the attribute that holds the currency, as `source` names the amount's."""
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
    """The server's time at which an answer is written, for what has no time of its own."""

    def __init__(self, **kwargs: Any) -> None:
        """Take DateTimeField's arguments."""
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> datetime:  # noqa: ARG002 (DRF's signature)
        """Return the time, whatever the instance."""
        return clock.now()


class StrictIntegerField(serializers.IntegerField):
    """A whole number in plain digits."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number; `true`, `1.0`, `1_000` and digits of other scripts are none."""
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("invalid")
        if isinstance(data, str) and not (data.isascii() and data.isdigit()):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        """Return it; DRF's would take "off", "n" and 0 for false."""
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class IdField(StrictIntegerField):
    """The id of a row: within a 64-bit column, so that an absurd one is refused before it reaches the database."""

    def __init__(self, **kwargs: Any) -> None:
        """Take IntegerField's arguments."""
        super().__init__(**{"min_value": 1, "max_value": MAX_ID, **kwargs})


class StrictCharField(serializers.CharField):
    """Text that was sent as text: DRF's would take a number for its digits."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text, without white space around it."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class SingleLineField(StrictCharField):
    """One line that people read and tell things apart by: nothing in it is invisible or turns the text around.

    In NFC; every kind of space is a plain one. Joiners (Persian, emoji) and emoji's variation selectors may stand
    between what can be seen (Unicode UAX 31 and UTS 39 name what is confusing; look-alike letters are not refused).
    """

    def to_internal_value(self, data: Any) -> str:
        """Return the name."""
        text = super().to_internal_value(data)
        spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)
        name = unicodedata.normalize("NFC", spaced).strip()
        if not all((char.isprintable() and char not in _BLANK) or char in _JOINING for char in name):
            raise serializers.ValidationError("This holds a character that cannot be shown.")
        if not any(char not in _JOINING and unicodedata.category(char)[0] in "LNPS" for char in name):
            raise serializers.ValidationError("This holds nothing that can be seen.")
        return name


@extend_schema_field(OpenApiTypes.DATETIME)
class UTCDateTimeField(serializers.DateTimeField):
    """ISO 8601 with any offset in, or none for UTC; UTC out."""

    def __init__(self, **kwargs: Any) -> None:
        """Take DateTimeField's arguments. Without an offset it is not the server's zone that decides."""
        super().__init__(**{"default_timezone": UTC, **kwargs})

    def to_internal_value(self, value: Any) -> datetime:
        """Return the moment in UTC; one beyond the calendar's ends is refused."""
        if not isinstance(value, str):
            self.fail("invalid", format="ISO 8601")
        try:
            moment = super().to_internal_value(value)
            if not 1970 < moment.year < 9000:
                self.fail("invalid", format="ISO 8601")
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")
