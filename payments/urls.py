"""URLs of orders, cards, payouts, the checkout, and Stripe's webhook."""

from __future__ import annotations

from auctioncraft.api.routers import Router
from payments.views import checkout, orders, sellers, stripe

router = Router()
router.register("payments/cards", checkout.CardViewSet, "card")
router.register("payments/orders", orders.OrderViewSet, "order")
router.register("payments/payouts", sellers.PayoutViewSet, "payout")
router.register("payments", sellers.SellerViewSet, "seller")
router.register("payments", checkout.PaymentViewSet, "payment")
router.register("stripe", stripe.StripeViewSet, "stripe")

urlpatterns = router.urls
