"""Sellers' accounts at Stripe and payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.authentication import current_user
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from payments.filters import PayoutFilter
from payments.models import Payout, SellerAccount
from payments.serializers.sellers import HoldSerializer, OnboardingSerializer, PayoutSerializer, SellerAccountSerializer
from payments.services import held_payouts, sellers

if TYPE_CHECKING:
    from collections.abc import Callable

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
class PayoutViewSet(ParseBodyMixin, ListModelMixin, GenericViewSet):
    """List your payouts, newest first. Staff see all payouts."""

    serializer_class = PayoutSerializer
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Payout.objects.none()
    filterset_class = PayoutFilter

    def get_queryset(self) -> QuerySet[Payout]:
        """Return the payouts that the caller may see."""
        user = current_user(self.request)
        payouts = Payout.objects.select_related("order__product", "seller")
        return payouts if user.is_staff else payouts.filter(seller_id=user.pk)

    @extend_schema(summary="Hold payouts", request=HoldSerializer, responses={200: PayoutSerializer})
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, pk: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Hold this payout and every other to its seller that is not paid yet. For staff."""
        return self._decide(request, held_payouts.hold)

    @extend_schema(summary="Release payouts", request=HoldSerializer, responses={200: PayoutSerializer})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Release this payout and every other to its seller. For staff."""
        return self._decide(request, held_payouts.release)

    def _decide(self, request: Request, decide: Callable[..., Payout]) -> Response:
        payout = self.get_object()
        body = read_body(HoldSerializer, request)
        decide(payout_id=payout.pk, actor=current_user(request), reason=body["reason"])
        return Response(self.get_serializer(self.get_object()).data)
