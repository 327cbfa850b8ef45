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
    "reason": "there were no bids",
    "total": "12.00",
    "due_at": "2030-01-02 03:04 UTC",
    "ends_at": "2030-01-02 03:04 UTC",
    "at": "2030-01-02 03:04 UTC",
    "expires_at": "2030-01-02 03:04 UTC",
    "amount": "12.00",
    "bid": "a bid",
    "bid_amount": "bid of 12.00 USD",
    "price_now": "The current price is 12.00 USD.",
    "device": "Firefox on Windows",
}
# Public and never renamed.
PUBLIC = [
    "outbid",
    "auction_won",
    "auction_lost",
    "auction_sold",
    "auction_unsold",
    "auction_cancelled",
    "auction_ending_soon",
    "description_added",
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
MESSAGES = [(name, variant) for name, kind in KINDS.items() for variant in ("", *kind.variants)]


def test_kinds_are_the_public_ones():
    assert list(KINDS) == PUBLIC
    assert max(map(len, KINDS)) <= Notification._meta.get_field("kind").max_length


@pytest.mark.parametrize(("kind", "variant"), MESSAGES)
def test_every_variant_renders_a_title_and_a_message(kind, variant):
    title, message = render(kind, CONTEXT, variant)

    assert title
    assert message
    assert "{" not in title + message
    assert "  " not in title + message


@pytest.mark.parametrize(("kind", "variant"), MESSAGES)
def test_every_variant_makes_an_email_with_short_subject_and_escaped_markup(bidder, kind, variant):
    context = CONTEXT | {"product": "<b>x</b>\r\n" + "y" * 200}
    notify(recipient=bidder, kind=kind, source="test:1", context=context, variant=variant)

    mail = compose(EmailDelivery.objects.select_related("notification__recipient", "code").get())

    html, html_type = mail.alternatives[0]
    notification = Notification.objects.get()
    assert (mail.to, mail.subject, html_type) == (["bidder@example.com"], notification.title, "text/html")
    assert len(mail.subject) <= 200
    assert "\n" not in mail.subject
    assert notification.message in mail.body
    assert "<b>" not in html
    mail.message()


def test_longest_source_fits_its_column():
    length = Notification._meta.get_field("source").max_length

    assert max(len(ending_soon.source_of(2**63 - 1)), len(outbox.source_of(2**63 - 1, 2**63 - 1))) <= length


def test_kinds_about_money_and_security_are_required():
    required = {name for name, kind in KINDS.items() if not kind.optional}

    assert required == {
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


def test_render_unknown_kind_variant_or_missing_value_raises_key_error():
    with pytest.raises(KeyError):
        render("unknown", {})
    with pytest.raises(KeyError):
        render("outbid", {})
    with pytest.raises(KeyError):
        render("auction_lost", CONTEXT, "unknown")
