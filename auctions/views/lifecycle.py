"""Actions that close, extend, relist and resell an auction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.idempotency import IDEMPOTENCY_KEY_HEADER, idempotent_response
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from auctions import queries
from auctions.serializers.lifecycle import (
    BuyNowSerializer,
    CloseAuctionSerializer,
    ClosedAuctionSerializer,
    ExtendAuctionSerializer,
    ExtendedAuctionSerializer,
    ReasonSerializer,
    SecondChanceSerializer,
)
from auctions.serializers.products import ProductDetailSerializer, RelistProductSerializer
from auctions.services import buying, closing, relisting, second_chance

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request
    from rest_framework.serializers import Serializer


def _post(
    summary: str,
    answer: type[Serializer],
    *,
    body: type[Serializer] | None = None,
    status: int = 200,
    once: bool = False,
) -> Callable[[Any], Any]:
    """Make a method a POST action on one product, with its schema; `once`: with an Idempotency-Key."""
    parameters = [IDEMPOTENCY_KEY_HEADER] if once else None
    schema = extend_schema(summary=summary, parameters=parameters, request=body, responses={status: answer})
    return lambda method: schema(action(detail=True, methods=["post"])(method))


class LifecycleActions(ParseBodyMixin, GenericViewSet):
    """The actions of ProductViewSet other than reading, editing and watching."""

    @_post("Close an auction", ClosedAuctionSerializer, body=CloseAuctionSerializer)
    def close_auction(self, request: Request, pk: str) -> Response:
        """Close an auction before its end, as its seller or staff."""
        body = read_body(CloseAuctionSerializer, request)
        auction = closing.close_auction(product_id=int(pk), actor=current_user(request), **body)
        return Response(ClosedAuctionSerializer(auction).data)

    @_post("Cancel an auction", ClosedAuctionSerializer, body=ReasonSerializer)
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an auction without a winner: staff at any time, with a reason; the seller before the first bid."""
        body = read_body(ReasonSerializer, request)
        auction = closing.cancel_auction(product_id=int(pk), actor=current_user(request), **body)
        return Response(ClosedAuctionSerializer(auction).data)

    @_post("Extend an auction", ExtendedAuctionSerializer, body=ExtendAuctionSerializer)
    def extend(self, request: Request, pk: str) -> Response:
        """Move the end of an auction to a later time, for example after an outage. Only for staff."""
        body = read_body(ExtendAuctionSerializer, request)
        auction = closing.extend_auction(product_id=int(pk), actor=current_user(request), **body)
        return Response(ExtendedAuctionSerializer(auction).data)

    @_post("Buy a product now", ClosedAuctionSerializer, body=BuyNowSerializer, once=True)
    def buy_now(self, request: Request, pk: str) -> Response:
        """Buy a product at its buy-now price, which the body names as you saw it. This closes the auction.

        If the price has changed, nothing is bought: 409 `price_changed` contains the new price and total.
        """
        body = read_body(BuyNowSerializer, request)
        buy = partial(buying.buy_now, product_id=int(pk), buyer=current_user(request), **body)
        return self._once(request, lambda: ClosedAuctionSerializer(buy()).data, **body)

    @_post("Accept a price below the reserve", ClosedAuctionSerializer, once=True)
    def accept_below_reserve(self, request: Request, pk: str) -> Response:
        """Sell at the final price although the reserve was not met. Only for the seller, within 48 hours."""
        accept = partial(closing.accept_below_reserve, product_id=int(pk), actor=current_user(request))
        return self._once(request, lambda: ClosedAuctionSerializer(accept()).data)

    @_post("Relist a product", ProductDetailSerializer, body=RelistProductSerializer, status=201, once=True)
    def relist(self, request: Request, pk: str) -> Response:
        """List an unsold product again, with the changes in the body. Only for the seller. Returns the new product."""
        changes = read_body(RelistProductSerializer, request)
        relist = partial(relisting.relist, product_id=int(pk), actor=current_user(request), changes=changes)
        return self._once(request, lambda: self._detail(request, relist().pk), status=201, **changes)

    @_post("Offer a second chance", SecondChanceSerializer, status=201, once=True)
    def offer_second_chance(self, request: Request, pk: str) -> Response:
        """Offer a product whose buyer did not pay to the next bidder, as its seller or staff."""
        offer = partial(second_chance.offer, product_id=int(pk), actor=current_user(request))
        return self._once(request, lambda: SecondChanceSerializer(offer()).data, status=201)

    @_post("Accept a second chance", ClosedAuctionSerializer, once=True)
    def accept_second_chance(self, request: Request, pk: str) -> Response:
        """Buy the product at the offered amount. Only for the bidder who got the offer, within 24 hours."""
        accept = partial(second_chance.accept, product_id=int(pk), bidder=current_user(request))
        return self._once(request, lambda: ClosedAuctionSerializer(accept()).data)

    @_post("Decline a second chance", SecondChanceSerializer)
    def decline_second_chance(self, request: Request, pk: str) -> Response:
        """Decline a second-chance offer."""
        offer = second_chance.decline(product_id=int(pk), bidder=current_user(request))
        return Response(SecondChanceSerializer(offer).data)

    def _once(
        self, request: Request, work: Callable[[], dict[str, Any]], *, status: int = 200, **parameters: Any
    ) -> Response:
        named = {"product": int(self.kwargs["pk"]), **parameters}
        return idempotent_response(request, operation=str(self.action), status=status, work=work, **named)

    @staticmethod
    def _detail(request: Request, product_id: int) -> dict[str, Any]:
        row = queries.get_product_detail(product_id=product_id, user=current_user(request))
        return dict(ProductDetailSerializer(row).data)
