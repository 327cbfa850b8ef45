"""URLs of the user's own account."""

from __future__ import annotations

from auctioncraft.api.routers import Router
from privacy.views import MyAccountViewSet

router = Router()
router.register("users", MyAccountViewSet, "my-account")

urlpatterns = router.urls
