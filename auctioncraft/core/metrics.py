"""`/metrics`: the metrics of the apps in Prometheus's text format.

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
    """Register the metrics of an app, in its module `metrics`."""
    _collectors.append(collect)
    return collect


class _AppsCollector(Collector):
    """The metrics of all apps, read from the database: counters in a process would differ between processes."""

    def collect(self) -> Iterator[Metric]:
        """Yield each metric of each app."""
        autodiscover_modules("metrics")
        for collect in _collectors:
            yield from collect()


@csrf_exempt
@require_safe
def metrics_view(request: HttpRequest) -> HttpResponse:
    """Return the metrics to a caller with METRICS_TOKEN as bearer token.

    Without METRICS_TOKEN: 404, except for local callers in development.
    """
    if not settings.METRICS_TOKEN:
        if not (settings.DEBUG and _is_loopback(request.META.get("REMOTE_ADDR", ""))):
            return _error_response(errors.NotFound())
    elif not _has_token(request.headers.get("Authorization", "")):
        return _error_response(errors.NotAuthenticated("Send the metrics token as a bearer token."))
    registry = CollectorRegistry()
    registry.register(_AppsCollector())
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    except (OperationalError, InterfaceError) as error:
        logger.warning("the database is unavailable, so there are no metrics: %s", type(error).__name__)
        return _error_response(errors.Unavailable())


def _has_token(header: str) -> bool:
    # As bytes: compare_digest accepts only ASCII text.
    return compare_digest(header.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _error_response(error: errors.DomainError) -> JsonResponse:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == errors.NotAuthenticated.status else {}
    return JsonResponse(error.body(), status=error.status, headers=headers)
