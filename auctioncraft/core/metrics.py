"""`/metrics`: what the apps measure, in Prometheus's text format, for whoever holds the token.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import ipaddress
import logging
from secrets import compare_digest
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, JsonResponse
from django.utils.module_loading import autodiscover_modules
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from auctioncraft.core import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest
    from prometheus_client import Metric

logger = logging.getLogger(__name__)


_collectors: list[Callable[[], Iterator[Metric]]] = []


def collector(collect: Callable[[], Iterator[Metric]]) -> Callable[[], Iterator[Metric]]:
    """Register what an app measures, in its module `metrics`."""
    _collectors.append(collect)
    return collect


class _Apps(Collector):
    """What the apps measure now. Nothing is counted in this process: there are several."""

    def collect(self) -> Iterator[Metric]:
        """Yield each metric of each app."""
        autodiscover_modules("metrics")
        for collect in _collectors:
            yield from collect()


@csrf_exempt
@require_safe
def metrics_view(request: HttpRequest) -> HttpResponse:
    """Answer a scrape that brings METRICS_TOKEN as a bearer.

    Without one set there is nothing here: 404, but to this machine's own callers in development.
    """
    if not settings.METRICS_TOKEN:
        if not (settings.DEBUG and _is_loopback(request.META.get("REMOTE_ADDR", ""))):
            return _refused(errors.NotFound())
    elif not _has_token(request.headers.get("Authorization", "")):
        return _refused(errors.NotAuthenticated("The bearer token of this address is needed."))
    registry = CollectorRegistry()
    registry.register(_Apps())
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    except (OperationalError, InterfaceError) as error:
        logger.warning("no metrics, the database is unavailable: %s", type(error).__name__)
        return _refused(errors.Unavailable())


def _has_token(header: str) -> bool:
    # As bytes: text that is not ASCII cannot be compared in constant time.
    return compare_digest(header.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _refused(refusal: errors.DomainError) -> JsonResponse:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == errors.NotAuthenticated.status else {}
    return JsonResponse(refusal.body(), status=refusal.status, headers=headers)
