"""Loads the demo: through the services, so that all of it is as real as what people do.

Nothing is made twice: accounts are known by their address, categories by their slug, products by seller and name. Each
product is one transaction with its bids, so a load that is interrupted goes on where it stopped.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.text import slugify

from accounts.models import User
from auctioncraft.core import clock
from auctions.demo import content
from auctions.demo.drawings import draw_product
from auctions.errors import CardRequired
from auctions.models import Auction, Category, Product, ProductImage
from auctions.services import bidding, categories, closing, images, listing, watching
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from auctions.demo.content import Listing

# How often load() calls `advance`.
STEPS: Final = len(content.PRODUCTS) + 1 + len(content.ENDING_SOON)
# The first of the short auctions ends after this, each further one a little later. Longer than the soft close's
# window, or the demo's own bids would extend it.
FIRST_ENDS_AFTER, ENDS_APART = timedelta(seconds=150), timedelta(seconds=80)
# How many bids a product has; one of these.
BIDS, BIDS_ENDING_SOON = (0, 1, 2, 3, 3, 4, 4, 5, 6, 7), (2, 3, 4, 5)
# The part of the products that the buyer follows.
WATCHED_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: how many products it added, and the one that its buyer has won and not paid, if any."""

    added: int
    unpaid_product_id: int | None


@dataclass(frozen=True, slots=True)
class _Participants:
    """Who acts, and where."""

    sellers: Sequence[User]
    bidders: Sequence[User]
    buyer: User
    categories: dict[str, int]


def load(*, advance: Callable[[str], None]) -> Loaded:
    """Load what is missing; `advance` is told of each product as its turn comes, STEPS times in all.

    The short auctions are listed anew once all of them have ended, and the won product once it was paid or its time
    to be paid is over. A demo account that may not bid any more (suspended, disabled) does not, and nobody bids what
    they would need a card for (CARD_REQUIRED_ABOVE).
    """
    people = _participants()
    _restore_missing_images(people)
    existing = _existing_products(people)
    added = 0
    for item in content.PRODUCTS:
        advance(item.name)
        if (people.sellers[item.seller].pk, item.name) not in existing:
            _list_product_with_bids(people, item)
            added += 1
    advance(content.UNPAID_PRODUCT.name)
    won = _find_unpaid_product(people)
    if won is None and _may_bid(people.buyer):
        with suppress(CardRequired):
            won = _sell_to_buyer(people)
            added += 1
    due = not _has_open_ending_soon(people)
    for place, item in enumerate(content.ENDING_SOON):
        advance(item.name)
        if due:
            _list_product_with_bids(people, item, ends_at=clock.now() + FIRST_ENDS_AFTER + place * ENDS_APART)
            added += 1
    return Loaded(added, won)


def _participants() -> _Participants:
    users = _users()
    return _Participants(
        sellers=[users[email] for email in content.SELLERS],
        bidders=[users[email] for email in content.BIDDERS if _may_bid(users[email])],
        buyer=users[content.BUYER],
        categories=_categories(),
    )


def _may_bid(user: User) -> bool:
    return user.is_active and user.strikes < settings.STRIKES_BEFORE_BAN


def _users() -> dict[str, User]:
    """Return the demo's accounts by address, those that are missing made; existing ones are left as they are."""
    names = {content.STAFF: "AuctionCraft staff", content.BUYER: "Robin Buyer"}
    names |= content.SELLERS | content.BIDDERS
    found: dict[str, User] = {user.email: user for user in User.objects.filter(email__in=names)}
    if missing := names.keys() - found:
        # Slow on purpose, so once for all of them, and before the transaction.
        hashed = make_password(content.PASSWORD)
        with transaction.atomic():
            for email in (email for email in names if email in missing):
                found[email] = _create_user(email, names[email], hashed)
    return found


def _create_user(email: str, display_name: str, hashed: str) -> User:
    # Verified, or the first one-time code would drop the password (accounts.services.otp).
    if email == content.STAFF:
        user = User.objects.create_superuser(email, display_name=display_name)
    else:
        user = User.objects.create_user(email, display_name=display_name, email_verified_at=clock.now())
    user.set_password_hash(hashed)
    user.save(update_fields=["password", "token_version"])
    return user


def _categories() -> dict[str, int]:
    """Return the ids of the demo's categories by name, those that are missing made."""
    known: dict[str, Category] = {category.slug: category for category in Category.objects.all()}

    def ensure(name: str, parent: Category | None) -> Category:
        slug = slugify(name)
        return known.get(slug) or categories.save_category(category=Category(), name=name, slug=slug, parent=parent)

    found: dict[str, int] = {}
    for top, below in content.CATEGORIES.items():
        parent = ensure(top, None)
        found |= {top: parent.pk} | {name: ensure(name, parent).pk for name in below}
    return found


