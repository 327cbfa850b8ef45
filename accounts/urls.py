"""URLs of sign-in, sessions and registration."""

from __future__ import annotations

from accounts import views
from auctioncraft.api.routers import Router

router = Router()
router.register("auth/otp", views.OtpViewSet, "otp")
router.register("auth/token", views.TokenViewSet, "token")
router.register("auth/password", views.PasswordViewSet, "password")
router.register("auth/sessions", views.SessionViewSet, "session")
router.register("auth/logout", views.LogoutViewSet, "logout")
router.register("users", views.RegistrationViewSet, "registration")

urlpatterns = router.urls
