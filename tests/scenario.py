"""A scenario with users in all seven roles and products in every state that an endpoint distinguishes.

It is created once per module; each test runs in a savepoint.
"""

from __future__ import annotations

import io
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import requests
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from PIL import Image
from rest_framework.test import APIClient

from accounts.models import OneTimeCode
from accounts.services import disabling, otp, tokens
from auctioncraft.core import clock
from auctions.models import Auction
from auctions.services import closing, images, second_chance
from auctions.tests import auction_helpers
from notifications.services.notification_writer import notify
from payments.errors import OrderPaid
from payments.models import Payout
from payments.services import cards, checkout
from tests import factories
from tests.time_travel import let_order_expire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from auctions.models import Product

ROLES = ("anonymous", "stranger", "seller", "bidder", "winner", "staff", "disabled")
PASSWORD = "correct horse battery"


class Scenario:
    """Users by role in `people`; `ids` has the values for the names in braces in paths and bodies.

    The products, all of the seller: `fresh` has no bid; `open` has bids of the bidder, then the winner; `below` ended
    under its reserve; `won` is sold to the winner, unpaid; `fell` was not paid, and the bidder is next; `offered` is
    the same, offered to the bidder; `paid` was paid by the winner, who also saved a card, both at the Stripe double.
    """

    def __init__(self) -> None:
        self.people: dict[str, User] = {
            role: factories.user(f"{role}@example.com", display_name=f"the {role}", is_staff=role == "staff")
            for role in ROLES[1:]
        }
        self.pairs = {
            role: tokens.sign_in(user=person, user_agent="tests", ip=None) for role, person in self.people.items()
        }
        disabling.disable_account(user=self.people["disabled"], actor=self.people["staff"], reason="A test.")
        self.ids: dict[str, Any] = {role: person.pk for role, person in self.people.items()}
        self._list()
        self._sell()
        winner = self.people["winner"]
        self._pay(winner)
        self._save_card(winner)
        notify(recipient=winner, kind="new_login", source="scenario", context={})
        self.ids |= {
            "category": factories.category().pk,
            "empty": factories.category("Empty").pk,
            "order": winner.purchases.get(product=self.ids["won"]).pk,
            "total": str(winner.purchases.get(product=self.ids["won"]).total),
            "settled": winner.purchases.get(product=self.ids["paid"], status="paid").pk,
            "payout": Payout.objects.get(order__product=self.ids["paid"]).pk,
            "notification": winner.notifications.get(kind="new_login").pk,
            "session": tokens.read_access_token(self.pairs["winner"].access).session_id,
            "refresh": self.pairs["winner"].refresh,
            "password": PASSWORD,
            "later": clock.isoformat_utc(clock.now() + timedelta(days=30)),
        }
        self._mail()

    def _list(self) -> None:
        image = images.add_image(
            product_id=self._product("fresh", buy_now_price=Decimal(70)).pk,
            actor=self.people["seller"],
            file=image_file(),
        )
        self.ids["image"] = image["id"]
        opened = self._product("open")
        self.ids["bid"] = auction_helpers.bid(opened, self.people["bidder"], "10")["bid"]["id"]
        auction_helpers.bid(opened, self.people["winner"], "20")

    def _sell(self) -> None:
        seller, bidder, winner = (self.people[role] for role in ("seller", "bidder", "winner"))
        defaulter = factories.user("defaulter@example.com")
        for name in ("fell", "offered"):
            product = self._product(name)
            auction_helpers.bid(product, bidder, "20")
            auction_helpers.bid(product, defaulter, "50")
            let_order_expire(product, seller)
        second_chance.offer(product_id=self.ids["offered"], actor=seller)
        for name, fields in (("below", {"reserve_price": Decimal(100)}), ("won", {})):
            product = self._product(name, **fields)
            auction_helpers.bid(product, bidder, "10")
            auction_helpers.bid(product, winner, "20")
            closing.close_auction(product_id=product.pk, actor=seller)
        assert Auction.objects.filter(winner=winner).count() == 1

    def _pay(self, winner: User) -> None:
        product = self._product("paid")
        auction_helpers.bid(product, winner, "20")
        closing.close_auction(product_id=product.pk, actor=self.people["seller"])
        intent_id = checkout.create_payment_intent(product_id=product.pk, user_id=winner.pk).intent.id
        _confirm(f"payment_intents/{intent_id}")
        with suppress(OrderPaid):  # the second call sees the payment
            checkout.create_payment_intent(product_id=product.pk, user_id=winner.pk)

    def _save_card(self, winner: User) -> None:
        self.ids["setup"] = cards.start_card_setup(user_id=winner.pk).id
        _confirm(f"setup_intents/{self.ids['setup']}")
        self.ids["card"] = cards.save_card(user_id=winner.pk, setup_intent_id=self.ids["setup"]).pk

    def _mail(self) -> None:
        """Create a valid code for each purpose."""
        new, purposes = "new@example.com", OneTimeCode.Purpose
        self.ids["code"] = otp.derive_code(otp.request_code(email=new, ip=None))
        reset = otp.request_code(email="winner@example.com", ip=None, purpose=purposes.RESET)
        self.ids["reset_code"] = otp.derive_code(reset)
        for role, person in self.people.items():
            change = otp.request_code(
                email=f"{role}.new@example.com", ip=None, purpose=purposes.CHANGE_EMAIL, account=person
            )
            self.ids[f"{role}_code"] = otp.derive_code(change)

    def _product(self, name: str, **fields: Any) -> Product:
        product = factories.product(self.people["seller"], name=f"The {name} thing", description="Old.", **fields)
        self.ids[name] = product.pk
        return product

    def caller(self, role: str) -> APIClient:
        """Return a client with the token of the role, or without a token for anonymous."""
        caller = APIClient(raise_request_exception=False)
        if role != "anonymous":
            caller.credentials(HTTP_AUTHORIZATION=f"Bearer {self.pairs[role].access}")
        return caller

    def send(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send as that role. Names in braces are replaced by ids; `{own_code}` is the code of the role."""
        ids = self.ids | {"own_code": self.ids.get(f"{role}_code", "000000")}
        sent: Any = {
            key: value.format(**ids) if isinstance(value, str) else value for key, value in (body or {}).items()
        }
        form = {"format": "multipart"} if "image" in sent else {}
        if form:
            sent["image"] = SimpleUploadedFile("a.png", image_file().read(), "image/png")
        return getattr(self.caller(role), method.lower())(path.format(**ids), sent or None, **form)


def _confirm(path: str) -> None:
    """Confirm with a card, as Stripe.js does in the browser."""
    url = f"{settings.STRIPE_API_BASE}/v1/{path}/confirm"
    card = {"payment_method": "pm_card_visa", "return_url": "https://shop.example/"}
    requests.post(url, data=card, auth=(settings.STRIPE_SECRET_KEY, ""), timeout=10).raise_for_status()


def image_file() -> io.BytesIO:
    """Return a small image file."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    file.seek(0)
    return file


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back the block at its end. Durable transactions may open in it, as in Django's TestCase."""
    atomic = transaction.atomic()
    atomic._from_testcase = True
    with atomic:
        try:
            yield
        finally:
            transaction.set_rollback(True)
