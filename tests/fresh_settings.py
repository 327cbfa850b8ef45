"""The settings as another environment makes them, without starting another process."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING
from unittest import mock

import auctioncraft

if TYPE_CHECKING:
    from types import ModuleType

_NAME = "auctioncraft.settings"


def load_settings(environment: dict[str, str]) -> ModuleType:
    """Execute the settings with exactly this environment; those of the tests stay in force."""
    ours = {name: sys.modules.pop(name) for name in _loaded()}
    try:
        with mock.patch.dict(os.environ, environment, clear=True):
            return importlib.import_module(_NAME)
    finally:
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(ours)
        vars(auctioncraft)["settings"] = ours[_NAME]


def _loaded() -> list[str]:
    return [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]
