"""Load the demo data through the services, as the API would.

It is safe to run again: accounts are found by e-mail address, categories by slug, products by seller and name. Each
product is one transaction with its bids, so an interrupted load continues where it stopped.
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
from django.utils.text import slugify

from accounts.models import User
from auctioncraft.core import clock
from auctions.demo import content
from auctions.demo.illustrations import draw
from auctions.errors import CardRequired
from auctions.models import Auction, Category, Product, ProductImage
from auctions.services import bidding, categories, closing, images, listing, watching
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from auctions.demo.content import DemoProduct

# How often load() calls `on_progress`.
STEPS: Final = len(content.PRODUCTS) + 1 + len(content.ENDING_SOON)
# When the first of ENDING_SOON ends, and the time between two of them. Longer than the soft close window, or the demo's
# own bids would extend them.
FIRST_ENDS_AFTER, ENDS_APART = timedelta(seconds=150), timedelta(seconds=80)
# The number of bids on a product is one of these.
BID_COUNTS, BID_COUNTS_ENDING_SOON = (0, 1, 2, 3, 3, 4, 4, 5, 6, 7), (2, 3, 4, 5)
# The share of the products that the buyer watches.
WATCHED_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result: how many products were added, and the one that the buyer has to pay, if any."""

    added: int
    unpaid_product_id: int | None


@dataclass(frozen=True, slots=True)
class _Accounts:
    """The demo's accounts, and its categories' ids by name."""

    sellers: Sequence[User]
    bidders: Sequence[User]
    buyer: User
    categories: dict[str, int]


def load(*, on_progress: Callable[[str], None]) -> Loaded:
    """Load what is missing. Call `on_progress` with the name of each product, STEPS times in all.

    ENDING_SOON is listed again when all of its auctions have ended; UNPAID_PRODUCT when it was paid or its payment
    window is over. Suspended and disabled demo accounts do not bid, and no bid needs a card
    (CARD_REQUIRED_ABOVE).
    """
    accounts = _get_accounts()
    _restore_missing_images(accounts)
    existing = set(Product.objects.filter(seller__in=accounts.sellers).order_by().values_list("seller_id", "name"))
    added = 0
    for item in content.PRODUCTS:
        on_progress(item.name)
        if (accounts.sellers[item.seller].pk, item.name) not in existing:
            _list_product_with_bids(accounts, item)
            added += 1
    on_progress(content.UNPAID_PRODUCT.name)
    unpaid = _find_unpaid_product(accounts)
    if unpaid is None and _may_bid(accounts.buyer):
        with suppress(CardRequired):
            unpaid = _sell_to_buyer(accounts)
            added += 1
    list_again = not _has_open_ending_soon(accounts)
    for position, item in enumerate(content.ENDING_SOON):
        on_progress(item.name)
        if list_again:
            _list_product_with_bids(accounts, item, ends_at=clock.now() + FIRST_ENDS_AFTER + position * ENDS_APART)
            added += 1
    categories.count_open_products()
    return Loaded(added, unpaid)


def _get_accounts() -> _Accounts:
    users = _get_or_create_users()
    return _Accounts(
        sellers=[users[email] for email in content.SELLERS],
        bidders=[users[email] for email in content.BIDDERS if _may_bid(users[email])],
        buyer=users[content.BUYER],
        categories=_get_or_create_categories(),
    )


def _may_bid(user: User) -> bool:
    return user.is_active and user.strikes < settings.STRIKES_BEFORE_BAN


def _get_or_create_users() -> dict[str, User]:
    """Return the demo's accounts by e-mail address. Existing accounts are not changed."""
    names = {content.STAFF: "AuctionCraft staff", content.BUYER: "Robin Buyer"}
    names |= content.SELLERS | content.BIDDERS
    found: dict[str, User] = {user.email: user for user in User.objects.filter(email__in=names)}
    if missing := names.keys() - found:
        # Hashing is slow: once for all accounts, and before the transaction.
        hashed = make_password(content.PASSWORD)
        with transaction.atomic():
            for email in (email for email in names if email in missing):
                found[email] = _create_user(email, names[email], hashed)
    return found


def _create_user(email: str, display_name: str, hashed: str) -> User:
    # Verified, or the first one-time code would remove the password (accounts.services.otp).
    # Not new: the limits of new accounts are for strangers.
    since = clock.now() - timedelta(days=30)
    if email == content.STAFF:
        user = User.objects.create_superuser(email, display_name=display_name, created_at=since)
    else:
        user = User.objects.create_user(
            email, display_name=display_name, created_at=since, email_verified_at=clock.now()
        )
    user.set_password_hash(hashed)
    user.save(update_fields=["password", "token_version"])
    return user


def _get_or_create_categories() -> dict[str, int]:
    """Return the ids of the demo's categories by name."""
    existing: dict[str, Category] = {category.slug: category for category in Category.objects.all()}

    def get_or_create(name: str, parent: Category | None) -> Category:
        slug = slugify(name)
        return existing.get(slug) or categories.save_category(category=Category(), name=name, slug=slug, parent=parent)

    ids: dict[str, int] = {}
    for top, below in content.CATEGORIES.items():
        parent = get_or_create(top, None)
        ids |= {top: parent.pk} | {name: get_or_create(name, parent).pk for name in below}
    return ids


