"""The app that brings `manage.py simulate`; installed only with DEBUG."""

from __future__ import annotations

from django.apps import AppConfig


class SimulationConfig(AppConfig):
    """A marketplace of random users against the real services."""

    name = "simulation"
