"""How an auction is run: one module per format, chosen by `product.format`.

Nothing outside this package imports a format's module. CONTRIBUTING.md lists what a new format needs.
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
