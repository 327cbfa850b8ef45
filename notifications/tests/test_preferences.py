"""How one wants to be told of what: chosen by PATCH /api/users/me/, honoured in all that is written from then on."""

import dataclasses
import threading

import pytest
from django.db import connection

from auctioncraft.core.invariants import find_violations
from notifications.kinds import FIXED, KINDS, SWITCHABLE
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services.notification_writer import notify
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories

pytestmark = pytest.mark.django_db
ME, LIST = "/api/users/me/", "/api/auth/notifications/"
BY_ITSELF = {"in_app": True, "mail": True}


def tell(recipient, kind="outbid", source="test:1"):
    context = {"product": "A lamp", "current_price": "2", "minimum_bid": "3", "currency": "USD"}
    notify(recipient=recipient, kind=kind, source=source, context=context)


def prefer(user, kind="outbid", **channels):
    Preference.objects.create(user=user, kind=kind, **{**BY_ITSELF, **channels})


def problems():
    return find_violations("notifications")


def test_everything_that_can_be_switched_off_is_shown_as_it_is(as_user, bidder, django_assert_num_queries):
    prefer(bidder, mail=False)
    me = as_user(bidder)

    with django_assert_num_queries(2):  # who, and what they chose
        shown = me.get(ME).json()["notifications"]

    assert shown == dict.fromkeys(SWITCHABLE, BY_ITSELF) | {"outbid": {"in_app": True, "mail": False}}
    assert {"outbid", "auction_lost", "auction_ending_soon"} <= shown.keys()


def test_what_is_given_changes_and_the_rest_stays(as_user, bidder, rival):
    me = as_user(bidder)
    before = me.get(ME).json()

    for given, outbid in (
        ({"outbid": {"mail": False}}, {"in_app": True, "mail": False}),
        ({"outbid": {"in_app": False}}, {"in_app": False, "mail": False}),
        ({"outbid": {}, "auction_lost": {"mail": True}}, {"in_app": False, "mail": False}),
        ({}, {"in_app": False, "mail": False}),
        ({"outbid": {"mail": True}}, {"in_app": False, "mail": True}),
    ):
        answer = me.patch(ME, {"notifications": given})
        expected = before | {"notifications": before["notifications"] | {"outbid": outbid}}
        assert (answer.status_code, answer.json()) == (200, expected)
        assert me.get(ME).json() == expected
    assert as_user(rival).get(ME).json()["notifications"] == before["notifications"]


def test_a_row_is_kept_only_where_it_says_something(as_user, bidder):
    me = as_user(bidder)
    kept = []
    for given in ({"mail": True}, {"mail": False}, {"mail": False}, {"mail": True, "in_app": True}):
        me.patch(ME, {"notifications": {"outbid": given}})
        kept.append(Preference.objects.count())

    assert kept == [0, 1, 1, 0]


def test_what_is_shown_can_be_sent_back_whole(as_user, bidder):
    prefer(bidder, mail=False)
    me = as_user(bidder)
    shown = me.get(ME).json()

    assert me.patch(ME, shown).json() == shown


@pytest.mark.parametrize(
    "given",
    [
        {"riddle": {"mail": False}},
        {"": {}},
        *({kind: {"mail": False}} for kind in FIXED),
        {"payment_due": {"in_app": True, "mail": True}},
        {"auction_lost": {"mail": False}, "new_login": {"mail": False}},
        {"outbid": {"sms": False}},
        *({"outbid": {"mail": value}} for value in ("false", "off", 0, 0.0, None, [], {})),
        *({"outbid": value} for value in (False, None, [], "mail")),
        *(False, None, [], "outbid", [{"outbid": {"mail": False}}]),
    ],
    ids=str,
)
def test_what_cannot_be_switched_is_refused_and_nothing_is_changed(as_user, bidder, given):
    me = as_user(bidder)
    before = me.get(ME).json()

    answer = me.patch(ME, {"display_name": "Somebody else", "notifications": given})

    assert (answer.status_code, answer.json()["code"], answer.json()["errors"].keys()) == (
        400,
        "invalid",
        {"notifications"},
    )
    assert all(type(sentence) is str for sentence in answer.json()["errors"]["notifications"])
    assert me.get(ME).json() == before
    assert not Preference.objects.exists()


def test_the_refusal_says_what_can_be_switched(as_user, bidder):
    answer = as_user(bidder).patch(ME, {"notifications": {"payment_due": {"mail": False}}})

    what = "outbid, auction_lost, auction_unsold, auction_cancelled, auction_ending_soon, second_chance_offer"
    told = f"Use one of these kinds: {what}, second_chance_ended."
    assert answer.json()["errors"] == {"notifications": [told]}


