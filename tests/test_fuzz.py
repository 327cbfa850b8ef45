"""Short runs of the fuzzers (`make fuzz` is the long run): no 5xx, and no answer that the schema does not describe."""

import pytest

from tests import fuzz, fuzz_target, schemathesis_run

pytestmark = pytest.mark.servers


@pytest.fixture
def at(stack):
    with fuzz_target.start_fuzz_target(stack) as made:
        yield made


def test_generated_requests_and_raw_bytes_get_answers_as_in_the_schema(at):
    assert_answers_as_in_the_schema(at, roles=["seller"], phases="fuzzing")
    assert_raw_bytes_answered(at, requests=160)


@pytest.mark.nightly
def test_generated_requests_of_every_role_get_answers_as_in_the_schema(at):
    assert_answers_as_in_the_schema(at, roles=fuzz_target.CALLERS, phases="examples,fuzzing,stateful")


@pytest.mark.nightly
def test_many_raw_bytes_get_answers_as_in_the_schema(at):
    assert_raw_bytes_answered(at, requests=3200)


def assert_answers_as_in_the_schema(at, *, roles, phases):
    runs = {role: schemathesis_run.run(at, role, examples=1, seed=1, phases=phases) for role in roles}
    assert {role: found for role, (_, found) in runs.items() if found} == {}
    assert at.damage() == []
    assert all(sent > 50 for sent, _ in runs.values()), runs


def assert_raw_bytes_answered(at, *, requests):
    found = fuzz.attack(at, requests=requests, seed=1)
    assert found.faults == []
    assert found.sent == requests
    assert {200, 400, 401, 404} <= found.statuses.keys()


OPERATION = ("GET", "/a/", [])
JSON = {b"content-security-policy": b"a", b"content-type": b"application/json"}


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, JSON, b'{"code": "server_error", "detail": "a"}'),
        (200, JSON, b'{"id": "1"}'),
        (200, JSON, b'{"id": 1, "secret": 2}'),
        (200, JSON, b"{}"),
        (200, JSON, b"no JSON"),
        (201, JSON, b'{"id": 1}'),
        (400, JSON, b'{"detail": "a"}'),
        (400, JSON, b'{"code": "a", "detail": "Traceback (most recent call last)"}'),
        (404, {**JSON, b"content-type": b"text/html"}, b"<h1>Not found</h1>"),
        (200, {}, b""),
    ],
)
def test_verdict_of_an_answer_outside_the_schema_is_a_fault(status, headers, body):
    shape = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    schema = {
        "components": {"schemas": {"Thing": shape}},
        "paths": {"/a/": {"get": {"responses": {"200": {"content": content}}}}},
    }
    verdict = fuzz.Verdict(schema)
    assert verdict.on(fuzz.Answer(200, JSON, b'{"id": 1}'), OPERATION) == ""
    assert verdict.on(fuzz.Answer(status, headers, body), OPERATION) != ""


def test_verdict_of_a_document_in_the_schema_is_no_fault():
    responses = {"200": {"content": {"text/html": {"schema": {"type": "string"}}}}}
    schema = {"components": {"schemas": {}}, "paths": {"/a/": {"get": {"responses": responses}}}}
    page = fuzz.Answer(200, {**JSON, b"content-type": b"text/html; charset=utf-8"}, b"<h1>Receipt</h1>")
    verdict = fuzz.Verdict(schema)
    assert verdict.on(page, OPERATION) == ""
    assert verdict.on(page._replace(status=404), OPERATION) != ""
    assert verdict.on(page, ("POST", "/a/", [])) != ""


def test_parse_answers_with_sized_and_chunked_bodies_separates_them():
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 100 Continue\r\n\r\n"
    chunked = b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
    whole, rest = fuzz.parse_answers(sized + chunked + b"HTTP/1.1", head=False)
    assert [(answer.status, answer.body) for answer in whole] == [(200, b"{}"), (404, b"[]")]
    assert rest == b"HTTP/1.1"
