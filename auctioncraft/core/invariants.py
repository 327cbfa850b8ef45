"""What the apps bring along, found by name: the kernel names no app."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def brought_by_apps(module: str, name: str) -> Iterator[tuple[str, Any]]:
    """Yield (app, what its `module` calls `name`) of every app of this repository that has both."""
    for app in apps.get_app_configs():
        path = f"{app.name}.{module}"
        if Path(app.path).parent == settings.BASE_DIR and find_spec(path):
            found = import_module(path)
            if hasattr(found, name):
                yield app.label, getattr(found, name)
