"""Who is notified of an auction's events, and with which text."""

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
NOW = "The current price is 7.00 USD. Reason: Not paid for the last three."
NONE = "There are no bids now. Reason: Not paid for the last three."


def test_bid_voided_notifies_bidder_new_leader_and_seller(lamp, bidder, rival):
    voided(lamp, bidder=bidder, former=bidder, leader=rival)
    for _ in range(2):
        tasks.write_notifications()
        tasks.send_notification_emails()
        EventOutbox.objects.create(product_id=lamp.pk, seq=1)

    assert rows.texts() == {
        "bidder": (
            "bid_voided",
            VOIDED,
            f"Our staff voided your bid of 12.00 USD on “A lamp”. It no longer counts. {NOW}",
        ),
        "rival": (
            "bid_voided",
            VOIDED,
            f"Our staff voided a bid of 12.00 USD on “A lamp”. It no longer counts. You are leading. {NOW}",
        ),
        "seller": (
            "bid_voided",
            VOIDED,
            f"Our staff voided a bid of 12.00 USD on “A lamp”. It no longer counts. {NOW}",
        ),
    }
    assert [source for _, _, source in rows.notified()] == [f"product:{lamp.pk}:1"] * 3
    assert sorted(message.to[0] for message in mail.outbox) == [
        "bidder@example.com",
        "rival@example.com",
        "seller@example.com",
    ]


def test_bid_voided_notifies_a_displaced_leader(lamp, bidder, rival, third):
    voided(lamp, bidder=bidder, former=rival, leader=third)

    write_notifications()

    found = rows.texts()
    assert found.keys() == {"bidder", "rival", "third", "seller"}
    assert found["rival"] == (
        "bid_voided",
        VOIDED,
        f"Our staff voided a bid of 12.00 USD on “A lamp”. You are no longer leading. {NOW}",
    )


def test_bid_voided_notifies_a_leader_who_stays(lamp, bidder, rival):
    voided(lamp, bidder=bidder, former=rival, leader=rival)

    write_notifications()

    assert {name: message for name, (_, _, message) in rows.texts().items()}["rival"] == (
        f"Our staff voided a bid of 12.00 USD on “A lamp”. It no longer counts. You are leading. {NOW}"
    )


def test_bid_voided_notifies_a_bidder_who_leads_with_another_bid_once(lamp, bidder):
    voided(lamp, bidder=bidder, former=bidder, leader=bidder)

    write_notifications()

    found = rows.texts()
    assert found.keys() == {"bidder", "seller"}
    assert found["bidder"][2] == (
        f"Our staff voided your bid of 12.00 USD on “A lamp”. You are leading with another bid. {NOW}"
    )


def test_bid_voided_of_raised_maximum_shows_no_amount(lamp, bidder):
    voided(lamp, bidder=bidder, former=bidder, amount=None)

    write_notifications()

    assert {name: message for name, (_, _, message) in rows.texts().items()} == {
        "bidder": f"Our staff voided your bid on “A lamp”. It no longer counts. {NONE}",
        "seller": f"Our staff voided a bid on “A lamp”. It no longer counts. {NONE}",
    }


@pytest.mark.parametrize("kind", ["closed", "cancelled"])
def test_end_does_not_notify_bidders_whose_bids_were_all_voided(lamp, bidder, rival, third, staff, kind):
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

    assert sorted({name for name, _, _ in rows.notified()}) == ["rival", "seller", "third"]


def test_buy_now_notifies_buyer_seller_and_bidders(lamp, bidder, rival):
    rows.bid(lamp, rival)
    rows.closed(lamp, winner=bidder, by="buy_now")

    write_notifications()

    assert rows.texts() == {
        "bidder": (
            "auction_won",
            "You won “A lamp”",
            "You bought “A lamp” for its buy-now price of 12.00 USD.",
        ),
        "seller": (
            "auction_sold",
            "“A lamp” was sold",
            (
                "“A lamp” was sold for your buy-now price of 12.00 USD, which ended the auction. We asked the buyer to "
                "pay."
            ),
        ),
        "rival": (
            "auction_lost",
            "You did not win “A lamp”",
            "“A lamp” was sold for its buy-now price, which ended the auction. You did not win it.",
        ),
    }


def test_reserve_waived_notifies_winner_and_seller_only(lamp, bidder, rival):
    rows.bid(lamp, rival)
    rows.bid(lamp, bidder)
    sale(lamp, "reserve_waived", bidder)

    write_notifications()

    assert rows.texts() == {
        "bidder": (
            "auction_won",
            "You won “A lamp”",
            "The seller accepted your bid on “A lamp” below the reserve price. You won it for 12.00 USD.",
        ),
        "seller": (
            "auction_sold",
            "“A lamp” was sold",
            (
                "You accepted the highest bid on “A lamp” below the reserve price. It was sold for 12.00 USD. We asked "
                "the winner to pay."
            ),
        ),
    }


def test_second_chance_offered_notifies_the_bidder_only(seller, bidder):
    mug = rows.product(seller, name="A mug", currency="JPY", starting_bid="100")
    private = {
        "bidder": bidder.pk,
        "seller": seller.pk,
        "amount": "1200",
        "total": "1300",
        "expires_at": "2030-01-02T03:04:05.678901Z",
    }
    rows.event(mug, "second_chance_offered", {}, private)

    write_notifications()

    assert rows.notified() == [("bidder", "second_chance_offer", f"product:{mug.pk}:1")]
    assert rows.texts() == {
        "bidder": (
            "second_chance_offer",
            "Second chance to buy “A mug”",
            (
                "The winner of “A mug” did not pay. You can buy it for 1200 JPY, the price without the winner's "
                "bids. With premium and shipping you would pay 1300 JPY. Accept by 2030-01-02 03:04 UTC, or let the "
                "offer expire."
            ),
        )
    }


def test_second_chance_accepted_notifies_winner_and_seller(lamp, bidder):
    sale(lamp, "second_chance_accepted", bidder)

    write_notifications()

    assert rows.texts() == {
        "bidder": (
            "auction_won",
            "You won “A lamp”",
            "You accepted the second-chance offer and bought “A lamp” for 12.00 USD.",
        ),
        "seller": (
            "auction_sold",
            "“A lamp” was sold",
            (
                "The bidder accepted your second-chance offer. “A lamp” was sold for 12.00 USD. We asked the buyer to "
                "pay."
            ),
        ),
    }


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("declined", "declined your offer for “A lamp”."),
        ("lapsed", "did not answer your offer for “A lamp” in time."),
    ],
)
def test_second_chance_declined_or_lapsed_notifies_the_seller(lamp, seller, bidder, outcome, text):
    rows.event(lamp, f"second_chance_{outcome}", {}, {"bidder": bidder.pk, "seller": seller.pk})

    write_notifications()

    assert rows.texts() == {
        "seller": (
            "second_chance_ended",
            "Your second-chance offer for “A lamp” ended",
            (f"The bidder {text} You can offer it to the next bidder, if there is one, or list it again."),
        )
    }


@pytest.mark.parametrize(
    ("kind", "private"),
    [
        ("bid_voided", {}),
        ("reserve_waived", {"winner": None}),
        ("second_chance_offered", {"bidder": 1, "amount": "1.00", "total": "1.00", "expires_at": "soon"}),
    ],
)
def test_malformed_event_stays_in_the_outbox(lamp, kind, private):
    rows.event(lamp, kind, {}, private)

    assert write_notifications() == 0

    assert (rows.notified(), EventOutbox.objects.count()) == ([], 1)
