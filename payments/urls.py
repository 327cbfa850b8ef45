"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from payments.views import cards, checkout, orders, sellers, stripe

routes: list[tuple[str, Any, str]] = [
    ("payments/cards", cards.CardViewSet, "card"),
    ("payments/orders", orders.OrderViewSet, "order"),
    ("payments/payouts", sellers.PayoutViewSet, "payout"),
    ("payments", sellers.SellerViewSet, "seller"),
    ("payments", checkout.PaymentViewSet, "payment"),
    ("stripe", stripe.StripeViewSet, "stripe"),
]
