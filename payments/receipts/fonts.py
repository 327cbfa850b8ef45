"""The letters that a PDF of ours is set in: Noto Sans for most scripts and WenQuanYi Micro Hei for CJK, from wheels.

A name may be in any script, and a stranger's machine has Python and no fonts (ADR on receipts). The wheels are data:
nothing of theirs is imported, and a test holds their files to checksums.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fontTools.ttLib import TTFont

# What stands for a character that no font of ours has.
MISSING_GLYPH: Final = "\u25a1"
_SCRIPTS: Final = (
    *("Arabic", "Hebrew", "Devanagari", "Bengali", "Thai", "Tamil", "Telugu", "Gujarati", "Gurmukhi", "Kannada"),
    *("Malayalam", "Oriya", "Sinhala", "Georgian", "Armenian", "Ethiopic", "Khmer", "Lao", "Myanmar", "Symbols"),
)


@cache
def body() -> Path:
    """Return the font that everything is set in for which it has letters: Latin, Greek, Cyrillic."""
    return _noto("NotoSans")


@cache
def others() -> tuple[Path, ...]:
    """Return the fonts for the rest, the first that has a letter wins; emoji last, in black and white."""
    cjk = _folder("paperang_p2_fonts_cjk") / "fonts" / "wqy-microhei.ttc"
    return (*(_noto(f"NotoSans{script}") for script in _SCRIPTS), cjk, _noto("NotoEmoji"))


def find_font(character: str) -> Path | None:
    """Return the font that has this character, None if none has."""
    return next((font for font in (body(), *others()) if ord(character) in _letters(font)), None)


def to_printable(text: str) -> str:
    """Return a name as it can be printed: on one line, MISSING_GLYPH for what no font has."""
    return "".join(_printable(character) for character in " ".join(text.split()))


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return ""
    if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return character  # joins or turns its neighbours, and has no letter of its own
    return character if find_font(character) else MISSING_GLYPH


@cache
def _letters(font: Path) -> frozenset[int]:
    with TTFont(font, lazy=True, fontNumber=0) as opened:
        return frozenset(opened.getBestCmap())


def _noto(name: str) -> Path:
    return _folder("manimgx_fonts") / f"{name}[wght].ttf"


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(package, name=package)
    return Path(spec.submodule_search_locations[0])
