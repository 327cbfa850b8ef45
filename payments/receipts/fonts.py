"""The fonts of PDF receipts: Noto Sans for most scripts, Noto Sans CJK, Noto Emoji (font_files/README.md)."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from fontTools.ttLib import TTFont

_FOLDER: Final = Path(__file__).parent / "font_files"
TEXT_FONT: Final = _FOLDER / "NotoSans-Regular.ttf"  # Latin, Greek, Cyrillic
BOLD_FONT: Final = _FOLDER / "NotoSans-Bold.ttf"  # U+0020 to U+017F
# Printed in place of a character that no font has.
MISSING_GLYPH: Final = "\u25a1"
_SCRIPTS: Final = (
    *("Arabic", "Hebrew", "Devanagari", "Bengali", "Thai", "Tamil", "Telugu", "Gujarati", "Gurmukhi", "Kannada"),
    *("Malayalam", "Oriya", "Sinhala", "Georgian", "Armenian", "Ethiopic", "Khmer", "Lao", "Myanmar", "Symbols"),
)
# The first font that has a character is used.
FALLBACK_FONTS: Final = (
    *(_FOLDER / f"NotoSans{script}-Regular.ttf" for script in _SCRIPTS),
    _FOLDER / "NotoSansCJKsc-Regular.otf",
    _FOLDER / "NotoEmoji-Regular.ttf",
)


def find_font(character: str) -> Path | None:
    """Return the first font that has this character, or None."""
    return next((font for font in (TEXT_FONT, *FALLBACK_FONTS) if ord(character) in _code_points(font)), None)


def to_printable(text: str) -> str:
    """Return the text on one line, without control characters, with MISSING_GLYPH for what no font has."""
    return "".join(map(_to_printable, " ".join(text.split())))


def _to_printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return ""
    if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return character  # changes how its neighbors are drawn and has no glyph of its own
    return character if find_font(character) else MISSING_GLYPH


@cache
def _code_points(font: Path) -> frozenset[int]:
    with TTFont(font, lazy=True) as opened:
        return frozenset(opened.getBestCmap())
