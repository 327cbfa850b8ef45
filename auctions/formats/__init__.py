"""How an auction is run: one module per format, chosen by `product.format`.

A new format is one module that follows base.Format, one entry in FORMATS, its tests, and its choice on Product.format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auctions.formats import ascending

if TYPE_CHECKING:
    from auctions.formats.base import Format

DEFAULT: Final = "ascending"
FORMATS: Final[dict[str, Format]] = {DEFAULT: ascending}


def get_format(name: str) -> Format:
    """Return the rules of a format."""
    return FORMATS[name]
