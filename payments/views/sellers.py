"""Sellers' accounts at Stripe and payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.authentication import current_user
from auctioncraft.api.parse_body import ParseBodyMixin
from payments.filters import PayoutFilter
from payments.models import Payout, SellerAccount
from payments.serializers.sellers import OnboardingSerializer, PayoutSerializer, SellerAccountSerializer
from payments.services import sellers

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class SellerViewSet(ParseBodyMixin, ViewSet):
    """Your account for payouts."""

    @extend_schema(summary="Retrieve your seller account", responses={200: SellerAccountSerializer})
    @action(detail=False, methods=["get"])
    def seller(self, request: Request) -> Response:
        """Return the state of your account for payouts, as last reported by Stripe."""
        account = sellers.find_account(user_id=current_user(request).pk) or SellerAccount()
        return Response(SellerAccountSerializer(account).data)

    @extend_schema(summary="Create an onboarding link", request=None, responses={200: OnboardingSerializer})
    @action(detail=False, methods=["post"], url_path="seller/onboard")
    def onboard(self, request: Request) -> Response:
        """Start or continue the onboarding at Stripe. Returns a link that works once.

        403 `email_not_verified` before the address was verified by a code.
        """
        return Response(OnboardingSerializer(sellers.onboard(user=current_user(request))).data)


@extend_schema_view(list=extend_schema(summary="List payouts"))
class PayoutViewSet(ListModelMixin, GenericViewSet):
    """List your payouts, newest first. Staff see all payouts."""

    serializer_class = PayoutSerializer
    queryset = Payout.objects.none()
    filterset_class = PayoutFilter

    def get_queryset(self) -> QuerySet[Payout]:
        """Return the payouts that the caller may see."""
        user = current_user(self.request)
        payouts = Payout.objects.select_related("order__product", "seller")
        return payouts if user.is_staff else payouts.filter(seller_id=user.pk)
