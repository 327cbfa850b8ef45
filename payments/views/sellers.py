"""What sellers see of their money: their account at Stripe, their payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.authentication import current_user
from auctioncraft.api.parse_body import ParseBodyMixin
from auctioncraft.api.queries import chosen
from payments import serializers
from payments.models import Payout, SellerAccount
from payments.services import sellers

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class SellerViewSet(ParseBodyMixin, ViewSet):
    """The caller's own account for payouts."""

    @extend_schema(responses={200: serializers.SellerAccountSerializer})
    @action(detail=False, methods=["get"])
    def seller(self, request: Request) -> Response:
        """Return how one's account for payouts stands, as Stripe last told."""
        account = sellers.find_account(user_id=current_user(request).pk) or SellerAccount()
        return Response(serializers.SellerAccountSerializer(account).data)

    @extend_schema(request=None, responses={200: serializers.OnboardingSerializer})
    @action(detail=False, methods=["post"], url_path="seller/onboard")
    def onboard(self, request: Request) -> Response:
        """Begin, or go on with, setting up one's account for payouts: a link to Stripe's pages, good once."""
        return Response(serializers.OnboardingSerializer(sellers.onboard(user=current_user(request))).data)


@extend_schema_view(
    list=extend_schema(parameters=[OpenApiParameter("status", OpenApiTypes.STR, enum=Payout.Status.values)]),
)
class PayoutViewSet(ListModelMixin, GenericViewSet):
    """What one is due of the orders one sold in, the newest first; staff see all."""

    serializer_class = serializers.PayoutSerializer
    queryset = Payout.objects.none()

    def get_queryset(self) -> QuerySet[Payout]:
        """Return what the caller may see, of the status asked for."""
        user, status = current_user(self.request), chosen(self.request, "status", Payout.Status.values)
        payouts = Payout.objects.select_related("order__product", "seller")
        payouts = payouts if user.is_staff else payouts.filter(seller_id=user.pk)
        return payouts.filter(status=status) if status else payouts
