"""Every email as it is sent: subject, headers, text and HTML."""

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
from notifications.services.notification_writer import notify
from notifications.tests.test_kinds import CONTEXT, MESSAGES

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:8000"
NEVER_ASKED = "AuctionCraft staff will never ask for it."
CODES = [*OneTimeCode.Purpose.values, "address_in_use"]
VOID = {"meta", "br"}
HEADERS = {
    "subject", "from", "to", "date", "message-id", "mime-version", "content-type",
    "auto-submitted", "x-auto-response-suppress",
}  # fmt: skip


class Page(HTMLParser):
    """Parses an email's HTML: tags with attributes, hidden text and visible text."""

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


def render_email(delivery):
    """Return the email as a mail server gets it, its text and its HTML."""
    mail = message_from_bytes(compose(delivery).message().as_bytes(), policy=policy.default)
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return mail, text.get_content(), html.get_content()


def subject_of(mail):
    """Return the unfolded subject. A long one begins with an empty line and the space of the fold."""
    return mail["subject"].removeprefix(" ")


def create_code(bidder, purpose):
    now = clock.now()
    changes = purpose in {"change_email", "address_in_use"}
    made = OneTimeCode.objects.create(
        email=bidder.email if purpose == "address_in_use" else "new@example.com",
        purpose="change_email" if changes else purpose,
        account=bidder if changes else None,
        nonce="n" * 32,
        created_at=now,
        expires_at=now + timedelta(minutes=10),
    )
    EmailDelivery.objects.create(code=made)
    return made, made.delivery


def create_notification(bidder, kind, variant, **more):
    source = more.pop("source", "test:1")
    notify(recipient=bidder, kind=kind, source=source, context=CONTEXT | more, variant=variant)
    return EmailDelivery.objects.select_related("notification__recipient", "code").get()


def words(text):
    """Return the text with single spaces."""
    return " ".join(text.split())


def check_email(delivery):
    """Check what is true of every email; return its subject, text and page."""
    mail, text, html = render_email(delivery)
    page = Page(html)
    subject = subject_of(mail)
    assert {name.lower() for name in mail} == HEADERS
    assert (mail["auto-submitted"], mail["x-auto-response-suppress"]) == ("auto-generated", "All")
    assert ("\n" in subject, len(mail["to"].addresses)) == (False, 1)
    assert not re.search(r"\d{6}", subject)

    # Nothing is loaded, so that opening it cannot be tracked, and there is no link.
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "a", "link", "script", "iframe", "form", "svg", "object"})
    names = {name for _, attributes in page.tags for name in attributes}
    assert names <= {
        "lang", "charset", "name", "content", "class", "style", "role", "align", "width", "cellpadding", "cellspacing"
    }  # fmt: skip
    assert not re.search(r"url\(|@import|https?:", html.replace(SITE, ""))

    # Dark mode: every background comes with a color, in both schemes.
    styles = [attributes.get("style") or "" for _, attributes in page.tags]
    assert all(re.search(r"(^|;)color:", style) for style in styles if "background" in style)
    classes = {attributes["class"] for _, attributes in page.tags if attributes.get("class")}
    assert classes == {"page", "card", "quiet"}
    dark = page.style.split("prefers-color-scheme: dark")[1]
    assert all(f".{name} {{" in dark for name in classes)
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.tags

    # The inbox preview has its own text; both parts say the same and name the sender.
    assert page.hidden.strip()
    assert words(text.replace("\n-- \n", "\n").removesuffix("\n")) in words(page.seen.replace(subject, "", 1))
    assert f"AuctionCraft, {SITE}" in text
    assert "None" not in text
    return subject, text, page


