"""Request bodies: what the parsers refuse, and that every endpoint uses them."""

import re

import pytest
from django.urls import get_resolver
from uuid_utils.compat import uuid7

from auctions.models import Product
from notifications.services.notification_writer import notify
from tests import factories

pytestmark = pytest.mark.django_db

# Endpoints whose JSON body has required fields.
NEEDING = [
    "POST /api/auth/otp/request/",
    "POST /api/auth/otp/verify/",
    "POST /api/auth/token/",
    "POST /api/auth/token/refresh/",
    "POST /api/auth/logout/",
    "POST /api/auth/password/reset/",
    "POST /api/auth/password/reset/confirm/",
    "POST /api/users/register/",
    "POST /api/users/me/email/",
    "POST /api/users/me/email/confirm/",
    "POST /api/categories/",
    "POST /api/products/",
    "POST /api/products/{product}/bids/",
    "POST /api/products/{product}/bids/preview/",
    "POST /api/products/{product}/buy_now/",
    "POST /api/products/{product}/bids/{bid}/void/",
    "POST /api/products/{product}/extend/",
    "POST /api/products/{product}/cancel/",
    "DELETE /api/products/{product}/",
    "DELETE /api/categories/{category}/",
    "POST /api/payments/create-payment-intent/",
    "POST /api/payments/cards/",
    "PATCH /api/payments/cards/{card}/",
    "POST /api/payments/orders/{order}/record_payment/",
]
# Endpoints whose body is optional.
OPTIONAL = [
    "POST /api/products/{product}/close_auction/",
    "POST /api/products/{product}/accept_below_reserve/",
    "POST /api/products/{product}/relist/",
    "POST /api/products/{product}/offer_second_chance/",
    "POST /api/products/{product}/accept_second_chance/",
    "POST /api/products/{product}/decline_second_chance/",
    "POST /api/products/{product}/watch/",
    "DELETE /api/products/{product}/watch/",
    "PATCH /api/products/{product}/",
    "PATCH /api/categories/{category}/",
    "DELETE /api/auth/sessions/{session}/",
    "PATCH /api/users/me/",
    "DELETE /api/users/me/",
    "POST /api/users/me/code/",
    "POST /api/payments/orders/{order}/refund/",
    "POST /api/payments/seller/onboard/",
    "POST /api/payments/cards/setup/",
    "DELETE /api/payments/cards/{card}/",
    "POST /api/auth/notifications/{notification}/read/",
    "POST /api/auth/notifications/read_all/",
]
ADDRESSES = [*NEEDING, *OPTIONAL]
UPLOAD = "POST /api/products/{product}/images/"
# Endpoints without a body, or (Stripe's) with their own tests.
ELSEWHERE = [
    "DELETE /api/products/{product}/images/{image}/",
    "POST /api/stripe/webhook/",
    # They look for the payout first: payments/tests/test_held_payouts.py.
    "POST /api/payments/payouts/{payout}/hold/",
    "POST /api/payments/payouts/{payout}/release/",
]
# All endpoints share the parser: each gets one bad body, this one gets all of them.
ONE = "POST /api/products/"
TOO_LARGE = b'{"name": "' + b"a" * 131_072 + b'"}'
BAD = {
    "no JSON": b"name=Lamp",
    "cut short": b'{"name": "La',
    "1,100 deep": b"[" * 1100 + b"]" * 1100,
    "100,000 deep": b"[" * 100_000,
    "40,000 arrays": b'{"name": [' + b"[]," * 40_000 + b"[]]}",
    "65 deep": b'{"a":' * 65 + b"1" + b"}" * 65,
    "an array": b'[{"name": "Lamp"}]',
    "text": b'"Lamp"',
    "a number": b"5",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"amount": NaN}',
    "-Infinity": b'{"amount": -Infinity}',
    "an exponent beyond reason": b'{"amount": 1e99999999999999999999}',
    "too many digits": b'{"amount": ' + b"9" * 5000 + b"}",
    "NUL": b'{"name": "a\\u0000b", "email": "a@example.com"}',
    "NUL in a key": b'{"na\\u0000me": "a"}',
    "raw control character": b'{"name": "a\x00b"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "surrogate the wrong way round": b'{"name": "\\udc00\\ud800"}',
    "deep inside": b'{"name": {"a": [{"b": "\\udfff"}]}}',
    "the same key twice": b'{"amount": 1, "amount": 2}',
    "the same key twice below": b'{"a": {"b": 1, "b": 1}}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "Latin-1": b'{"name": "caf\xe9"}',
    "UTF-16": '{"name": "Lamp"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "Lamp"}',
    "trailing": b'{"name": "Lamp"} {}',
}


