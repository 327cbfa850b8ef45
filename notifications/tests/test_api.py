import pytest

from auctioncraft.api.fields import MAX_ID
from auctioncraft.core.clock import isoformat_utc
from notifications.models import Notification
from notifications.services.notification_writer import notify
from notifications.tests import rows

pytestmark = pytest.mark.django_db
URL = "/api/auth/notifications/"


def create_notification(recipient, source="test:1", product=None):
    notify(recipient=recipient, kind="auction_lost", source=source, context={"product": "A lamp"}, product=product)
    return Notification.objects.get(recipient=recipient, source=source)


def shown(row, *, is_read=False):
    return {
        "id": row.pk,
        "kind": "auction_lost",
        "title": "You did not win “A lamp”",
        "message": "The auction for “A lamp” has ended. You did not win it.",
        "product": row.product_id,
        "is_read": is_read,
        "created_at": isoformat_utc(row.created_at),
    }


def test_list_shows_own_notifications_newest_first_with_unread_count(as_user, bidder, rival, seller):
    first, second = create_notification(bidder, "test:1"), create_notification(bidder, "test:2", rows.product(seller))
    create_notification(rival)

    answer = as_user(bidder).get(URL)

    assert (answer.status_code, answer.json()) == (
        200,
        {"count": 2, "next": None, "previous": None, "results": [shown(second), shown(first)], "unread_count": 2},
    )


def test_list_unread_true_shows_only_unread(as_user, bidder):
    caller = as_user(bidder)
    first, second, third = (create_notification(bidder, f"test:{number}") for number in range(3))
    caller.post(f"{URL}{second.pk}/read/")

    answer = caller.get(URL, {"unread": "true", "page_size": 1}).json()

    assert answer == {
        "count": 2,
        "next": f"http://testserver{URL}?unread=true&page_size=1&page=2",
        "previous": None,
        "results": [shown(third)],
        "unread_count": 2,
    }
    assert [row["id"] for row in caller.get(URL, {"unread": "false"}).json()["results"]] == [
        third.pk,
        second.pk,
        first.pk,
    ]


def test_list_with_bad_unread_is_refused(as_user, bidder):
    answer = as_user(bidder).get(URL, {"unread": "maybe"})

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "code": "invalid",
            "detail": "The input is not valid.",
            "errors": {"unread": ["Use true or false."]},
        },
    )


def test_read_marks_the_notification_and_can_be_repeated(as_user, bidder):
    caller, row = as_user(bidder), create_notification(bidder)

    for _ in range(2):
        answer = caller.post(f"{URL}{row.pk}/read/")
        assert (answer.status_code, answer.json()) == (200, shown(row, is_read=True))
        read_at = row.read_at
        row.refresh_from_db()
        assert read_at in {None, row.read_at}
    assert caller.get(URL).json()["unread_count"] == 0


def test_read_all_marks_only_own_notifications(as_user, bidder, rival):
    for number in range(3):
        create_notification(bidder, f"test:{number}")
    create_notification(rival)

    answer = as_user(bidder).post(f"{URL}read_all/")

    assert (answer.status_code, answer.json()) == (200, {"unread_count": 0})
    assert as_user(bidder).get(URL).json()["unread_count"] == 0
    assert as_user(rival).get(URL).json()["unread_count"] == 1


@pytest.mark.parametrize("which", ["another's", "none", "abc", "too long", "-1"])
def test_read_other_or_invalid_id_is_not_found(as_user, bidder, rival, which):
    ids = {
        "another's": create_notification(rival).pk,
        "none": 10**17,
        "abc": "abc",
        "too long": MAX_ID * 10,
        "-1": "-1",
    }

    answer = as_user(bidder).post(f"{URL}{ids[which]}/read/")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Notification.objects.get().is_read is False


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("post", "1/read/"), ("post", "read_all/")])
def test_request_without_token_is_refused(client, method, path):
    answer = getattr(client, method)(f"{URL}{path}")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_notifications_cannot_be_written(as_user, bidder, method):
    answer = getattr(as_user(bidder), method)(URL, {"title": "mine"})

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_list_query_count_is_constant(as_user, bidder, seller, django_assert_num_queries):
    caller, lamp = as_user(bidder), rows.product(seller)
    create_notification(bidder, "test:0", lamp)
    with django_assert_num_queries(3):  # user, page, unread count
        caller.get(URL)
    for number in range(1, 12):
        create_notification(bidder, f"test:{number}", lamp)
    with django_assert_num_queries(3):
        assert len(caller.get(URL).json()["results"]) == 12