def _restore_missing_images(accounts: _Accounts) -> None:
    """Draw the images again whose files are missing from the storage."""
    items = {item.name: item for item in (*content.PRODUCTS, content.UNPAID_PRODUCT, *content.ENDING_SOON)}
    products = Product.objects.filter(seller__in=accounts.sellers, name__in=items).exclude(thumbnail="").order_by("pk")
    for pk, name, thumbnail in products.values_list("pk", "name", "thumbnail"):
        if default_storage.exists(thumbnail):
            continue
        with images.stored_image(draw(items[name].illustration)) as files, transaction.atomic():
            auction, now = lock_or_404(pk)
            ProductImage.objects.filter(product=pk, thumbnail=thumbnail).delete()
            images.attach_image(product=auction.product, files=files, at=now)


def _list_product_with_bids(accounts: _Accounts, item: DemoProduct, ends_at: datetime | None = None) -> None:
    rng = Random(item.name)  # noqa: S311 (the same demo every time)  # nosec B311
    with images.stored_image(draw(item.illustration)) as files, transaction.atomic():
        product = _list_product(accounts, item, files, ends_at)
        if item.starts_in is None:
            # Not the buyer on ENDING_SOON, who would win products that the tour does not expect.
            bidders = (
                accounts.bidders if ends_at or not _may_bid(accounts.buyer) else (*accounts.bidders, accounts.buyer)
            )
            _place_bids(product, bidders, rng, count=rng.choice(BID_COUNTS_ENDING_SOON if ends_at else BID_COUNTS))
        if rng.random() < WATCHED_SHARE:
            watching.watch(product_id=product.pk, user=accounts.buyer)


def _list_product(
    accounts: _Accounts, item: DemoProduct, files: images.ImageFiles, ends_at: datetime | None = None
) -> Product:
    starts_at = clock.now() + item.starts_in if item.starts_in else None
    product = listing.create_product(
        seller=accounts.sellers[item.seller],
        name=item.name,
        description=item.description,
        category_id=accounts.categories[item.category],
        currency=item.currency,
        starting_bid=item.starting_bid,
        reserve_price=_amount(item.reserve),
        buy_now_price=_amount(item.buy_now),
        bid_increment=_amount(item.increment),
        shipping=_amount(item.shipping),
        starts_at=starts_at,
        ends_at=ends_at or (starts_at or clock.now()) + item.duration,
    )
    images.attach_image(product=product, files=files, at=clock.now())
    return product


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _place_bids(product: Product, bidders: Sequence[User], rng: Random, *, count: int) -> None:
    """Place bids at or above the minimum, most of them by proxy, each by someone who is not the leader."""
    terms = product.terms()
    minimum, leader = terms.starting_bid, None
    for _ in range(count):
        others = [user for user in bidders if user.pk != leader]
        if not others:
            return
        bidder = rng.choice(others)
        amount = minimum + terms.step(minimum) * rng.randint(0, 12)
        by_proxy = rng.random() < 0.75
        try:
            state = bidding.place_bid(
                product_id=product.pk,
                bidder_id=bidder.pk,
                amount=None if by_proxy else amount,
                max_amount=amount if by_proxy else None,
            )["product"]
        except CardRequired:
            return
        minimum = Decimal(state["minimum_bid"])
        leader = bidder.pk if state["is_leading"] else leader


def _find_unpaid_product(accounts: _Accounts) -> int | None:
    sold = Auction.objects.filter(
        product__name=content.UNPAID_PRODUCT.name,
        product__seller=accounts.sellers[0],
        winner=accounts.buyer,
        paid_at__isnull=True,
        closed_at__gt=clock.now() - settings.PAYMENT_WINDOW,
    )
    product_id: int | None = sold.order_by("-pk").values_list("pk", flat=True).first()
    return product_id


def _sell_to_buyer(accounts: _Accounts) -> int:
    rng = Random(content.UNPAID_PRODUCT.name)  # noqa: S311 (the same demo every time)  # nosec B311
    with images.stored_image(draw(content.UNPAID_PRODUCT.illustration)) as files, transaction.atomic():
        product = _list_product(accounts, content.UNPAID_PRODUCT, files)
        _place_bids(product, accounts.bidders, rng, count=5)
        auction = Auction.objects.get(pk=product.pk)
        # Above every hidden maximum: of two equal ones the earlier wins.
        max_amount = (auction.leader_max or product.starting_bid) * 2
        bidding.place_bid(product_id=product.pk, bidder_id=accounts.buyer.pk, max_amount=max_amount)
        closing.close_auction(product_id=product.pk, actor=accounts.sellers[0])
    return product.pk


def _has_open_ending_soon(accounts: _Accounts) -> bool:
    names = [item.name for item in content.ENDING_SOON]
    return bool(Product.objects.filter(seller__in=accounts.sellers, name__in=names).with_status("open").exists())
