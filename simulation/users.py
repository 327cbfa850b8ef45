"""The users, and how they decide from what the API shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from accounts.models import User
from auctioncraft.core import money

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

# How reliable and unreliable buyers pay their orders, by weight.
RELIABLE: Final = {"soon": 75, "in the last hour": 10, "after it is due": 3, "declined first": 10, "never": 2}
UNRELIABLE: Final = {"soon": 30, "never": 45, "opened, never paid": 10, "too late": 5, "by bank debit": 10}


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A product as its page shows it; amounts in `currency`. `buy_now` is None when it is not available."""

    status: str
    currency: str
    price: Decimal | None
    minimum: Decimal
    buy_now: Decimal | None
    starts_at: datetime
    ends_at: datetime
    is_leader: bool


@dataclass(frozen=True, slots=True)
class BidRequest:
    """The amounts of a bid, as place_bid takes them."""

    amount: Decimal | None = None
    max_amount: Decimal | None = None

    @property
    def limit(self) -> Decimal:
        """The most that the bidder may pay."""
        limit = self.max_amount or self.amount
        assert limit is not None  # noqa: S101 (one of them is given)  # nosec B101
        return limit


@dataclass(eq=False, slots=True)
class SimulatedUser:
    """A user with a bidding strategy."""

    account: User
    strategy: str
    is_reliable: bool
    is_under_review: bool = False
    # By product: the highest limit bid so far.
    limits: dict[int, Decimal] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.account.display_name

    @property
    def pk(self) -> int:
        """The user's ID."""
        return self.account.pk


class Users:
    """All users of a run: sellers, bidders and one member of staff."""

    def __init__(self, *, auctions: int, rng: Random, since: datetime) -> None:
        """Create enough users for the number of auctions."""
        self._since = since
        self.sellers = [self._create("seller", number, rng) for number in range(max(3, min(60, auctions // 20)))]
        self.bidders = [self._create("bidder", number, rng) for number in range(max(12, min(300, auctions // 6)))]
        self.staff = self._create("staff", 0, rng)
        self._by_id = {user.pk: user for user in (*self.sellers, *self.bidders, self.staff)}

    def __getitem__(self, user_id: int) -> SimulatedUser:
        """Return a user by ID."""
        return self._by_id[user_id]

    def pick_visitors(self, rng: Random, size: int) -> list[SimulatedUser]:
        """Return random visitors of a product; a few are sellers, perhaps of this product."""
        found = rng.sample(self.bidders, min(size, len(self.bidders)))
        return [rng.choice(self.sellers) if rng.random() < 0.04 else user for user in found]

    def _create(self, role: str, number: int, rng: Random) -> SimulatedUser:
        user = User.objects.create_user(
            f"{role}{number}@example.com",
            display_name=f"{role} {number}",
            is_staff=role == "staff",
            created_at=self._since,
            email_verified_at=self._since,
        )
        return SimulatedUser(user, strategy=rng.choice(tuple(STRATEGIES)), is_reliable=rng.random() < 0.8)


def _incremental(page: ProductPage, valuation: Decimal, rng: Random) -> BidRequest | None:
    """Bid the minimum, or a little more, again and again."""
    if page.is_leader or page.minimum > valuation:
        return None
    more = page.minimum * Decimal(rng.choice(("1", "1", "1.02", "1.05")))
    return BidRequest(amount=min(valuation, max(page.minimum, money.round_to_charge_unit(more, page.currency))))


def _proxy(page: ProductPage, valuation: Decimal, rng: Random) -> BidRequest | None:
    """Bid the valuation as a maximum once; perhaps raise it later."""
    if page.is_leader:
        return BidRequest(max_amount=money.round_to_charge_unit(valuation * Decimal("1.1"), page.currency))
    if page.minimum > valuation:
        return None
    return (
        BidRequest(amount=page.minimum, max_amount=valuation)
        if rng.random() < 0.2
        else BidRequest(max_amount=valuation)
    )


def _jump(page: ProductPage, valuation: Decimal, rng: Random) -> BidRequest | None:
    """Deter others with a high bid."""
    if page.is_leader or page.minimum > valuation:
        return None
    part = Decimal(rng.randrange(1, 8)) / 10
    amount = max(
        page.minimum, money.round_to_charge_unit(page.minimum + (valuation - page.minimum) * part, page.currency)
    )
    return BidRequest(amount=amount, max_amount=max(valuation, amount) if rng.random() < 0.4 else None)


# A sniper bids a maximum, just before the end.
STRATEGIES: Final[dict[str, Callable[[ProductPage, Decimal, Random], BidRequest | None]]] = {
    "incremental": _incremental,
    "proxy": _proxy,
    "jump": _jump,
    "sniper": _proxy,
}