@pytest.fixture
def send(as_user, staff, seller):
    """Send a body to an endpoint as staff, who may call all of them."""
    product = factories.product(seller)
    caller = as_user(staff)
    notify(recipient=staff, kind="new_login", source="test", context={})
    notification = staff.notifications.get().pk
    ids = {
        "order": 1,
        "card": 1,
        "notification": notification,
        "product": product.pk,
        "category": product.category_id,
        "bid": uuid7(),
        "session": uuid7(),
    }

    def send(address, body, content_type="application/json"):
        method, path = address.split()
        return caller.generic(method, path.format(**ids), body, content_type=content_type)

    return send


def test_every_endpoint_with_a_body_is_listed_here():
    def walk(patterns, prefix=""):
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                yield from walk(pattern.url_patterns, path)
            else:
                actions = getattr(pattern.callback, "actions", None) or {}
                allowed = set(pattern.callback.cls.http_method_names) if actions else set()
                yield from (f"{method.upper()} /{path}" for method in allowed & {*actions} - {"get", "head"})

    found = {
        path.replace("^", "").replace("$", "")
        for path in walk(get_resolver().url_patterns)
        if path.split(" ")[1].startswith("/api/")
    }
    known = {re.sub(r"\{\w+\}", "…", address) for address in [*ADDRESSES, UPLOAD, *ELSEWHERE]}
    # The pattern of a lookup may have groups, but no slash.
    assert {re.sub(r"\(\?P<[^/]+\)(?=/)", "…", path) for path in found} == known


@pytest.mark.parametrize("address", ADDRESSES)
def test_endpoint_with_a_bad_body_type_or_size_refuses_it(send, address):
    answer = send(address, b"name=Lamp")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    answer = send(address, b'{"name": "Lamp"}', "text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    answer = send(address, TOO_LARGE)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert Product.objects.count() == 1


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_parser_with_a_bad_body_answers_400(send, body):
    answer = send(ONE, body)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/json"
    assert set(answer.json()) == {"code", "detail"}
    assert answer.json()["code"] == "invalid"
    assert Product.objects.count() == 1


@pytest.mark.parametrize("address", NEEDING)
def test_endpoint_without_a_required_body_names_the_missing_fields(send, address):
    for body in (b"", b"{}"):
        answer = send(address, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), body
        assert answer.json()["errors"]


@pytest.mark.parametrize("address", OPTIONAL)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", "application/json"), (b"", "text/plain"), (b"{}", "application/json"), (b'{"more": 1}', "application/json")],
    ids=["nothing", "nothing, called text", "an empty object", "what nobody asked for"],
)
def test_endpoint_with_an_optional_body_accepts_none(send, address, body, content_type):
    # 503: there is no Stripe here to save a card with.
    fine = {200, 204, 403, 404, 409, 503}
    if "refund" in address and b"more" in body:
        fine = {400}  # it could be a misspelt amount, without which everything would be refunded
    assert send(address, body, content_type).status_code in fine


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "nonsense",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
    ],
)
def test_parser_with_another_content_type_or_charset_answers_415(send, content_type):
    answer = send(ONE, b'{"name": "Lamp"}', content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert set(answer.json()) == {"code", "detail"}


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'application/json; charset="UTF-8"', "APPLICATION/JSON"]
)
def test_parser_with_utf8_as_charset_accepts_the_body(send, content_type):
    assert send("POST /api/categories/", '{"name": "Café"}'.encode(), content_type).status_code == 201


def test_parser_with_a_body_over_128_kilobytes_answers_413(send):
    answer = send(ONE, TOO_LARGE)
    assert answer.status_code == 413
    assert answer.json() == {"code": "body_too_large", "detail": "The request body is too large: at most 128 KB."}


def test_parser_with_sixty_four_levels_accepts_the_body(send):
    answer = send("POST /api/products/", b'{"a":' * 63 + b"{}" + b"}" * 63)
    assert "errors" in answer.json()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"image": "a.jpg"}', "application/json", 415),
        (b"image=a", "application/x-www-form-urlencoded", 415),
        (b"\xff\xd8\xff", "image/jpeg", 415),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 400),
        (
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nno file\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            400,
        ),
        (b"--x\r\nContent-Disp", "multipart/form-data; boundary=x", 400),
        (b"--x--\r\n", "multipart/form-data", 400),
        (b"--x--\r\n", "multipart/form-data; boundary=\xe9", 400),
    ],
)
def test_image_upload_without_a_multipart_file_is_refused(send, body, content_type, status):
    answer = send(UPLOAD, body, content_type)
    assert answer.status_code == status, answer.content
    assert answer.json()["code"] == {400: "invalid", 415: "unsupported_media_type"}[status]
