import pytest

from notifications.email import compose
from notifications.kinds import KINDS, render
from notifications.models import EmailDelivery, Notification
from notifications.services import ending_soon, outbox
from notifications.services.notification_writer import notify

pytestmark = pytest.mark.django_db

CONTEXT = {
    "product": "A lamp",
    "current_price": "12.00",
    "minimum_bid": "12.50",
    "final_price": "12.00",
    "currency": "USD",
    "reason": "nobody bid",
    "total": "12.00",
    "due_at": "2030-01-02 03:04 UTC",
    "ends_at": "2030-01-02 03:04 UTC",
    "expires_at": "2030-01-02 03:04 UTC",
    "amount": "12.00",
    "bid": "a bid",
    "at": "",
    "standing": "The price is now 12.00 USD.",
    "device": "Firefox on Windows",
}
# The public list; none is ever renamed.
PUBLIC = [
    "outbid",
    "auction_won",
    "auction_lost",
    "auction_sold",
    "auction_unsold",
    "auction_cancelled",
    "auction_ending_soon",
    "bid_voided",
    "payment_due",
    "payment_succeeded",
    "payment_failed",
    "payment_reminder",
    "payment_expired",
    "refund_issued",
    "second_chance_offer",
    "second_chance_ended",
    "new_login",
    "account_changed",
]
MESSAGES = [(name, case) for name, kind in KINDS.items() for case in ("", *kind.cases)]


def test_the_kinds_are_those_that_clients_know():
    assert list(KINDS) == PUBLIC
    assert max(map(len, KINDS)) <= Notification._meta.get_field("kind").max_length


@pytest.mark.parametrize(("kind", "case"), MESSAGES)
def test_every_kind_has_words(kind, case):
    title, message = render(kind, CONTEXT, case)

    assert title
    assert message
    assert "{" not in title + message
    assert "  " not in title + message


@pytest.mark.parametrize(("kind", "case"), MESSAGES)
def test_every_kind_makes_a_mail_whose_subject_fits_and_whose_markup_is_escaped(bidder, kind, case):
    context = CONTEXT | {"product": "<b>x</b>\r\n" + "y" * 200}
    notify(recipient=bidder, kind=kind, source="test:1", context=context, case=case)

    mail = compose(EmailDelivery.objects.select_related("notification__recipient", "code").get())

    html, html_type = mail.alternatives[0]
    notice = Notification.objects.get()
    assert (mail.to, mail.subject, html_type) == (["bidder@example.com"], notice.title, "text/html")
    assert len(mail.subject) <= 200
    assert "\n" not in mail.subject
    assert notice.message in mail.body
    assert "<b>" not in html
    mail.message()


def test_the_longest_source_fits_its_column():
    length = Notification._meta.get_field("source").max_length

    assert max(len(ending_soon.source_of(2**63 - 1)), len(outbox.source_of(2**63 - 1, 2**63 - 1))) <= length


def test_what_concerns_money_and_security_cannot_be_switched_off():
    fixed = {name for name, kind in KINDS.items() if not kind.optional}

    assert fixed == {
        "auction_won",
        "auction_sold",
        "bid_voided",
        "payment_due",
        "payment_succeeded",
        "payment_failed",
        "payment_reminder",
        "payment_expired",
        "refund_issued",
        "new_login",
        "account_changed",
    }
    assert all(KINDS[name].mails for name in fixed)


def test_an_unknown_kind_or_a_missing_word_is_an_error():
    with pytest.raises(KeyError):
        render("riddle", {})
    with pytest.raises(KeyError):
        render("outbid", {})
    with pytest.raises(KeyError):
        render("auction_lost", CONTEXT, "riddle")
