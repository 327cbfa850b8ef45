"""The root URLconf: the API of each app, its schema and docs, the admin."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.http import conditional_page
from django.views.static import serve

from auctioncraft.api import exceptions
from auctioncraft.api.routers import RootView
from auctioncraft.api.schema_views import DocsView, SchemaView
from auctioncraft.core import metrics

urlpatterns = [
    path("api/", RootView.as_view(), name="api-root"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", conditional_page(DocsView.as_view()), name="docs"),
    path("api/", include("accounts.urls")),
    path("api/", include("auctions.urls")),
    path("api/", include("payments.urls")),
    path("api/", include("notifications.urls")),
    path("api/", include("privacy.urls")),
    re_path(r"^api/", exceptions.not_found),
    path("admin/", admin.site.urls),
    path("metrics", metrics.metrics_view),
]
if settings.DEBUG:
    urlpatterns.append(re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}))

handler400 = exceptions.bad_request
handler404 = exceptions.not_found
handler500 = exceptions.server_error
