"""One router for the API, the docs, and the admin."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve

from auctioncraft.api import exceptions
from auctioncraft.api.routers import Router
from auctioncraft.api.schema_views import DocsView, SchemaView
from auctioncraft.core import metrics

router = Router()
for app in ("accounts", "auctions", "payments", "notifications"):
    for prefix, viewset, basename in import_module(f"{app}.urls").routes:
        router.register(prefix, viewset, basename)

urlpatterns = [
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocsView.as_view(), name="docs"),
    path("api/", include(router.urls)),
    re_path(r"^api/", exceptions.not_found),
    path("admin/", admin.site.urls),
    path("metrics", metrics.metrics_view),
]
if settings.DEBUG:
    urlpatterns.append(re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}))

handler400 = exceptions.bad_request
handler404 = exceptions.not_found
handler500 = exceptions.server_error