@pytest.mark.parametrize("purpose", CODES)
def test_code_email_is_well_formed_and_shows_the_code_first(bidder, purpose):
    code, delivery = create_code(bidder, purpose)
    digits = otp.derive_code(code)

    subject, text, page = check_email(delivery)

    if purpose == "address_in_use":
        assert digits not in text + page.seen + page.hidden
        return
    # First in both parts, but never in the subject or the preview, which locked phones show.
    assert text.startswith(f"{digits}\n\n")
    assert page.seen.split()[0] == digits
    assert digits not in subject + page.hidden
    assert NEVER_ASKED in text
    assert NEVER_ASKED in page.seen
    assert "expires 10 minutes after" in text


def test_code_email_subject_names_its_purpose(bidder):
    subjects = {}
    for purpose in CODES:
        code, delivery = create_code(bidder, purpose)
        subjects[purpose] = compose(delivery).subject
        code.delete()

    assert subjects == {
        "sign_in": "Your AuctionCraft sign-in code",
        "confirm": "Confirm a change of your AuctionCraft account",
        "reset": "Your AuctionCraft password reset code",
        "change_email": "Confirm your new AuctionCraft email address",
        "address_in_use": "This address already has an AuctionCraft account",
    }


@pytest.mark.parametrize(("kind", "variant"), MESSAGES)
def test_notification_email_is_well_formed_and_says_whether_it_is_optional(bidder, kind, variant):
    _, text, page = check_email(create_notification(bidder, kind, variant))

    assert page.tags.count(("h1", {"style": "margin:0;font-size:20px;line-height:1.3"})) == 1
    assert ("switch off emails like this one" in text) == KINDS[kind].optional
    assert ("are always sent" in text) != KINDS[kind].optional


def test_email_to_previous_address_says_that_it_was_an_account_address(bidder):
    previous = PreviousEmail.objects.create(user=bidder, email="old@example.com", replaced_at=clock.now())
    delivery = create_notification(bidder, "account_changed", "email", source=f"{PREVIOUS_EMAIL_SOURCE}{previous.pk}")

    mail, text, _ = render_email(delivery)

    assert mail["to"] == "old@example.com"
    assert "this was the address of an AuctionCraft account" in text
    check_email(delivery)


HOSTILE = '<img src=x onerror="alert(1)">&amp; {{ 7|add:7 }} {% now "Y" %}\r\nBcc: everybody@example.com'


def test_markup_template_tags_and_header_lines_in_a_product_name_stay_text(bidder):
    delivery = create_notification(bidder, "bid_voided", "", product=HOSTILE, reason="one line\nanother <b>line</b>")

    mail, text, html = render_email(delivery)

    assert (mail["bcc"], str(mail["to"])) == (None, "bidder@example.com")
    assert subject_of(mail).startswith(f"A bid on “{' '.join(HOSTILE.split())[:40]}")
    assert "Bcc: everybody@example. com" in text
    assert '<img src=x onerror="alert(1)">&amp; {{ 7|add:7 }} {% now "Y" %}' in text
    assert "<img" not in html
    assert "<b>" not in html
    assert "one line<br>another" in html
    assert '<img src=x onerror="alert(1)">&amp; {{ 7|add:7 }}' in words(Page(html).seen)


def test_subject_in_any_language_is_one_encoded_header(bidder):
    delivery = create_notification(bidder, "outbid", "", product="Крісло 🪑 李雷 " * 20)

    raw = compose(delivery).message().as_bytes()
    mail, _, _ = render_email(delivery)

    assert raw.isascii() or b"8bit" in raw
    assert all(line.isascii() and len(line) <= 998 for line in raw.split(b"\n\n")[0].splitlines())
    assert subject_of(mail).startswith("You were outbid on “Крісло 🪑 李雷")


def test_registration_code_email_warns_that_someone_else_may_have_chosen_the_password(settings):
    settings.REGISTRATION_REQUIRES_VERIFICATION = True
    registration.register(email="new@example.com", password="correct horse battery")
    mail = compose(EmailDelivery.objects.get())
    assert mail.subject == "Confirm your AuctionCraft registration"
    assert "activate your password" in mail.body
    assert "someone else chose the password" in mail.body
