"""The cards one keeps for later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotency_key
from auctioncraft.api.parse_body import ParseBodyMixin
from payments import serializers
from payments.models import SavedCard
from payments.services import cards

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class CardViewSet(ParseBodyMixin, ListModelMixin, GenericViewSet):
    """The caller's own saved cards, the newest first. Another's is not found."""

    queryset = SavedCard.objects.none()
    serializer_class = serializers.CardSerializer
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[SavedCard]:
        """Return what the caller may see."""
        return SavedCard.objects.filter(user_id=current_user(self.request).pk)

    @extend_schema(parameters=[IDEMPOTENCY_KEY_HEADER], request=None, responses={200: serializers.CardSetupSerializer})
    @action(detail=False, methods=["post"], url_path="setup")
    def begin_setup(self, request: Request) -> Response:
        """Begin to save a card: a SetupIntent for Stripe.js. Its number goes from the browser to Stripe, not to us."""
        begun = cards.start_card_setup(user_id=current_user(request).pk, idempotency_key=idempotency_key(request))
        return Response(
            {
                "client_secret": begun.client_secret,
                "setup_intent_id": begun.id,
                "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
            }
        )

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY_HEADER],
        request=serializers.SaveCardSerializer,
        responses={201: serializers.CardSerializer},
    )
    def create(self, request: Request) -> Response:
        """Keep the card that Stripe.js has saved, without waiting for Stripe's event. Repeated, the same card."""
        asked = serializers.SaveCardSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        key = idempotency_key(request)
        saved = cards.save_card(user_id=current_user(request).pk, idempotency_key=key, **asked.validated_data)
        return Response(self.get_serializer(saved).data, status=201)

    @extend_schema(request=serializers.UpdateCardSerializer, responses=serializers.CardSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Have one's wins charged to this card at once, or not any more."""
        asked = serializers.UpdateCardSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        charge = asked.validated_data["charge_when_winning"]
        card = cards.set_auto_charge(user_id=current_user(request).pk, card_id=int(pk), charge=charge)
        return Response(self.get_serializer(card).data)

    @extend_schema(responses={204: OpenApiResponse(description="Removed, at Stripe too.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove a card, at Stripe first: if Stripe is away, nothing is changed."""
        cards.remove_card(user_id=current_user(request).pk, card_id=int(pk))
        return Response(status=204)
