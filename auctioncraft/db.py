"""Columns that every app shares."""

from __future__ import annotations

import json
from typing import Any

import orjson
from django.db import models

from auctioncraft import money


class JSONDecoder(json.JSONDecoder):
    """For a JSONField that is read with every product of a list: orjson takes a tenth of the time."""

    def decode(self, s: str, *_: Any) -> Any:
        """Return the value."""
        return orjson.loads(s)


class MoneyField(models.DecimalField):
    """An amount: room for the decimals of every currency. Which currency it is, the row says."""

    def __init__(self, **kwargs: Any) -> None:
        """Take DecimalField's arguments but the sizes."""
        super().__init__(**{"max_digits": money.MAX_DIGITS, "decimal_places": money.DECIMAL_PLACES, **kwargs})
