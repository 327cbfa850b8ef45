"""The fields of a product that its seller writes: the one list of them.

Listing, editing, relisting, the API's input, the export and the admin take their fields from here. To add one, add a
column to Product and a line to FIELDS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    """The type of a field's value."""

    LINE = auto()
    TEXT = auto()
    CATEGORY = auto()
    CURRENCY = auto()
    AMOUNT = auto()
    SECONDS = auto()
    TIME = auto()  # a column of the auction, not of the product


@dataclass(frozen=True, slots=True)
class ProductField:
    """An argument of create_product, and a column of the same name.

    Every field can be changed until the first bid. With bids, `append_with_bids` allows more text at the end.
    """

    name: str
    kind: Kind
    help_text: str
    required: bool = False
    removable: bool = False  # null removes the value; elsewhere null means the default, or no change
    append_with_bids: bool = False
    zero_allowed: bool = False
    relisted: bool = True  # a relisted product has the value of the old one

    @property
    def public_name(self) -> str:
        """Return its name in the API: "category", not "category_id"."""
        return self.name.removesuffix("_id")


FIELDS: Final = {
    field.name: field
    for field in (
        ProductField("name", Kind.LINE, "The title of the listing.", required=True),
        ProductField("category_id", Kind.CATEGORY, "The ID of the category.", required=True),
        ProductField("starting_bid", Kind.AMOUNT, "The lowest amount of the first bid.", required=True),
        ProductField("description", Kind.TEXT, "Plain text.", append_with_bids=True),
        ProductField("currency", Kind.CURRENCY, "Three-letter ISO 4217 code. Defaults to the site's currency."),
        ProductField(
            "reserve_price",
            Kind.AMOUNT,
            "The lowest price at which the product is sold. Hidden from bidders, who see whether it is met.",
            removable=True,
        ),
        ProductField(
            "buy_now_price",
            Kind.AMOUNT,
            "The price at which the product can be bought at once. Must be above the starting bid and not below the "
            "reserve price.",
            removable=True,
        ),
        ProductField(
            "bid_increment",
            Kind.AMOUNT,
            "The minimum step between bids. Defaults to the currency's increment table.",
            removable=True,
        ),
        ProductField("shipping", Kind.AMOUNT, "The shipping cost. Defaults to 0.", zero_allowed=True),
        ProductField("starts_at", Kind.TIME, "When bidding starts. Defaults to now.", relisted=False),
        ProductField(
            "ends_at",
            Kind.TIME,
            "When bidding ends, at most 366 days from now. Defaults to seven days after the start.",
            relisted=False,
        ),
        ProductField(
            "soft_close_window",
            Kind.SECONDS,
            "A bid in this many last seconds extends the auction. Defaults to the site's setting.",
        ),
        ProductField(
            "soft_close_extension",
            Kind.SECONDS,
            "By how many seconds a late bid extends the auction. Defaults to the site's setting.",
        ),
    )
}

TEXTS: Final = tuple(name for name, field in FIELDS.items() if field.kind in {Kind.LINE, Kind.TEXT})
AMOUNTS: Final = tuple(name for name, field in FIELDS.items() if field.kind is Kind.AMOUNT)
TIMES: Final = tuple(name for name, field in FIELDS.items() if field.kind is Kind.TIME)
COLUMNS: Final = tuple(name for name in FIELDS if name not in TIMES)
RELISTED: Final = tuple(name for name, field in FIELDS.items() if field.relisted)
