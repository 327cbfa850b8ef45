"""The multipart form of an image upload."""

import pytest

from auctions.tests.images.image_helpers import make_image, stored_names, url

pytestmark = pytest.mark.django_db

# --- The form ----------------------------------------------------------------------------------------------------

BOUNDARY = 'multipart/form-data; boundary="x"'


def part(name, content, filename="a.png", more=b""):
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return b"--x\r\n" + disposition.encode() + b"\r\n" + more + b"\r\n" + content + b"\r\n"


@pytest.fixture
def raw(as_user, seller, product):
    """Return a function that posts any body."""
    caller = as_user(seller)
    return lambda body, content_type=BOUNDARY, **more: caller.generic(
        "POST", url(product), body, content_type=content_type, **more
    )


def test_upload_with_minimal_form_is_accepted(raw):
    assert raw(part("image", make_image(), more=b"Content-Type: image/png\r\n") + b"--x--\r\n").status_code == 201


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (part("image", b"\x00") + b"--x--", "multipart/form-data"),
        (part("image", b"\x00") + b"--x--", "multipart/form-data; boundary="),
        (part("image", b"\x00") + b"--x--", "multipart/form-data; boundary=é"),
        (part("image", b"!", more=b"Content-Transfer-Encoding: base64\r\n") + b"--x--", BOUNDARY),
        (part("image", make_image()) * 2 + b"--x--", BOUNDARY),
        (part("name", b"a", None) * 2 + b"--x--", BOUNDARY),
        (b"".join(part(f"f{n}", b"a") for n in range(200)) + b"--x--", BOUNDARY),
        (b"".join(part(f"f{n}", b"a", None) for n in range(2000)) + b"--x--", BOUNDARY),
    ],
    ids=["no boundary", "empty", "odd", "base64", "twice", "a field twice", "200 files", "2,000 fields"],
)
def test_upload_with_malformed_form_is_refused(raw, body, content_type):
    answer = raw(body, content_type)
    assert (answer.status_code, answer.json()["code"], set(answer.json())) == (400, "invalid", {"code", "detail"})
    assert stored_names() == []


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"nonsense", b"--x--", part("picture", b"\x00") + b"--x--", part("image", b"") + b"--x--"),
        *(
            part("image", b"text", None) + b"--x--",
            part("image", b"\x00", "") + b"--x--",
            part("image", make_image())[:60],
        ),
    ],
)
def test_upload_without_image_names_the_missing_field(raw, body):
    answer = raw(body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", ["image"])


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json", "application/x-www-form-urlencoded", "image/png", "text/plain", "nonsense"),
        *("multipart/mixed; boundary=x", "multipart/form-data; boundary=x; charset=hex"),
        "multipart/form-data; boundary=x; charset=utf-16",
    ],
)
def test_upload_with_another_content_type_is_unsupported(raw, content_type):
    answer = raw(part("image", make_image()) + b"--x--", content_type)
    assert (answer.status_code, answer.json()["code"], set(answer.json())) == (
        *(415, "unsupported_media_type"),
        {"code", "detail"},
    )


def test_upload_of_the_maximum_size_is_accepted(send):
    """Send an image with trailing bytes, of the maximum size."""
    image = make_image("JPEG", (100, 100))
    assert send(image + b"\x00" * (5_242_880 - len(image))).status_code == 201


@pytest.mark.parametrize("size", [5_242_881, 5_400_000, 12_000_000])
def test_upload_above_the_maximum_size_is_too_large(send, size):
    answer = send(make_image("JPEG", (100, 100)) + b"\x00" * size)
    assert answer.status_code == 413
    assert answer.json() == {"code": "body_too_large", "detail": "The request body is too large: at most 5,120 KB."}
    assert stored_names() == []


def test_upload_with_large_other_fields_is_too_large(raw):
    answer = raw(part("name", b"a" * 2_700_000, None) + b"--x--")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_upload_in_chunks_is_refused_without_length(raw):
    answer = raw(b"", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


# --- Body sizes ---------------------------------------------------------------------------------------------------
