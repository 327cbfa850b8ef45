"""Notification preferences: set with PATCH /api/users/me/, applied to notifications written afterwards."""

import threading

import pytest
from django.db import connection

from notifications.kinds import OPTIONAL_KINDS, REQUIRED_KINDS
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services.notification_writer import notify
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories
from tests.violations import find_violations

pytestmark = pytest.mark.django_db
ME, LIST = "/api/users/me/", "/api/auth/notifications/"
DEFAULT = {"in_app": True, "mail": True}


def notify_outbid(recipient, kind="outbid", source="test:1"):
    context = {"product": "A lamp", "current_price": "2", "minimum_bid": "3", "currency": "USD"}
    notify(recipient=recipient, kind=kind, source=source, context=context)


def prefer(user, kind="outbid", **channels):
    Preference.objects.create(user=user, kind=kind, **{**DEFAULT, **channels})


def violations():
    return find_violations("notifications")


def test_me_shows_preferences_of_all_optional_kinds(as_user, bidder, django_assert_num_queries):
    prefer(bidder, mail=False)
    me = as_user(bidder)

    with django_assert_num_queries(2):  # the user, and their preferences
        shown = me.get(ME).json()["notifications"]

    assert shown == dict.fromkeys(OPTIONAL_KINDS, DEFAULT) | {"outbid": {"in_app": True, "mail": False}}
    assert {"outbid", "auction_lost", "auction_ending_soon"} <= shown.keys()


def test_patch_changes_only_the_given_channels(as_user, bidder, rival):
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


def test_preference_equal_to_the_default_has_no_row(as_user, bidder):
    me = as_user(bidder)
    kept = []
    for given in ({"mail": True}, {"mail": False}, {"mail": False}, {"mail": True, "in_app": True}):
        me.patch(ME, {"notifications": {"outbid": given}})
        kept.append(Preference.objects.count())

    assert kept == [0, 1, 1, 0]


def test_patch_with_the_whole_response_changes_nothing(as_user, bidder):
    prefer(bidder, mail=False)
    me = as_user(bidder)
    shown = me.get(ME).json()

    assert me.patch(ME, shown).json() == shown


@pytest.mark.parametrize(
    "given",
    [
        {"unknown": {"mail": False}},
        *({kind: {"mail": False}} for kind in REQUIRED_KINDS),
        {"auction_lost": {"mail": False}, "new_login": {"mail": False}},
        {"outbid": {"sms": False}},
        {"outbid": {"mail": "false"}},
        {"outbid": False},
        [{"outbid": {"mail": False}}],
    ],
    ids=str,
)
def test_patch_with_invalid_preferences_is_refused_and_changes_nothing(as_user, bidder, given):
    me = as_user(bidder)
    before = me.get(ME).json()

    answer = me.patch(ME, {"display_name": "Someone else", "notifications": given})

    assert (answer.status_code, answer.json()["code"], answer.json()["errors"].keys()) == (
        400,
        "invalid",
        {"notifications"},
    )
    assert all(type(sentence) is str for sentence in answer.json()["errors"]["notifications"])
    assert me.get(ME).json() == before
    assert not Preference.objects.exists()


def test_patch_with_required_kind_lists_the_optional_kinds(as_user, bidder):
    answer = as_user(bidder).patch(ME, {"notifications": {"payment_due": {"mail": False}}})

    kinds = "outbid, auction_lost, auction_unsold, auction_cancelled, auction_ending_soon, description_added"
    error = f"Use one of these kinds: {kinds}, second_chance_offer, second_chance_ended."
    assert answer.json()["errors"] == {"notifications": [error]}


@pytest.mark.django_db(transaction=True)
def test_parallel_patches_are_all_applied(as_user, bidder):
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


def test_preference_without_mail_sends_no_email(as_user, bidder, rival):
    prefer(bidder, mail=False)
    notify_outbid(bidder)
    notify_outbid(rival)

    assert as_user(bidder).get(LIST).json()["unread_count"] == 1
    assert rows.emails() == [("rival", "outbid")]
    assert violations() == {}


