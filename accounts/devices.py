"""Describe a device by its User-Agent header, to help users recognize it. The header can be forged."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "Unknown device"
# The first match counts: browsers also name those that they derive from.
_BROWSERS: Final = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/"),
    ("Safari", r"Safari/"),
)
_SYSTEMS: Final = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("Mac", r"Macintosh|Mac OS X"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux"),
)
# Otherwise the first word, without dots and spaces: emails show it, and it must not become a link or a sentence.
_PROGRAM: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,29})(?:/|$)")


def describe_device(user_agent: str) -> str:
    """Return a description such as “Firefox on Windows”, “Safari on iPhone” or “curl”."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser or system:
        return " on ".join(filter(None, (browser or "An app", system)))
    program = _PROGRAM.match(user_agent)
    return program[1] if program else UNKNOWN


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, user_agent)), "")
