"""What a public name may contain (SingleLineField, DisplayNameField)."""

import pytest
from rest_framework.serializers import ValidationError

from accounts.confusables import skeleton
from accounts.fields import DisplayNameField
from accounts.models import User
from tests import factories

NAMES = {
    "Mike": "Mike",
    "  Mike  ": "Mike",
    "Mike\u00a0the\u3000Great": "Mike the Great",
    "Jose\u0301": "Jos\u00e9",
    "李小龍": "李小龍",
    "می\u200cخواهم": "می\u200cخواهم",  # noqa: RUF001 (Persian)
    "🦊": "🦊",
    "👩\u200d🚀 Sally": "👩\u200d🚀 Sally",
    "❤\ufe0f": "❤\ufe0f",
    "R2-D2": "R2-D2",
    "50% off @ 3 p.m.": "50% off @ 3 p.m.",
    "한국": "한국",
}
UNFIT = {
    "a line break": "Mi\nke",
    "a tab": "Mi\tke",
    "a control": "Mi\x07ke",
    "C1 control": "Mi\u0085ke",
    "zero width space": "Mi\u200bke",
    "word joiner": "Mi\u2060ke",
    "byte order mark": "Mi\ufeffke",
    "soft hyphen": "Mi\u00adke",
    "right to left override": "Mi\u202eke",
    "right to left mark": "Mi\u200fke",
    "isolate": "Mi\u2067ke\u2069",
    "line separator": "Mi\u2028ke",
    "tag": "Mike\U000e0041",
    "private use": "Mi\ue000ke",
    "not assigned": "Mi\u0378ke",
    "Hangul filler": "\u3164",
    "Hangul filler in between": "Mi\u3164ke",
    "half-width Hangul filler": "\uffa0",
    "choseong filler": "\u115f",
    "jungseong filler": "\u1160",
    "empty braille": "\u2800",
    "grapheme joiner": "Mi\u034fke",
    "variation selector": "Mike\U000e0100",
    "Mongolian selector": "Mike\u180b",
    "joiners alone": "\u200d\u200c",
    "a selector alone": "\ufe0f",
    "a mark alone": "\u0301",
    "an address": "mike@example.com",
    "a full-width address": "mike\uff20example\uff0ecom",
    "a small at": "mike\ufe6bexample.com",
    "an ideographic full stop": "mike@example\u3002com",
    "a half-width full stop": "mike@example\uff61com",
    "an address within": "I am mike@example.com, write",
    "nothing": "",
    "spaces": " \u3000",
    "a number": 5,
    "a list": ["Mike"],
    "too long": "x" * 61,
}


@pytest.mark.parametrize(("given", "kept"), NAMES.items())
def test_display_name_in_any_language_is_accepted(given, kept):
    assert DisplayNameField().run_validation(given) == kept


@pytest.mark.parametrize("given", UNFIT.values(), ids=UNFIT)
def test_display_name_invisible_or_address_is_refused(given):
    with pytest.raises(ValidationError):
        DisplayNameField().run_validation(given)


def test_display_name_is_stable_when_sent_back():
    for kept in NAMES.values():
        assert DisplayNameField().run_validation(kept) == kept


# -- names that pretend to be another person --------------------------------------------------------------------------

PRETENDING = [
    "Support", "support ", "SUPPORT", "Supp0rt", "S.u.p.p.o.r.t", "\u0405upport", "Su\u0440\u0440ort",
    "Billing Support",
    "Customer Service", "Admin", "Adm1n", "\uff21dmin", "Moderator", "AuctionCraft", "Auction Craft Team",
    "\u0391uctionCraft",
    "deleted member", "Deleted-Member", "d\u0435leted member", "The Staff",
    "Mike/Staff", "Mike|Staff", "Support:Mike", "Support\u2013Mike", "Mike\u2022Support", "Admin's", "Support+1",
    "Supp\u00f8rt", "\u0282upport", "\u0271oderator", "Aucti\u00f8nCraft", "\u0110eleted member",
]  # fmt: skip


def register(client, name, email="new@example.com"):
    return client.post("/api/users/register/", {"email": email, "password": "a long password", "display_name": name})


@pytest.mark.django_db
@pytest.mark.parametrize("name", PRETENDING)
def test_display_name_of_the_site_or_its_staff_is_refused(client, as_user, bidder, name):
    for answer in (register(client, name), as_user(bidder).patch("/api/users/me/", {"display_name": name})):
        assert (answer.status_code, answer.json()) == (
            400,
            {"code": "display_name_reserved", "detail": "This name is reserved. Please choose another one."},
        )
    assert not User.objects.filter(email="new@example.com").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    ["Acme Antiques", "ACME antiques", "Acme-Antiques", "\u0410cme Antiques", "Acm\u00e9 Antiques", "Acrne Ant1ques"],
)
def test_display_name_like_that_of_a_seller_is_refused(client, as_user, seller, bidder, name):
    assert as_user(seller).patch("/api/users/me/", {"display_name": "Acme Antiques"}).status_code == 200
    # A bidder's name is not taken: others never see it.
    assert as_user(bidder).patch("/api/users/me/", {"display_name": name}).status_code == 200
    as_user(bidder).patch("/api/users/me/", {"display_name": "Mike"})
    category = factories.category().pk
    body = {"name": "A lamp", "category": category, "starting_bid": 1}
    assert as_user(seller).post("/api/products/", body).status_code == 201
    for answer in (register(client, name), as_user(bidder).patch("/api/users/me/", {"display_name": name})):
        assert (answer.status_code, answer.json()["code"]) == (400, "display_name_taken")
    # Sellers can change the spelling of their own name, and erased names are free again.
    assert as_user(seller).patch("/api/users/me/", {"display_name": name}).status_code == 200
    assert register(client, "Acme Paintings").status_code == 201


@pytest.mark.django_db
def test_display_name_reserved_by_the_operator_is_refused(client, settings):
    settings.RESERVED_NAMES = ["Hammer & Sons"]
    assert register(client, "The Hammer and Sons").status_code == 201
    assert register(client, "Harnmer&Sons Ltd", "other@example.com").json()["code"] == "display_name_reserved"


@pytest.mark.parametrize("name", ["Mike", "李小龍", "Staffan", "Supporters Club", "System Of A Town", "🦊"])
@pytest.mark.django_db
def test_display_name_that_pretends_nothing_is_accepted(client, name):
    assert register(client, name).status_code == 201


def test_skeleton_differs_for_different_names():
    names = ["Acme", "Acne", "Akme", "Mike", "Mika", "李小龍", "李小", "한국", "José Maria", "Maria"]
    assert len({skeleton(name) for name in names}) == len(names)
