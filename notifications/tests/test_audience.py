"""Who is told of what becomes of an auction after its bids, and in which words."""

import pytest
from django.core import mail

from auctions.models import EventOutbox
from notifications import tasks
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def lamp(seller):
    return rows.product(seller)


@pytest.fixture
def third(db):
    return factories.user("third@example.com")


def voided(product, *, bidder, former, leader=None, **data):
    public = {"amount": "12.00", "current_price": "7.00" if leader else None, "currency": "USD", **data}
    private = {
        "bidder": bidder.pk,
        "leader": leader and leader.pk,
        "former_leader": former.pk,
        "reason": "Not paid for the last three.",
        "actor": 1,
    }
    return rows.event(product, "bid_voided", public, private)


def sale(product, kind, winner):
    data = {"final_price": "12.00", "currency": "USD", "winner": product.alias_of(winner.pk)}
    return rows.event(product, kind, data, {"winner": winner.pk, "seller": product.seller_id})


VOIDED = "A bid on “A lamp” was voided"
NOW = "The price is now 7.00 USD. The reason: Not paid for the last three."
NONE = "There is no bid on it now. The reason: Not paid for the last three."


def test_a_voided_leader_the_new_leader_and_the_seller_are_told_in_their_own_words(lamp, bidder, rival):
    voided(lamp, bidder=bidder, former=bidder, leader=rival)
    for _ in range(2):
        tasks.write_notifications()
        tasks.send_due_emails()
        EventOutbox.objects.create(product_id=lamp.pk, seq=1)

    assert rows.words() == {
        "bidder": (
            "bid_voided",
            VOIDED,
            f"Our staff declared your bid on “A lamp”, of 12.00 USD, void, so it no longer counts. {NOW}",
        ),
        "rival": (
            "bid_voided",
            VOIDED,
            f"Our staff declared a bid of 12.00 USD on “A lamp” void, so it no longer counts. You lead. {NOW}",
        ),
        "seller": (
            "bid_voided",
            VOIDED,
            f"Our staff declared a bid of 12.00 USD on “A lamp” void, so it no longer counts. {NOW}",
        ),
    }
    assert [source for _, _, source in rows.told()] == [f"product:{lamp.pk}:1"] * 3
    assert sorted(message.to[0] for message in mail.outbox) == [
        "bidder@example.com",
        "rival@example.com",
        "seller@example.com",
    ]


def test_a_leader_who_no_longer_leads_by_another_s_void_is_told_so(lamp, bidder, rival, third):
    voided(lamp, bidder=bidder, former=rival, leader=third)

    write_notifications()

    found = rows.words()
    assert found.keys() == {"bidder", "rival", "third", "seller"}
    assert found["rival"] == (
        "bid_voided",
        VOIDED,
        f"Our staff declared a bid of 12.00 USD on “A lamp” void. By the bids that are left you no longer lead. {NOW}",
    )


def test_a_leader_who_stays_is_told_because_the_price_may_have_moved(lamp, bidder, rival):
    voided(lamp, bidder=bidder, former=rival, leader=rival)

    write_notifications()

    assert {name: message for name, (_, _, message) in rows.words().items()}["rival"] == (
        f"Our staff declared a bid of 12.00 USD on “A lamp” void, so it no longer counts. You lead. {NOW}"
    )


def test_whoever_leads_with_another_of_their_bids_is_told_once(lamp, bidder):
    voided(lamp, bidder=bidder, former=bidder, leader=bidder)

    write_notifications()

    found = rows.words()
    assert found.keys() == {"bidder", "seller"}
    assert found["bidder"][2] == (
        f"Our staff declared one of your bids on “A lamp”, of 12.00 USD, void. You lead with another: {NOW}"
    )


def test_a_voided_maximum_that_nobody_saw_has_no_amount_and_the_last_bid_leaves_none(lamp, bidder):
    voided(lamp, bidder=bidder, former=bidder, amount=None)

    write_notifications()

    assert {name: message for name, (_, _, message) in rows.words().items()} == {
        "bidder": f"Our staff declared your bid on “A lamp” void, so it no longer counts. {NONE}",
        "seller": f"Our staff declared a bid on “A lamp” void, so it no longer counts. {NONE}",
    }


@pytest.mark.parametrize("kind", ["closed", "cancelled"])
def test_whose_bids_were_all_voided_has_no_part_in_the_end(lamp, bidder, rival, third, staff, kind):
    rows.void(rows.bid(lamp, bidder), staff)
    rows.bid(lamp, bidder, outcome="automatic")
    rows.void(rows.bid(lamp, rival), staff)
    rows.bid(lamp, rival)
    rows.bid(lamp, third)
    if kind == "closed":
        rows.closed(lamp, winner=third)
    else:
        rows.event(lamp, "cancelled", {"by": "staff"}, {"actor": staff.pk})

    write_notifications()

    assert sorted({name for name, _, _ in rows.told()}) == ["rival", "seller", "third"]


