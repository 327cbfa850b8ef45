"""The content of the demo: accounts, categories and products. Amounts are in the product's currency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

PASSWORD: Final = "auctioncraft-demo"  # noqa: S105 (public; the command refuses to run in production)

STAFF: Final = "staff@example.com"
BUYER: Final = "buyer@example.com"
# E-mail address and display name. The first seller sells the product that the buyer has won.
SELLERS: Final = {
    "seller@example.com": "Harbor Street Finds",
    "seller2@example.com": "Paris Vintage",
    "seller3@example.com": "Oak Lane Antiques",
    "seller4@example.com": "Tokyo Trading",
}
BIDDERS: Final = {
    f"bidder{number}@example.com": name
    for number, name in enumerate(("Ada", "Bruno", "Chiyo", "Dalia", "Emeka", "Freya", "Gita", "Hugo"), start=1)
}

# Parent and children; the slug of a category is made from its name.
CATEGORIES: Final = {
    "Electronics": ("Cameras", "Audio", "Computers"),
    "Home": ("Furniture", "Kitchen"),
    "Collectibles": ("Watches", "Coins", "Books & Prints"),
    "Leisure": ("Instruments", "Bicycles"),
}


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """A product and its auction: a row of products.json.

    `illustration` is a file in illustrations/, `seller` an index into SELLERS; with `starts_in` the auction is
    scheduled.
    """

    illustration: str
    name: str
    category: str
    starting_bid: str
    description: str
    currency: str = "USD"
    seller: int = 0
    reserve: str | None = None
    buy_now: str | None = None
    increment: str | None = None
    shipping: str | None = None
    duration: timedelta = timedelta(days=7)
    starts_in: timedelta | None = None


def _product(row: dict[str, Any]) -> DemoProduct:
    times: dict[str, Any] = {name: timedelta(**row[name]) for name in ("duration", "starts_in") if name in row}
    return DemoProduct(**{**row, **times})


_ROWS: Final = json.loads((Path(__file__).parent / "products.json").read_text(encoding="utf-8"))
# Sold to the buyer by the first seller and not paid yet. The tour in the README pays for it.
UNPAID_PRODUCT: Final = _product(_ROWS["unpaid"])
# Listed again when all of them have ended.
ENDING_SOON: Final = tuple(map(_product, _ROWS["ending_soon"]))
PRODUCTS: Final = tuple(map(_product, _ROWS["products"]))
