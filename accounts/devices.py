"""What people call a device, by what its software calls itself. A help to recognise it, never a proof."""

from __future__ import annotations

import re
from typing import Final

UNKNOWN: Final = "Unknown device"
# The first that is found: browsers also name those that they descend from.
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
# Of anything else the first word, without dots and spaces: it stands in mails, and must not be a link or a sentence.
_PROGRAM: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,29})(?:/|$)")


def describe(user_agent: str) -> str:
    """Return words such as “Firefox on Windows”, “Safari on iPhone” or “curl”."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser or system:
        return " on ".join(filter(None, (browser or "An app", system)))
    program = _PROGRAM.match(user_agent)
    return program[1] if program else UNKNOWN


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for name, pattern in names if re.search(pattern, user_agent)), "")
