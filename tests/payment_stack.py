"""A server stack with a Stripe double as a process, which delivers its webhooks to the stack's web server."""

from __future__ import annotations

import socket
from contextlib import suppress
from decimal import Decimal
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import requests

from auctions.services import closing
from auctions.services.bidding import place_bid
from payments.models import Order
from tests import factories, servers

if TYPE_CHECKING:
    from accounts.models import User

KEY = ("sk_test_double", "")


class PaymentStack:
    """`web` is the port of the web server, `stripe` the URL of the double."""

    def __init__(self, stack: servers.ServerStack, **stripe: str) -> None:
        """Start the double. It retries webhooks while the web server is down."""
        self.stack, self.web, port = stack, servers.free_port(), servers.free_port()
        self.stripe = f"http://127.0.0.1:{port}"
        stack.environment |= {
            "STRIPE_API_BASE": self.stripe,
            "STRIPE_SECRET_KEY": KEY[0],
            "STRIPE_WEBHOOK_SECRET": "whsec_of_the_house",
        }
        self.double = stack.start(
            *("stripe", "stripe_double", "--port", str(port), "--db", str(stack.folder / "stripe.sqlite3")),
            *("--webhook-url", f"http://127.0.0.1:{self.web}/api/stripe/webhook/"),
            **stripe,
        )

        def listens() -> bool:
            assert self.double.poll() is None, stack.log("stripe")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        servers.wait_until(listens, says=stack.log("stripe"))

    def sale(self, seller: User, buyer: User, price: str = "19.99", **fields: Any) -> Order:
        """List a product, bid and close; return its order."""
        product = factories.product(seller, **fields)
        place_bid(product_id=product.pk, bidder_id=buyer.pk, amount=Decimal(price))
        closing.close_auction(product_id=product.pk, actor=seller)
        return Order.objects.get(product=product)

    def post(self, path: str, **params: Any) -> dict[str, Any]:
        """Call the double as the buyer's browser or Stripe's dashboard would."""
        return requests.post(self.stripe + path, data=params, auth=KEY, timeout=30).json()

    def list(self, what: str) -> list[dict[str, Any]]:
        """Return all objects of a kind that the double has."""
        return requests.get(f"{self.stripe}/v1/{what}?limit=100", auth=KEY, timeout=30).json()["data"]

    def pay(self, intent_id: str) -> dict[str, Any]:
        """Pay by card."""
        path = f"/v1/payment_intents/{intent_id}/confirm"
        return self.post(path, payment_method="pm_card_visa", return_url="https://shop.test/")

    def checkout(self, caller: servers.Client, order: Order) -> tuple[int, dict[str, Any]]:
        """Call create-payment-intent."""
        return caller.post("/api/payments/create-payment-intent/", {"product_id": order.product_id})


def quietly(call: Any) -> None:
    """Make a call; a connection that ends is no error."""
    with suppress(OSError, HTTPException):
        call()
