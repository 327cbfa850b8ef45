"""URLs of in-app notifications."""

from __future__ import annotations

from auctioncraft.api.routers import Router
from notifications.views import NotificationViewSet

router = Router()
router.register("auth/notifications", NotificationViewSet, "notification")

urlpatterns = router.urls
