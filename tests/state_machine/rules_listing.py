"""Rules of the state machine for products: list, edit, delete, watch."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from auctions.services import editing, listing, watching
from tests.state_machine.machine import A_BIDDER, A_SELLER, LOT, SELLERS, Marketplace
from tests.state_machine.model_bids import US
from tests.state_machine.reference_checks import moment, money

MOST_OPEN, MOST_LOTS = 3, 14
CURRENCY = st.sampled_from(("USD", "USD", "GBP", "JPY", "KWD"))
SECONDS = st.sampled_from((None, None, 0, 30, 600, 90_000))  # the last is past the hard end
LENGTH = st.sampled_from((60, 600, 3600, 90_000, None))  # seconds


def undecided(lot):
    return lot.status == "open" and not lot.deleted


def an_undecided_lot(machine):
    return machine.any_lot(undecided)


class Listing(Marketplace):
    """Rules for products."""

    @initialize(currency=CURRENCY)
    def a_first_lot(self, currency):
        self.put_up("sue", currency, 1_00, {"ends": 600})

    @precondition(
        lambda self: len(self.market.lots) < MOST_LOTS and sum(map(self.is_open, self.market.lots)) < MOST_OPEN
    )
    @rule(
        seller=st.sampled_from(SELLERS),
        currency=CURRENCY,
        start=st.sampled_from((1, 1_00, 9_99, 100_00)),
        reserve=st.sampled_from((None, None, 0, 50, 20_00)),
        buy_now=st.sampled_from((None, None, -1, 0, 1, 30_00)),
        flat=st.sampled_from((None, None, None, 1, 33)),
        shipping=st.sampled_from((0, 4_95)),
        soft=st.tuples(SECONDS, SECONDS),
        starts=st.sampled_from((None, None, None, -300, -301, 60)),
        length=LENGTH,
    )
    def a_lot(self, seller, currency, start, reserve, buy_now, flat, shipping, soft, starts, length):
        """`reserve` and `buy_now` are above the starting bid by so much."""
        reserve = None if reserve is None else start + reserve
        buy_now = None if buy_now is None else max(start, reserve or 0) + buy_now
        times = {"starts": starts, "ends": None if length is None else length + max(starts or 0, 0)}
        more = {"reserve": reserve, "buy_now": buy_now, "flat": flat, "shipping": shipping, "soft": soft}
        self.put_up(seller, currency, start, times, **more)

    @precondition(lambda self: len(self.market.lots) < MOST_LOTS and not self.any_lot(self.is_open))
    @rule(
        seller=st.sampled_from(SELLERS),
        reserve=st.sampled_from((None, 5_00, 15_00)),
        buy_now=st.sampled_from((None, 40_00)),
        soft=st.sampled_from(((None, None), (30, 600))),
        length=LENGTH,
    )
    def another_lot(self, seller, reserve, buy_now, soft, length):
        self.put_up(seller, "USD", 1_00, {"ends": length}, reserve=reserve, buy_now=buy_now, soft=soft)

    def put_up(self, seller, currency, start, times, **more):
        times = {name: None if s is None else self.market.now + s * US for name, s in times.items()}
        amounts = {name: more[name] for name in ("reserve", "buy_now", "flat") if more.get(name) is not None}
        shipping, soft = more.get("shipping", 0), more.get("soft", (None, None))
        made = self.act(
            "list",
            lambda: self.market.put_up(
                seller, currency=currency, start=start, shipping=shipping, soft=soft, **amounts, **times
            ),
            lambda: listing.create_product(
                seller=self.people[seller],
                name="A thing",
                category_id=self.category.pk,
                currency=currency,
                starting_bid=money(start, currency),
                reserve_price=money(amounts.get("reserve"), currency),
                buy_now_price=money(amounts.get("buy_now"), currency),
                bid_increment=money(amounts.get("flat"), currency),
                shipping=money(shipping, currency),
                soft_close_window=soft[0],
                soft_close_extension=soft[1],
                **{f"{name}_at": moment(at) for name, at in times.items()},
            ),
            details=f"{seller} {currency} {start} {amounts} {soft} {times}",
            learn=_number,
        )
        return made and made[0]

    @precondition(an_undecided_lot)
    @rule(
        number=LOT,
        who=A_SELLER,
        text=st.sampled_from((None, "more", "other")),
        start=st.sampled_from((None, None, 50, 2_00)),
        buy_now=st.sampled_from((None, None, -1, 500)),
        seconds=st.sampled_from((None, None, -30, 30, 7200)),
    )
    def edit(self, number, who, text, start, buy_now, seconds):
        lot = self.lot(number, undecided)
        who, currency = self.called(who, lot), lot.terms.currency
        amounts = {"start": start, "buy_now": None if buy_now is None else lot.terms.start + buy_now}
        changes = {name: value for name, value in amounts.items() if value is not None}
        real = {
            {"start": "starting_bid", "buy_now": "buy_now_price"}[k]: money(v, currency) for k, v in changes.items()
        }
        if text is not None:
            changes["text"] = real["description"] = f"{lot.text} {text}" if text == "more" else text
        if seconds is not None:
            changes["ends"] = lot.ends + seconds * US
            real["ends_at"] = moment(changes["ends"])
        self.act(
            "edit",
            lambda: self.market.edit(lot, who, **changes),
            lambda: editing.edit_product(product_id=lot.id, actor=self.people[who], changes=real),
            [lot],
            details=f"{who} {lot.id} {changes}",
        )

    @precondition(lambda self: len(self.market.lots) > 1)
    @rule(number=LOT, who=A_SELLER)
    def delete(self, number, who):
        lot = self.lot(number)
        who = self.called(who, lot)
        self.act(
            "delete",
            lambda: self.market.delete(lot, who),
            lambda: editing.delete_product(product_id=lot.id, actor=self.people[who], reason="a mistake"),
            [lot],
            details=f"{who} {lot.id}",
        )

    @rule(number=LOT, who=A_BIDDER, on=st.booleans())
    def watch(self, number, who, on):
        lot = self.lot(number)
        who = self.called(who, lot)
        self.act(
            "watch" if on else "unwatch",
            lambda: self.market.watch(lot, who, on=on),
            lambda: (watching.watch if on else watching.unwatch)(product_id=lot.id, user=self.people[who]),
            details=f"{who} {lot.id}",
        )


def _number(lot, product):
    lot.id = product.pk
