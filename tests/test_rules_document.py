"""The worked examples of docs/rules.md, run as written."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from auctioncraft.core import money
from auctioncraft.core.errors import DomainError
from auctions.formats import ascending
from auctions.models import Auction, Bid
from auctions.services import buying, closing, second_chance, voiding
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import factories

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).parents[1] / "docs" / "rules.md").read_text()
CHAPTER = PAGE.partition("## Worked examples\n")[2].partition("\n## ")[0]
EXAMPLE = re.compile(r"^(Starting bid .+)\n\n\| what happens .*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
EXAMPLES = [(terms, rows.splitlines()) for terms, rows in EXAMPLE.findall(CHAPTER)]


def test_every_example_of_the_rules_page_is_found():
    assert len(EXAMPLES) == CHAPTER.count("| what happens |") == 8


@pytest.mark.parametrize(("terms", "rows"), EXAMPLES, ids=[terms for terms, _ in EXAMPLES])
def test_example_of_the_rules_page_gives_its_results(terms, rows, seller):
    play = Play(terms, seller)
    for row in rows:
        what, *expected = (cell.strip() for cell in row.strip("|").split("|"))
        assert [play.do(what), *play.state()] == expected, what


class Play:
    """One product, its seller, and users named by a letter."""

    def __init__(self, terms, seller):
        def given(pattern):
            found = re.search(pattern + r" (\d+\.\d\d)", terms)
            return found and Decimal(found[1])

        soft = re.search(r"soft close (\d+) s and (\d+) s", terms)
        self.seller, self.people = seller, {}
        self.staff = factories.user("staff@example.com", is_staff=True)
        self.product = factories.product(
            seller,
            starting_bid=given("Starting bid"),
            reserve_price=given("reserve"),
            buy_now_price=given("buy now"),
            currency="USD",
            soft_close_window=int(soft[1]) if soft else 0,
            soft_close_extension=int(soft[2]) if soft else 0,
        )
        if "a minute before the end" in terms:
            ends_at = timezone.now() + timedelta(minutes=1)
            Auction.objects.update(ends_at=ends_at, hard_ends_at=ends_at + timedelta(days=1))

    def person(self, letter):
        if letter not in self.people:
            self.people[letter] = factories.user(f"{letter.lower()}@example.com")
        return self.people[letter]

    def letter(self, user_id):
        return next(letter for letter, user in self.people.items() if user.pk == user_id)

    def state(self):
        auction = Auction.objects.select_related("product").get()
        terms = auction.product.terms()
        minimum = ascending.minimum_bid(terms, auction.price)
        return [money.to_text(auction.price, "USD"), self.letter(auction.leader_id), money.to_text(minimum, "USD")]

    def do(self, what):
        for pattern, act in self.ACTS.items():
            if found := re.fullmatch(pattern, what):
                try:
                    return act(self, *found.groups())
                except DomainError as refusal:
                    return refusal.code
        raise AssertionError(f"the page says something new: {what}")

    def bid(self, who, amount, most):
        before = Auction.objects.get().ends_at
        outcome = auction_helpers.bid(self.product, self.person(who), amount, most)["outcome"]
        return f"{outcome}, extended" if Auction.objects.get().ends_at > before else outcome

    def buy(self, who):
        return buying.buy_now(
            product_id=self.product.pk, buyer=self.person(who), price=self.product.buy_now_price
        ).result

    def void(self, who):
        bid = Bid.objects.made_by_people().get(bidder=self.person(who))
        voiding.void_bid(product_id=self.product.pk, bid_id=bid.pk, actor=self.staff, reason="It was an error.")
        return "voided"

    def end(self):
        auction_helpers.move_end_to_past(self.product)
        assert closing.close_due() == 1
        return Auction.objects.get().result

    def accept_below_reserve(self):
        return closing.accept_below_reserve(product_id=self.product.pk, actor=self.seller).result

    def expire(self):
        Order.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        assert expiry.expire_due() == 1
        return Order.objects.get().status

    def offer(self):
        made = second_chance.offer(product_id=self.product.pk, actor=self.seller)
        return f"offered to {self.letter(made.bidder_id)} at {money.to_text(Decimal(made.amount), 'USD')}"

    def accept(self, who):
        return second_chance.accept(product_id=self.product.pk, bidder=self.person(who)).result

    def decline(self, who):
        return second_chance.decline(product_id=self.product.pk, bidder=self.person(who)).status

    ACTS = {  # noqa: RUF012 (read only)
        r"([A-E]) bids(?: ([0-9.]+),?)?(?: ?at most ([0-9.]+))?": bid,
        r"([A-E]) buys now": buy,
        r"staff void the bid of ([A-E])": void,
        r"the time is up": end,
        r"the seller accepts": accept_below_reserve,
        r"the order expires": expire,
        r"the seller offers a second chance": offer,
        r"([A-E]) accepts": accept,
        r"([A-E]) declines": decline,
    }
