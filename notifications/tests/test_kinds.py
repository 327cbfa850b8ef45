import pytest

from notifications.kinds import KINDS, render

CONTEXT = {
    "product": "A lamp",
    "current_price": "12.00",
    "minimum_bid": "12.50",
    "final_price": "12.00",
    "currency": "USD",
    "reason": "nobody bid",
    "total": "12.00",
    "due_at": "2030-01-02 03:04 UTC",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words(kind):
    title, message = render(kind, CONTEXT)

    assert title
    assert message
    assert "{" not in title + message


def test_what_concerns_money_and_security_cannot_be_switched_off():
    fixed = {name for name, kind in KINDS.items() if not kind.optional}

    assert fixed == {
        "auction_won",
        "auction_sold",
        "payment_due",
        "payment_succeeded",
        "payment_failed",
        "new_login",
    }
    assert all(KINDS[name].mails for name in fixed)


def test_an_unknown_kind_or_a_missing_word_is_an_error():
    with pytest.raises(KeyError):
        render("riddle", {})
    with pytest.raises(KeyError):
        render("outbid", {})
