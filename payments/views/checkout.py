"""The checkout and saved cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from auctioncraft.api.throttling import BY_METHOD
from auctioncraft.core import clock
from payments.models import SavedCard
from payments.serializers.checkout import (
    CardSerializer,
    CardSetupSerializer,
    CheckoutSerializer,
    CreatePaymentIntentSerializer,
    PaymentConfigSerializer,
    SaveCardSerializer,
    UpdateCardSerializer,
)
from payments.services import cards, checkout

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class PaymentViewSet(ViewSet):
    """Pay for products that you have won."""

    @extend_schema(
        summary="Create a PaymentIntent",
        request=CreatePaymentIntentSerializer,
        parameters=[IDEMPOTENCY_KEY_HEADER],
        responses={200: CheckoutSerializer},
    )
    @action(detail=False, methods=["post"], url_path="create-payment-intent")
    def create_payment_intent(self, request: Request) -> Response:
        """Create the PaymentIntent of a product that you have won, or return the open one."""
        body = read_body(CreatePaymentIntentSerializer, request)
        result = checkout.create_payment_intent(
            product_id=body["product_id"],
            user_id=current_user(request).pk,
            idempotency_key=idempotency_key(request),
        )
        context = {"request": request, "now": clock.now()}
        return Response(CheckoutSerializer(result, context=context).data)

    @extend_schema(summary="Retrieve the payment configuration", responses={200: PaymentConfigSerializer}, auth=[])
    @action(detail=False, methods=["get"], authentication_classes=(), permission_classes=(AllowAny,))
    def config(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Return the public configuration of payments."""
        return Response(PaymentConfigSerializer(settings).data)


@extend_schema_view(list=extend_schema(summary="List saved cards"))
class CardViewSet(ParseBodyMixin, ListModelMixin, GenericViewSet):
    """List your saved cards, newest first."""

    queryset = SavedCard.objects.none()
    serializer_class = CardSerializer
    lookup_value_regex = "[0-9]{1,18}"
    throttle_scope: str | None = BY_METHOD

    def get_queryset(self) -> QuerySet[SavedCard]:
        """Return the caller's cards."""
        return SavedCard.objects.filter(user_id=current_user(self.request).pk)

    @extend_schema(
        summary="Create a card setup",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=None,
        responses={200: CardSetupSerializer},
    )
    # Stolen cards are tested by saving them: https://docs.stripe.com/disputes/prevention/card-testing
    @action(detail=False, methods=["post"], url_path="setup", throttle_scope="sign_in")
    def begin_setup(self, request: Request) -> Response:
        """Create a SetupIntent to save a card with Stripe.js. The card number goes from the browser to Stripe.

        403 `email_not_verified` before the address was verified by a code.
        """
        setup = cards.start_card_setup(user_id=current_user(request).pk, idempotency_key=idempotency_key(request))
        return Response(CardSetupSerializer(setup).data)

    @extend_schema(
        summary="Save a card",
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=SaveCardSerializer,
        responses={201: CardSerializer},
    )
    def create(self, request: Request) -> Response:
        """Save the card of a SetupIntent that Stripe.js has confirmed. Repeating it returns the same card."""
        body = read_body(SaveCardSerializer, request)
        key = idempotency_key(request)
        saved = cards.save_card(user_id=current_user(request).pk, idempotency_key=key, **body)
        return Response(self.get_serializer(saved).data, status=201)

    @extend_schema(summary="Update a card", request=UpdateCardSerializer, responses=CardSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Turn automatic charges of this card on or off."""
        body = read_body(UpdateCardSerializer, request)
        charge = body["charge_when_winning"]
        card = cards.set_auto_charge(user_id=current_user(request).pk, card_id=int(pk), charge=charge)
        return Response(self.get_serializer(card).data)

    @extend_schema(summary="Remove a card", responses={204: OpenApiResponse(description="Removed.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a card here and at Stripe. If Stripe does not answer, nothing changes."""
        cards.remove_card(user_id=current_user(request).pk, card_id=int(pk))
        return Response(status=204)
