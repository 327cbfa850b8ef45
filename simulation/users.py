"""Who is on the market, and how they decide: on what the API shows them, and what they know of themselves."""

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

# How an order is paid, and how likely each is for whoever means to pay and whoever does not.
HONEST: Final = {"soon": 75, "in the last hour": 10, "after it is due": 3, "declined first": 10, "never": 2}
CARELESS: Final = {"soon": 30, "never": 45, "opened, never paid": 10, "too late": 5, "by bank debit": 10}


@dataclass(frozen=True, slots=True)
class Seen:
    """A product as its page shows it; money in `currency`. `buy_now` is there while it can be bought."""

    status: str
    currency: str
    price: Decimal | None
    minimum: Decimal
    buy_now: Decimal | None
    starts_at: datetime
    ends_at: datetime
    leading: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody bids: place_bid's arguments."""

    amount: Decimal | None = None
    max_amount: Decimal | None = None

    @property
    def most(self) -> Decimal:
        """What it may cost."""
        most = self.max_amount or self.amount
        assert most is not None  # noqa: S101 (one of them is given)  # nosec B101
        return most


@dataclass(eq=False, slots=True)
class Person:
    """An account with a character."""

    user: User
    strategy: str
    honest: bool
    awaits_review: bool = False
    # By product: the highest they have offered.
    offered: dict[int, Decimal] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.user.display_name

    @property
    def pk(self) -> int:
        """The account's."""
        return self.user.pk


class People:
    """Everybody, made through the accounts' own manager."""

    def __init__(self, *, auctions: int, rng: Random, since: datetime) -> None:
        """Make as many as so many auctions need."""
        self._since = since
        self.sellers = [self._person("seller", number, rng) for number in range(max(3, min(60, auctions // 20)))]
        self.bidders = [self._person("bidder", number, rng) for number in range(max(12, min(300, auctions // 6)))]
        self.staff = self._person("staff", 0, rng)
        self._by_id = {person.pk: person for person in (*self.sellers, *self.bidders, self.staff)}

    def __getitem__(self, user_id: int) -> Person:
        """Return who has this account."""
        return self._by_id[user_id]

    def crowd(self, rng: Random, size: int) -> list[Person]:
        """Return so many who are interested in one product: some of them sell as well, perhaps this very product."""
        found = rng.sample(self.bidders, min(size, len(self.bidders)))
        return [rng.choice(self.sellers) if rng.random() < 0.04 else person for person in found]

    def _person(self, part: str, number: int, rng: Random) -> Person:
        user = User.objects.create_user(
            f"{part}{number}@example.com",
            display_name=f"{part} {number}",
            is_staff=part == "staff",
            created_at=self._since,
        )
        return Person(user, strategy=rng.choice(tuple(STRATEGIES)), honest=rng.random() < 0.8)


def _incremental(seen: Seen, worth: Decimal, rng: Random) -> Offer | None:
    """Say the minimum, or a little more, again and again."""
    if seen.leading or seen.minimum > worth:
        return None
    more = seen.minimum * Decimal(rng.choice(("1", "1", "1.02", "1.05")))
    return Offer(amount=min(worth, max(seen.minimum, money.round_half_up(more, seen.currency))))


def _proxy(seen: Seen, worth: Decimal, rng: Random) -> Offer | None:
    """Say once what it is worth and let the proxy bid; sometimes think better of it and raise."""
    if seen.leading:
        return Offer(max_amount=money.round_half_up(worth * Decimal("1.1"), seen.currency))
    if seen.minimum > worth:
        return None
    return Offer(amount=seen.minimum, max_amount=worth) if rng.random() < 0.2 else Offer(max_amount=worth)


def _jump(seen: Seen, worth: Decimal, rng: Random) -> Offer | None:
    """Frighten the others off with a high open bid."""
    if seen.leading or seen.minimum > worth:
        return None
    part = Decimal(rng.randrange(1, 8)) / 10
    amount = max(seen.minimum, money.round_half_up(seen.minimum + (worth - seen.minimum) * part, seen.currency))
    return Offer(amount=amount, max_amount=max(worth, amount) if rng.random() < 0.4 else None)


# A sniper bids by proxy, at the last moment.
STRATEGIES: Final[dict[str, Callable[[Seen, Decimal, Random], Offer | None]]] = {
    "incremental": _incremental,
    "proxy": _proxy,
    "jump": _jump,
    "sniper": _proxy,
}