def test_preference_without_in_app_hides_the_notification(as_user, bidder):
    prefer(bidder, in_app=False)
    notify_outbid(bidder)
    notify_outbid(bidder, "auction_lost")
    hidden, me = Notification.objects.get(kind="outbid"), as_user(bidder)

    listed = me.get(LIST).json()
    assert [row["kind"] for row in listed["results"]] == ["auction_lost"]
    assert (listed["count"], listed["unread_count"]) == (1, 1)
    assert [row["kind"] for row in me.get(LIST, {"unread": "true"}).json()["results"]] == ["auction_lost"]
    assert me.post(f"{LIST}{hidden.pk}/read/").status_code == 404
    me.post(f"{LIST}read_all/")
    hidden.refresh_from_db()
    assert (hidden.read_at, Notification.objects.filter(read_at=None).count()) == (None, 1)
    assert rows.emails() == [("bidder", "outbid"), ("bidder", "auction_lost")]
    assert violations() == {}


def test_preference_without_both_only_records_the_notification(as_user, bidder):
    prefer(bidder, in_app=False, mail=False)
    notify_outbid(bidder)

    assert as_user(bidder).get(LIST).json()["count"] == 0
    assert (rows.notified(), rows.emails()) == ([("bidder", "outbid", "test:1")], [])
    assert violations() == {}


def test_notification_written_again_keeps_its_preference(bidder, rival):
    prefer(bidder, in_app=False, mail=False)
    notify_outbid(bidder)
    notify_outbid(rival)
    Preference.objects.all().delete()
    prefer(rival, in_app=False, mail=False)
    EmailDelivery.objects.all().delete()

    notify_outbid(bidder)
    notify_outbid(rival)

    # The first stays hidden and unmailed; the second had a delivery, lost it and gets it again.
    assert rows.emails() == [("rival", "outbid")]
    decided = Notification.objects.order_by("pk").values_list("recipient", "in_app", "mailed")
    assert list(decided) == [(bidder.pk, False, False), (rival.pk, True, True)]
    assert violations() == {}


@pytest.mark.parametrize("kind", ["new_login", "account_changed"])
def test_preference_for_required_kind_has_no_effect(as_user, bidder, kind):
    prefer(bidder, kind, in_app=False, mail=False)

    notify_outbid(bidder, kind)

    assert rows.emails() == [("bidder", kind)]
    assert kind in [row["kind"] for row in as_user(bidder).get(LIST).json()["results"]]
    assert kind not in as_user(bidder).get(ME).json()["notifications"]
    assert violations() == {}


def test_batch_applies_preferences_with_one_more_query(seller, bidder, rival, django_assert_num_queries):
    other = factories.user("other@example.com")
    prefer(rival, "auction_lost", mail=False)
    prefer(other, "auction_lost", in_app=False, mail=False)
    prefer(bidder, "auction_lost", in_app=False, mail=False)  # the winner
    for _ in range(3):
        rows.sale(seller, bidder, [rival, other])

    with django_assert_num_queries(12):  # as without preferences
        assert write_notifications() == 3

    decided = Notification.objects.values_list("recipient", "kind", "in_app", "mailed").order_by("pk")
    assert list(decided) == 3 * [
        (bidder.pk, "auction_won", True, True),
        (seller.pk, "auction_sold", True, True),
        (rival.pk, "auction_lost", True, False),
        (other.pk, "auction_lost", False, False),
    ]
    assert rows.emails() == 3 * [("bidder", "auction_won"), ("seller", "auction_sold")]
    assert violations() == {}


def test_preferences_are_exported_and_deleted_with_the_account(as_user, bidder, rival):
    for person in (bidder, rival):
        prefer(person, mail=False)
    exported = as_user(bidder).get(f"{ME}export/").json()["notification_preferences"]
    assert exported == [{"kind": "outbid", "in_app": True, "mail": False}]

    factories.erase_account(bidder)

    assert list(Preference.objects.values_list("user", flat=True)) == [rival.pk]
    kept = Preference.objects.create(user=bidder, kind="outbid", in_app=True, mail=False)
    assert violations() == {
        "20 deleted accounts have no notifications": [
            f"preference {kept.pk} is kept of user {bidder.pk}, whose account is deleted"
        ],
        "23 a changed preference belongs to a proved address": [
            f"preference {kept.pk} belongs to an address that nobody has proved"
        ],
    }