@pytest.mark.django_db(transaction=True)
def test_of_choices_made_at_once_none_is_lost(as_user, bidder):
    given = [{kind: {channel: False}} for kind in ("outbid", "auction_lost") for channel in ("in_app", "mail")]
    callers = [as_user(bidder) for _ in given]
    start, answers = threading.Barrier(len(given)), []

    def choose(caller, what):
        try:
            start.wait(10)
            answers.append(caller.patch(ME, {"notifications": what}).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=choose, args=pair) for pair in zip(callers, given, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 4
    shown = callers[0].get(ME).json()["notifications"]
    assert [kind for kind, channels in shown.items() if channels == {"in_app": False, "mail": False}] == [
        "outbid",
        "auction_lost",
    ]


def test_without_mail_it_is_shown_and_not_mailed(as_user, bidder, rival):
    prefer(bidder, mail=False)
    tell(bidder)
    tell(rival)

    assert as_user(bidder).get(LIST).json()["unread_count"] == 1
    assert rows.mails() == [("rival", "outbid")]
    assert problems() == {}


def test_without_the_app_it_is_mailed_and_nowhere_to_be_seen(as_user, bidder):
    prefer(bidder, in_app=False)
    tell(bidder)
    tell(bidder, "auction_lost")
    hidden, me = Notification.objects.get(kind="outbid"), as_user(bidder)

    listed = me.get(LIST).json()
    assert [row["kind"] for row in listed["results"]] == ["auction_lost"]
    assert (listed["count"], listed["unread_count"]) == (1, 1)
    assert [row["kind"] for row in me.get(LIST, {"unread": "true"}).json()["results"]] == ["auction_lost"]
    assert me.post(f"{LIST}{hidden.pk}/read/").status_code == 404
    me.post(f"{LIST}read_all/")
    hidden.refresh_from_db()
    assert (hidden.read_at, Notification.objects.filter(read_at=None).count()) == (None, 1)
    assert rows.mails() == [("bidder", "outbid"), ("bidder", "auction_lost")]
    assert problems() == {}


def test_without_either_it_is_on_record_alone(as_user, bidder):
    prefer(bidder, in_app=False, mail=False)
    tell(bidder)

    assert as_user(bidder).get(LIST).json()["count"] == 0
    assert (rows.told(), rows.mails()) == ([("bidder", "outbid", "test:1")], [])
    assert problems() == {}


def test_what_was_written_stays_as_it_was_decided_when_it_is_told_again(bidder, rival):
    prefer(bidder, in_app=False, mail=False)
    tell(bidder)
    tell(rival)
    Preference.objects.all().delete()
    prefer(rival, in_app=False, mail=False)
    EmailDelivery.objects.all().delete()

    tell(bidder)
    tell(rival)

    # Nothing of the first goes out, or shows, afterwards; the second had a mail to come, lost it and has it again.
    assert rows.mails() == [("rival", "outbid")]
    decided = Notification.objects.order_by("pk").values_list("recipient", "in_app", "mailed")
    assert list(decided) == [(bidder.pk, False, False), (rival.pk, True, True)]
    assert problems() == {}


@pytest.mark.parametrize("kind", ["new_login", "account_changed"])
def test_a_row_for_what_cannot_be_switched_off_has_no_effect(as_user, bidder, kind):
    prefer(bidder, kind, in_app=False, mail=False)

    tell(bidder, kind)

    assert rows.mails() == [("bidder", kind)]
    assert kind in [row["kind"] for row in as_user(bidder).get(LIST).json()["results"]]
    assert kind not in as_user(bidder).get(ME).json()["notifications"]
    assert problems() == {}


def test_a_kind_that_is_not_mailed_by_itself_can_be_asked_for(as_user, bidder, rival, monkeypatch):
    monkeypatch.setitem(KINDS, "outbid", dataclasses.replace(KINDS["outbid"], mails=False))
    me = as_user(bidder)
    assert me.get(ME).json()["notifications"]["outbid"] == {"in_app": True, "mail": False}
    me.patch(ME, {"notifications": {"outbid": {"mail": True}}})

    tell(bidder)
    tell(rival)

    assert rows.mails() == [("bidder", "outbid")]
    assert problems() == {}


def test_each_of_a_batch_is_told_as_they_want_for_one_query_more(seller, bidder, rival, django_assert_num_queries):
    other = factories.user("other@example.com")
    prefer(rival, "auction_lost", mail=False)
    prefer(other, "auction_lost", in_app=False, mail=False)
    prefer(bidder, "auction_lost", in_app=False, mail=False)  # who wins
    for _ in range(3):
        rows.sale(seller, bidder, [rival, other])

    with django_assert_num_queries(12):  # as without anybody's choices
        assert write_notifications() == 3

    decided = Notification.objects.values_list("recipient", "kind", "in_app", "mailed").order_by("pk")
    assert list(decided) == 3 * [
        (bidder.pk, "auction_won", True, True),
        (seller.pk, "auction_sold", True, True),
        (rival.pk, "auction_lost", True, False),
        (other.pk, "auction_lost", False, False),
    ]
    assert rows.mails() == 3 * [("bidder", "auction_won"), ("seller", "auction_sold")]
    assert problems() == {}


def test_one_takes_ones_choices_out_and_they_go_with_the_account(as_user, bidder, rival):
    for person in (bidder, rival):
        prefer(person, mail=False)
    exported = as_user(bidder).get(f"{ME}export/").json()["notification_preferences"]
    assert exported == [{"kind": "outbid", "in_app": True, "mail": False}]

    factories.erase_account(bidder)

    assert list(Preference.objects.values_list("user", flat=True)) == [rival.pk]
    kept = Preference.objects.create(user=bidder, kind="outbid", in_app=True, mail=False)
    assert problems() == {
        "20 deleted accounts have no notifications": [
            f"preference {kept.pk} is kept of user {bidder.pk}, whose account is deleted"
        ]
    }
