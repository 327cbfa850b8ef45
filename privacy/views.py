"""The user's own account over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.authentication import current_user, session_id_of
from accounts.serializers import ChangeEmailSerializer, ConfirmEmailSerializer, DetailSerializer
from accounts.services import confirmation, email_change
from accounts.views import CODE_SENT
from auctioncraft.api.parse_body import ParseBodyMixin, read_body
from auctioncraft.api.throttling import BY_METHOD
from auctioncraft.api.viewsets import NoStoreViewSet
from auctioncraft.core.client_ip import client_ip
from privacy import serializers
from privacy.services import account_settings, erasure, export

if TYPE_CHECKING:
    from rest_framework.request import Request


class MyAccountViewSet(ParseBodyMixin, NoStoreViewSet):
    """The user's own account."""

    throttle_scope: str | None = BY_METHOD

    @extend_schema(responses=serializers.AccountSerializer)
    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        """Show your account."""
        return Response(serializers.AccountSerializer(current_user(request)).data)

    @extend_schema(request=serializers.UpdateAccountSerializer, responses=serializers.AccountSerializer)
    @me.mapping.patch
    def update_me(self, request: Request) -> Response:
        """Change the display name, the password, or the notification preferences.

        A new password requires the current one or, if there is none, a code from POST `/api/users/me/code/`, and ends
        all sessions, this one included. 400 if `notifications` names a kind that cannot be switched off; kinds that it
        does not name keep their preference; 403 `email_not_verified` before the address was verified by a code. 400
        `display_name_reserved` or `display_name_taken` if the name pretends to be this site or a seller.
        """
        body = read_body(serializers.UpdateAccountSerializer, request)
        user = account_settings.update_account(user=current_user(request), **body)
        return Response(serializers.AccountSerializer(user).data)

    @extend_schema(
        request=serializers.DeleteAccountSerializer, responses={204: OpenApiResponse(description="Account deleted.")}
    )
    @me.mapping.delete
    def delete_me(self, request: Request) -> Response:
        """Delete your account for good. Requires the password, if there is one.

        Bids and sales stay on record under the name "deleted member". 409 `account_in_use` while something is in
        progress, with all `reasons`: `leading`, `has_bids` (on your own auction) and `second_chance`, each with its
        `product`; `unpaid_order` (as buyer or seller) and `payout_due`, each with its `order`; `staff`.
        """
        erasure.erase_account(user=current_user(request), **read_body(serializers.DeleteAccountSerializer, request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=serializers.ExportSerializer)
    @action(detail=False, methods=["get"], url_path="me/export", throttle_scope="export")
    def export(self, request: Request) -> Response:
        """Export all data about you as one JSON file, twice an hour at most."""
        response = Response(serializers.ExportSerializer(export.export_account(user=current_user(request))).data)
        response.headers["Content-Disposition"] = 'attachment; filename="auctioncraft-export.json"'
        return response

    @extend_schema(request=None, responses=DetailSerializer)
    @action(detail=False, methods=["post"], url_path="me/code")
    def request_code(self, request: Request) -> Response:
        """Email a code to your present address, to confirm a new password or address if you have no password.

        Same limits as for sign-in codes, counted apart.
        """
        confirmation.request_confirmation(user=current_user(request), ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=ChangeEmailSerializer, responses=DetailSerializer)
    @action(detail=False, methods=["post"], url_path="me/email")
    def change_email(self, request: Request) -> Response:
        """Email a code to a new address. The response does not tell whether the address has an account.

        Requires the password or, if there is none, a code that was mailed to the present address: POST
        `/api/users/me/code/`. The current address is notified. Same limits as for sign-in codes.
        """
        body = read_body(ChangeEmailSerializer, request)
        email_change.request_change(user=current_user(request), **body, ip=client_ip(request))
        return Response({"detail": CODE_SENT})

    @extend_schema(request=ConfirmEmailSerializer, responses=serializers.AccountSerializer)
    @action(detail=False, methods=["post"], url_path="me/email/confirm")
    def confirm_email(self, request: Request) -> Response:
        """Change to the new address with the code that was emailed to it. All other sessions end.

        400 `invalid_code` if the code is wrong, used or expired; 429 after five wrong codes.
        """
        body = read_body(ConfirmEmailSerializer, request)
        user = email_change.confirm_change(
            user=current_user(request), **body, session_id=session_id_of(request), ip=client_ip(request)
        )
        return Response(serializers.AccountSerializer(user).data)
