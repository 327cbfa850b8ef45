"""Every mail there is, as it goes out: subject, headers, both parts."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser

import pytest

from accounts.models import OneTimeCode, PreviousEmail
from accounts.services import otp, registration
from auctioncraft.core import clock
from notifications.email import PREVIOUS_EMAIL_SOURCE, compose
from notifications.kinds import KINDS
from notifications.models import EmailDelivery
from notifications.services.email_delivery import request_code
from notifications.services.notification_writer import notify
from notifications.tests.test_kinds import CONTEXT, MESSAGES

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:8000"
ASKED = "Nobody from AuctionCraft will ever ask you for it."
CODES = [*OneTimeCode.Purpose.values, "taken"]
VOID = {"meta", "br"}
HEADERS = {
    "subject", "from", "to", "date", "message-id", "mime-version", "content-type",
    "auto-submitted", "x-auto-response-suppress",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a mail's HTML: its tags with attributes, what is hidden, and what is seen."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.hidden, self.seen, self.style = [], [], "", "", ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, "display:none" in (dict(attrs).get("style") or "")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        inside = {tag for tag, _ in self.open}
        if "style" in inside:
            self.style += data
        elif any(hidden for _, hidden in self.open):
            self.hidden += data
        elif "body" in inside:
            self.seen += f"{data} "


def sent(delivery):
    """Return the mail as a mail server gets it, and its two parts."""
    mail = message_from_bytes(compose(delivery).message().as_bytes(), policy=policy.default)
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return mail, text.get_content(), html.get_content()


def subject_of(mail):
    """Return it unfolded: of a long one the first line is empty, and the next begins with the space of the fold."""
    return mail["subject"].removeprefix(" ")


def a_code(bidder, purpose):
    now = clock.now()
    changes = purpose in {"change_email", "taken"}
    made = OneTimeCode.objects.create(
        email=bidder.email if purpose == "taken" else "new@example.com",
        purpose="change_email" if changes else purpose,
        account=bidder if changes else None,
        nonce="n" * 32,
        created_at=now,
        expires_at=now + timedelta(minutes=10),
    )
    request_code(code=made)
    return made, made.delivery


def a_notice(bidder, kind, case, **more):
    source = more.pop("source", "test:1")
    notify(recipient=bidder, kind=kind, source=source, context=CONTEXT | more, case=case)
    return EmailDelivery.objects.select_related("notification__recipient", "code").get()


def words(text):
    """What is left when it does not matter how it is laid out."""
    return " ".join(text.split())


def check_well_made(delivery):
    """Hold what is true of every mail; return its subject, text, and page."""
    mail, text, html = sent(delivery)
    page = Page(html)
    subject = subject_of(mail)
    assert {name.lower() for name in mail} == HEADERS
    assert (mail["auto-submitted"], mail["x-auto-response-suppress"]) == ("auto-generated", "All")
    assert ("\n" in subject, len(mail["to"].addresses)) == (False, 1)
    assert not re.search(r"\d{6}", subject)

    # Nothing is fetched or followed, so nobody learns who opened it; no link to be taught to click on.
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "a", "link", "script", "iframe", "form", "svg", "object"})
    names = {name for _, attributes in page.tags for name in attributes}
    assert names <= {
        "lang", "charset", "name", "content", "class", "style", "role", "align", "width", "cellpadding", "cellspacing"
    }  # fmt: skip
    assert not re.search(r"url\(|@import|https?:", html.replace(SITE, ""))

    # One can see it in the dark: what sets a background sets a colour, and the other scheme sets both too.
    styles = [attributes.get("style") or "" for _, attributes in page.tags]
    assert all(re.search(r"(^|;)color:", style) for style in styles if "background" in style)
    classes = {attributes["class"] for _, attributes in page.tags if attributes.get("class")}
    assert classes == {"page", "card", "quiet"}
    dark = page.style.split("prefers-color-scheme: dark")[1]
    assert all(f".{name} {{" in dark for name in classes)
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.tags

    # The inbox shows a beginning that is meant for it; both parts say the same, and who it is from.
    assert page.hidden.strip()
    assert words(text.replace("\n-- \n", "\n").removesuffix("\n")) in words(page.seen.replace(subject, "", 1))
    assert f"AuctionCraft, {SITE}" in text
    assert "None" not in text
    return subject, text, page


@pytest.mark.parametrize("purpose", CODES)
def test_a_code_s_mail_is_well_made(bidder, purpose):
    code, delivery = a_code(bidder, purpose)
    digits = otp.derive_code(code)

    subject, text, page = check_well_made(delivery)

    if purpose == "taken":
        assert digits not in text + page.seen + page.hidden
        return
    # Where one looks: first in the text, first on the page. Where others look, on a locked phone: not.
    assert text.startswith(f"{digits}\n\n")
    assert page.seen.split()[0] == digits
    assert digits not in subject + page.hidden
    assert ASKED in text
    assert ASKED in page.seen
    assert "for 10 minutes" in text


def test_each_code_says_what_it_is_for(bidder):
    said = {}
    for purpose in CODES:
        code, delivery = a_code(bidder, purpose)
        said[purpose] = compose(delivery).subject
        code.delete()

    assert said == {
        "sign_in": "Your code to sign in to AuctionCraft",
        "reset": "Your code for a new AuctionCraft password",
        "change_email": "Your code to use this address with AuctionCraft",
        "taken": "There is an AuctionCraft account under this address",
    }


@pytest.mark.parametrize(("kind", "case"), MESSAGES)
def test_a_notice_s_mail_is_well_made(bidder, kind, case):
    _, text, page = check_well_made(a_notice(bidder, kind, case))

    assert page.tags.count(("h1", {"style": "margin:0;font-size:20px;line-height:1.3"})) == 1
    assert ("switch mails like this one off" in text) == KINDS[kind].optional
    assert ("is always sent" in text) != KINDS[kind].optional


def test_what_goes_to_a_former_address_does_not_call_it_an_account_s(bidder):
    former = PreviousEmail.objects.create(user=bidder, email="old@example.com", replaced_at=clock.now())
    delivery = a_notice(bidder, "account_changed", "email", source=f"{PREVIOUS_EMAIL_SOURCE}{former.pk}")

    mail, text, _ = sent(delivery)

    assert mail["to"] == "old@example.com"
    assert "this was the address of an account" in text
    check_well_made(delivery)


HOSTILE = '<img src=x onerror="alert(1)">&amp; {{ 7|add:7 }} {% now "Y" %}\r\nBcc: everybody@example.com'


def test_what_people_write_stays_what_they_wrote(bidder):
    """Markup, template tags and header lines in a product's name are text in every part."""
    delivery = a_notice(bidder, "bid_voided", "", product=HOSTILE, reason="one line\nanother <b>line</b>")

    mail, text, html = sent(delivery)

    assert (mail["bcc"], str(mail["to"])) == (None, "bidder@example.com")
    assert subject_of(mail) == f"A bid on “{' '.join(HOSTILE.split())}” was voided"
    assert "Bcc: everybody@example.com" in text
    assert '<img src=x onerror="alert(1)">&amp; {{ 7|add:7 }} {% now "Y" %}' in text
    assert "<img" not in html
    assert "<b>" not in html
    assert "one line<br>another" in html
    assert '<img src=x onerror="alert(1)">&amp; {{ 7|add:7 }}' in words(Page(html).seen)


def test_a_subject_of_any_language_is_one_encoded_header(bidder):
    delivery = a_notice(bidder, "outbid", "", product="Крісло 🪑 李雷 " * 20)

    raw = compose(delivery).message().as_bytes()
    mail, _, _ = sent(delivery)

    assert raw.isascii() or b"8bit" in raw
    assert all(line.isascii() and len(line) <= 998 for line in raw.split(b"\n\n")[0].splitlines())
    assert subject_of(mail).startswith("You were outbid on “Крісло 🪑 李雷")


def test_the_code_of_a_registration_says_whose_password_it_lets_in(settings):
    settings.REGISTRATION_REQUIRES_VERIFICATION = True
    registration.register(email="new@example.com", password="correct horse battery")
    mail = compose(EmailDelivery.objects.get())
    assert mail.subject == "Your code to register at AuctionCraft"
    assert "puts the password into force that was given at the registration" in mail.body
    assert "somebody else chose that password" in mail.body