def _existing_products(people: _Participants) -> set[tuple[int, str]]:
    return set(Product.objects.filter(seller__in=people.sellers).order_by().values_list("seller_id", "name"))


def _restore_missing_images(people: _Participants) -> None:
    """Draw those anew whose file is gone, or which are from before products had pictures of their own."""
    names = [item.name for item in (*content.PRODUCTS, content.UNPAID_PRODUCT, *content.ENDING_SOON)]
    shown = Product.objects.filter(seller__in=people.sellers, name__in=names).exclude(thumbnail="").order_by("pk")
    own = Exists(ProductImage.objects.filter(product=OuterRef("pk")))
    for pk, name, thumbnail, has_own in shown.values_list("pk", "name", "thumbnail", own):
        if has_own and default_storage.exists(thumbnail):
            continue
        with images.stored_image(draw_product(name)) as files, transaction.atomic():
            auction, now = lock_or_404(pk)
            ProductImage.objects.filter(product=pk, thumbnail=thumbnail).delete()
            images.attach_image(product=auction.product, files=files, at=now)


def _list_product_with_bids(people: _Participants, item: Listing, ends_at: datetime | None = None) -> None:
    rng = Random(item.name)  # noqa: S311 (the same demo every time)  # nosec B311
    with images.stored_image(draw_product(item.name)) as files, transaction.atomic():
        product = _list_product(people, item, files, ends_at)
        if item.starts_in is None:
            # The buyer stays out of the short ones, or they would win what the tour does not expect.
            crowd = people.bidders if ends_at or not _may_bid(people.buyer) else (*people.bidders, people.buyer)
            _place_bids(product, crowd, rng, bids=rng.choice(BIDS_ENDING_SOON if ends_at else BIDS))
        if rng.random() < WATCHED_SHARE:
            watching.watch(product_id=product.pk, user=people.buyer)


def _list_product(
    people: _Participants, item: Listing, files: images.ImageFiles, ends_at: datetime | None = None
) -> Product:
    starts_at = clock.now() + item.starts_in if item.starts_in else None
    product = listing.create_product(
        seller=people.sellers[item.seller],
        name=item.name,
        description=item.description,
        category_id=people.categories[item.category],
        currency=item.currency,
        starting_bid=item.starting_bid,
        reserve_price=_amount(item.reserve),
        buy_now_price=_amount(item.buy_now),
        bid_increment=_amount(item.increment),
        shipping=_amount(item.shipping),
        starts_at=starts_at,
        ends_at=ends_at or (starts_at or clock.now()) + item.runs,
    )
    images.attach_image(product=product, files=files, at=clock.now())
    return product


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _place_bids(product: Product, crowd: Sequence[User], rng: Random, *, bids: int) -> None:
    """Have `bids` bids placed, mostly by proxy, each by somebody who does not lead, at or above the minimum."""
    terms = product.terms()
    least, leader = terms.starting_bid, None
    for _ in range(bids):
        others = [user for user in crowd if user.pk != leader]
        if not others:
            return
        bidder = rng.choice(others)
        offer = least + terms.step(least) * rng.randint(0, 12)
        proxy = rng.random() < 0.75
        try:
            stands = bidding.place_bid(
                product_id=product.pk,
                bidder_id=bidder.pk,
                amount=None if proxy else offer,
                max_amount=offer if proxy else None,
            )["product"]
        except CardRequired:
            return
        least = Decimal(stands["minimum_bid"])
        leader = bidder.pk if stands["is_leading"] else leader


def _find_unpaid_product(people: _Participants) -> int | None:
    sold = Auction.objects.filter(
        product__name=content.UNPAID_PRODUCT.name,
        product__seller=people.sellers[0],
        winner=people.buyer,
        paid_at__isnull=True,
        closed_at__gt=clock.now() - settings.PAYMENT_WINDOW,
    )
    found: int | None = sold.order_by("-pk").values_list("pk", flat=True).first()
    return found


def _sell_to_buyer(people: _Participants) -> int:
    rng = Random(content.UNPAID_PRODUCT.name)  # noqa: S311 (the same demo every time)  # nosec B311
    with images.stored_image(draw_product(content.UNPAID_PRODUCT.name)) as files, transaction.atomic():
        product = _list_product(people, content.UNPAID_PRODUCT, files)
        _place_bids(product, people.bidders, rng, bids=5)
        auction = Auction.objects.get(pk=product.pk)
        # Above every hidden maximum: the earlier of two equal ones would win.
        most = (auction.leader_max or product.starting_bid) * 2
        bidding.place_bid(product_id=product.pk, bidder_id=people.buyer.pk, max_amount=most)
        closing.close_auction(product_id=product.pk, actor=people.sellers[0])
    return product.pk


def _has_open_ending_soon(people: _Participants) -> bool:
    names = [item.name for item in content.ENDING_SOON]
    return bool(Product.objects.filter(seller__in=people.sellers, name__in=names).with_status("open").exists())
