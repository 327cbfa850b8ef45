"""Columns that every app shares."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
from django.db import models
from django.db.models import Sum
from django.db.models.functions import Round

from auctioncraft.core import money


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


def money_sum(field: str, **filtered: Any) -> Round:
    """Return the sum of amounts, 0 of none; takes Sum's arguments. Exact on SQLite too, which adds in binary."""
    return Round(Sum(field, default=Decimal(0), **filtered), precision=money.DECIMAL_PLACES)
