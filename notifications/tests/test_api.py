import pytest

from auctioncraft.api.fields import MAX_ID
from auctioncraft.core.clock import isoformat_utc
from notifications.models import Notification
from notifications.services.notification_writer import notify
from notifications.tests import rows

pytestmark = pytest.mark.django_db
URL = "/api/auth/notifications/"


def tell(recipient, source="test:1", product=None):
    notify(recipient=recipient, kind="auction_lost", source=source, context={"product": "A lamp"}, product=product)
    return Notification.objects.get(recipient=recipient, source=source)


def shown(notice, *, is_read=False):
    return {
        "id": notice.pk,
        "kind": "auction_lost",
        "title": "You did not win “A lamp”",
        "message": "The auction of “A lamp” has ended, and you did not win it.",
        "product": notice.product_id,
        "is_read": is_read,
        "created_at": isoformat_utc(notice.created_at),
    }


def test_the_list_shows_ones_own_newest_first_with_the_count_of_unread(as_user, bidder, rival, seller):
    first, second = tell(bidder, "test:1"), tell(bidder, "test:2", rows.product(seller))
    tell(rival)

    answer = as_user(bidder).get(URL)

    assert (answer.status_code, answer.json()) == (
        200,
        {"count": 2, "next": None, "previous": None, "results": [shown(second), shown(first)], "unread_count": 2},
    )


def test_unread_true_shows_only_the_unread_of_all_pages(as_user, bidder):
    caller = as_user(bidder)
    first, second, third = (tell(bidder, f"test:{number}") for number in range(3))
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


def test_unread_must_be_true_or_false(as_user, bidder):
    answer = as_user(bidder).get(URL, {"unread": "maybe"})

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "code": "invalid",
            "detail": "The input is not valid.",
            "errors": {"unread": ["Use true or false."]},
        },
    )


def test_reading_one_marks_it_and_answers_it_as_often_as_asked(as_user, bidder):
    caller, notice = as_user(bidder), tell(bidder)

    for _ in range(2):
        answer = caller.post(f"{URL}{notice.pk}/read/")
        assert (answer.status_code, answer.json()) == (200, shown(notice, is_read=True))
        read_at = notice.read_at
        notice.refresh_from_db()
        assert read_at in {None, notice.read_at}
    assert caller.get(URL).json()["unread_count"] == 0


def test_reading_all_marks_ones_own_only(as_user, bidder, rival):
    for number in range(3):
        tell(bidder, f"test:{number}")
    tell(rival)

    answer = as_user(bidder).post(f"{URL}read_all/")

    assert (answer.status_code, answer.json()) == (200, {"unread_count": 0})
    assert as_user(bidder).get(URL).json()["unread_count"] == 0
    assert as_user(rival).get(URL).json()["unread_count"] == 1


@pytest.mark.parametrize("which", ["another's", "none", "abc", "too long", "-1"])
def test_what_is_not_ones_own_or_no_id_is_not_found(as_user, bidder, rival, which):
    ids = {"another's": tell(rival).pk, "none": 10**17, "abc": "abc", "too long": MAX_ID * 10, "-1": "-1"}

    answer = as_user(bidder).post(f"{URL}{ids[which]}/read/")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert Notification.objects.get().is_read is False


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("post", "1/read/"), ("post", "read_all/")])
def test_nothing_is_shown_without_a_token(client, method, path):
    answer = getattr(client, method)(f"{URL}{path}")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nobody_writes_notices(as_user, bidder, method):
    answer = getattr(as_user(bidder), method)(URL, {"title": "mine"})

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_the_list_costs_the_same_queries_with_one_row_and_with_many(as_user, bidder, seller, django_assert_num_queries):
    caller, lamp = as_user(bidder), rows.product(seller)
    tell(bidder, "test:0", lamp)
    with django_assert_num_queries(3):  # who, the page, the unread
        caller.get(URL)
    for number in range(1, 12):
        tell(bidder, f"test:{number}", lamp)
    with django_assert_num_queries(3):
        assert len(caller.get(URL).json()["results"]) == 12