def test_a_sale_at_the_buy_now_price_tells_buyer_seller_and_bidders(lamp, bidder, rival):
    rows.bid(lamp, rival)
    rows.closed(lamp, winner=bidder, by="buy_now")

    write_notifications()

    assert rows.words() == {
        "bidder": (
            "auction_won",
            "You won “A lamp”",
            "You bought “A lamp” at its buy-now price, 12.00 USD.",
        ),
        "seller": (
            "auction_sold",
            "“A lamp” is sold",
            (
                "“A lamp” was bought at your buy-now price, 12.00 USD, which ended its auction; we have asked the "
                "buyer to pay."
            ),
        ),
        "rival": (
            "auction_lost",
            "You did not win “A lamp”",
            "Somebody bought “A lamp” at its buy-now price. That ended its auction; you did not win it.",
        ),
    }


def test_a_waived_reserve_makes_a_winner_and_a_seller_and_tells_nobody_else_again(lamp, bidder, rival):
    rows.bid(lamp, rival)
    rows.bid(lamp, bidder)
    sale(lamp, "reserve_waived", bidder)

    write_notifications()

    assert rows.words() == {
        "bidder": (
            "auction_won",
            "You won “A lamp”",
            "The seller of “A lamp” has accepted your bid although the reserve was not met. You won it for 12.00 USD.",
        ),
        "seller": (
            "auction_sold",
            "“A lamp” is sold",
            (
                "You accepted the highest bid on “A lamp” although the reserve was not met. It is sold for 12.00 USD; "
                "we have asked the winner to pay."
            ),
        ),
    }


def test_a_second_chance_is_offered_to_its_bidder_alone(seller, bidder):
    mug = rows.product(seller, name="A mug", currency="JPY", starting_bid="100")
    private = {"bidder": bidder.pk, "seller": seller.pk, "amount": "1200", "expires_at": "2030-01-02T03:04:05.678901Z"}
    rows.event(mug, "second_chance_offered", {}, private)

    write_notifications()

    assert rows.told() == [("bidder", "second_chance_offer", f"product:{mug.pk}:1")]
    assert rows.words() == {
        "bidder": (
            "second_chance_offer",
            "A second chance to buy “A mug”",
            (
                "The winner of “A mug” did not pay. You can have it for 1200 JPY, the most you offered, if you accept "
                "by 2030-01-02 03:04 UTC. You need not: the offer then lapses."
            ),
        )
    }


def test_an_accepted_second_chance_makes_a_winner_and_a_seller(lamp, bidder):
    sale(lamp, "second_chance_accepted", bidder)

    write_notifications()

    assert rows.words() == {
        "bidder": (
            "auction_won",
            "You won “A lamp”",
            "You accepted the second-chance offer: “A lamp” is yours for 12.00 USD.",
        ),
        "seller": (
            "auction_sold",
            "“A lamp” is sold",
            (
                "Your second-chance offer for “A lamp” was accepted. It is sold for 12.00 USD; we have asked the buyer "
                "to pay."
            ),
        ),
    }


@pytest.mark.parametrize(("how", "words"), [("declined", "has declined"), ("lapsed", "did not answer in time")])
def test_a_second_chance_that_nobody_took_is_told_to_the_seller(lamp, seller, bidder, how, words):
    rows.event(lamp, f"second_chance_{how}", {}, {"bidder": bidder.pk, "seller": seller.pk})

    write_notifications()

    assert rows.words() == {
        "seller": (
            "second_chance_ended",
            "Your second-chance offer for “A lamp” was not taken",
            (
                f"The bidder to whom you offered “A lamp” {words}. You can offer it to the next bidder, if there is "
                "one, or list it again."
            ),
        )
    }


@pytest.mark.parametrize(
    ("kind", "private"),
    [
        ("bid_voided", {}),
        ("reserve_waived", {"winner": None}),
        ("second_chance_offered", {"bidder": 1, "amount": "1.00", "expires_at": "soon"}),
    ],
)
def test_an_event_that_is_not_what_auctions_writes_stays_in_the_outbox(lamp, kind, private):
    rows.event(lamp, kind, {}, private)

    assert write_notifications() == 0

    assert (rows.told(), EventOutbox.objects.count()) == ([], 1)
