"""Columns that every app shares."""

from __future__ import annotations

from typing import Any

from django.db import models

from auctioncraft import money


class MoneyField(models.DecimalField):
    """An amount: room for the decimals of every currency. Which currency it is, the row says."""

    def __init__(self, **kwargs: Any) -> None:
        """Take DecimalField's arguments but the sizes."""
        super().__init__(**{"max_digits": money.MAX_DIGITS, "decimal_places": money.DECIMAL_PLACES, **kwargs})
