"""Request limits: exact under concurrency, and off while the cache is down."""

import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from types import SimpleNamespace

import pytest
import time_machine
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.urls import get_resolver
from django_redis.cache import RedisCache
from redis.connection import Connection
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import RedisError
from rest_framework.test import APIRequestFactory

from auctioncraft import metrics
from auctioncraft.api import throttling
from auctioncraft.core.errors import TooManyRequests
from tests import factories

REDIS = "redis://127.0.0.1:6379/15"
OUTSIDE = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture
def limits(settings, monkeypatch):
    """Set limits, as `limits(reads_account=2)`. The clock stops 20 seconds into a minute."""

    def choose(**chosen):
        named = {".".join(name.rsplit("_", 1)): number for name, number in chosen.items()}
        settings.LIMITS = dict.fromkeys(settings.LIMITS, 0) | named
        settings.LIMIT_WINDOWS = {"export": 3600}

    cache.clear()
    monkeypatch.setattr(throttling, "_counter", throttling._Counter())
    with time_machine.travel("2026-11-23T10:00:20Z", tick=False):
        yield choose
    cache.clear()


def redis_cache():
    """Return a cache on Redis, if a server is running."""
    made = RedisCache(REDIS, {"KEY_PREFIX": token_hex(8)})
    try:
        made.get("nothing")
    except RedisError:
        pytest.skip("no Redis at 127.0.0.1:6379")
    return made


@pytest.fixture(params=["locmem", "redis"])
def some_cache(request, monkeypatch):
    made = redis_cache() if request.param == "redis" else LocMemCache(token_hex(8), {})
    monkeypatch.setattr(throttling, "cache", made)
    return made


def test_limit_of_five_with_sixteen_at_once_admits_five(some_cache, limits):
    limits(reads_account=5)
    start = threading.Barrier(16)

    def four_times(who):
        start.wait(60)
        return sum(is_let_in(who) for _ in range(4))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number in range(5):
            with ThreadPoolExecutor(16) as threads:
                assert sum(threads.map(four_times, [number] * 16)) == 5
    finally:
        sys.setswitchinterval(before)


def is_let_in(user_id, address="203.0.113.7"):
    try:
        throttling.count_request("reads", APIRequestFactory().get("/", REMOTE_ADDR=address), user_id=user_id)
    except TooManyRequests:
        return False
    return True


def test_count_of_two_limits_is_one_round_trip_and_its_keys_expire(limits, monkeypatch):
    made = redis_cache()
    monkeypatch.setattr(throttling, "cache", made)
    limits(reads_account=5, reads_network=7)
    assert is_let_in(1)  # connects
    sent, whole = [], Connection.send_packed_command
    monkeypatch.setattr(Connection, "send_packed_command", lambda self, *a, **k: sent.append(a) or whole(self, *a, **k))
    assert is_let_in(1)
    assert len(sent) == 1
    minute = int(time.time() // 60)
    for who in ("account:1", "network:203.0.113.0/24"):
        assert made.client.get_client().get(made.make_key(f"throttle:reads.{who}:{minute}")) == b"2"
        assert 0 < made.ttl(f"throttle:reads.{who}:{minute}") <= 7200


def test_large_limit_is_reserved_in_parts_and_never_passed(some_cache, limits, monkeypatch):
    limits(reads_account=400)
    asked = []
    whole = throttling._increment
    monkeypatch.setattr(throttling, "_increment", lambda wanted: asked.append(wanted) or whole(wanted))
    processes = [throttling._Counter(), throttling._Counter()]
    admitted = 0
    for number in range(1000):
        monkeypatch.setattr(throttling, "_counter", processes[number % 7 == 0])
        admitted += is_let_in(1)
    assert 360 <= admitted <= 400
    assert len(asked) <= 2 + 10


def test_caller_over_the_limit_asks_the_cache_no_more(some_cache, limits, monkeypatch):
    limits(reads_account=2)
    assert [is_let_in(1) for _ in range(3)] == [True, True, False]
    monkeypatch.setattr(throttling, "_increment", None)
    assert not is_let_in(1)


def test_many_accounts_of_one_network_share_its_limit(limits):
    limits(reads_account=2, reads_network=3)
    assert [is_let_in(number, f"203.0.113.{number}") for number in range(1, 5)] == [True, True, True, False]
    assert is_let_in(9, "203.0.114.1")
    assert [is_let_in(20 + number, f"2001:db8:1:{number}::1") for number in range(4)] == [True, True, True, False]
    assert is_let_in(30, "2001:db8:2::1")


@pytest.mark.django_db
def test_network_over_its_limit_is_told_so(client, limits):
    limits(reads_address=5, reads_network=1)
    assert client.get("/api/categories/", **OUTSIDE).status_code == 200
    answer = client.get("/api/categories/", REMOTE_ADDR="203.0.113.250")
    assert (answer.status_code, answer.json()) == (
        429,
        {
            "code": "throttled",
            "detail": "Too many requests from your network: at most 1 a minute. Try again in 40 seconds.",
        },
    )
    (refused,) = metrics.collect_metrics()
    assert [(sample.labels, sample.value) for sample in refused.samples] == [({"limit": "reads.network"}, 1)]


def test_metrics_without_cache_leave_out_the_refused_requests(monkeypatch):
    monkeypatch.setattr(metrics, "cache", RedisCache("redis://127.0.0.1:1", {}))
    assert list(metrics.collect_metrics()) == []


@pytest.mark.django_db
def test_second_export_after_two_in_an_hour_is_refused(as_user, bidder, limits):
    limits(export_account=2)
    caller = as_user(bidder)
    assert [caller.get("/api/users/me/export/").status_code for _ in range(3)] == [200, 200, 429]
    answer = caller.get("/api/users/me/export/")
    assert (answer["Retry-After"], answer.json()["detail"]) == (
        "3580",
        "Too many requests: at most 2 an hour. Try again in 3580 seconds.",
    )


def test_count_key_in_redis_expires():
    made = redis_cache()
    assert made.add("n", 1, 120)
    assert made.incr("n", 4) == 5
    assert 0 < made.ttl("n") <= 120
    made.delete("n")
    with pytest.raises(ValueError, match="not found"):
        made.incr("n")
    assert made.get("n") is None


@pytest.mark.django_db
def test_request_over_the_limit_answers_429_until_the_minute_ends(client, limits):
    limits(reads_address=2)
    for _ in range(2):
        assert client.get("/api/categories/", **OUTSIDE).status_code == 200
    answer = client.get("/api/products/", **OUTSIDE)
    assert (answer.status_code, answer["Retry-After"]) == (429, "40")
    detail = "Too many requests: at most 2 a minute. Try again in 40 seconds."
    assert answer.json() == {"code": "throttled", "detail": detail}
    assert client.get("/api/categories/", REMOTE_ADDR="203.0.113.8").status_code == 200
    with time_machine.travel("2026-11-23T10:00:59.9Z", tick=False):
        answer = client.get("/api/products/", **OUTSIDE)
        assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    with time_machine.travel("2026-11-23T10:01:00Z", tick=False):
        assert client.get("/api/products/", **OUTSIDE).status_code == 200


@pytest.mark.django_db
def test_limit_of_a_user_counts_all_addresses(as_user, bidder, rival, limits):
    limits(reads_account=1)
    assert as_user(bidder).get("/api/bids/", **OUTSIDE).status_code == 200
    assert as_user(bidder).get("/api/bids/", REMOTE_ADDR="203.0.113.8").status_code == 429
    assert as_user(rival).get("/api/bids/", **OUTSIDE).status_code == 200


@pytest.mark.django_db
def test_bids_have_their_own_limit_and_refused_ones_write_nothing(as_user, seller, bidder, limits):
    product = factories.product(seller)
    limits(bids_account=1, writes_account=1, reads_account=1)
    caller, url = as_user(bidder), f"/api/products/{product.pk}/bids/"
    assert caller.post(url, {"amount": "9"}).status_code == 201
    answer = caller.post(url, {"max_amount": "90"})
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert product.bids.count() == 1
    assert caller.post(f"/api/products/{product.pk}/watch/").status_code == 204
    assert caller.delete(f"/api/products/{product.pk}/watch/").status_code == 429
    assert caller.get(url).status_code == 200


@pytest.mark.django_db
def test_sign_in_endpoints_share_a_limit_per_network(client, limits):
    limits(sign_in_address=2)
    bad = {"username": "a@example.com", "password": "no"}
    assert client.post("/api/auth/token/", bad, **OUTSIDE).status_code == 401
    assert client.post("/api/auth/otp/verify/", {}, **OUTSIDE).status_code == 400
    for path in ("auth/token/", "auth/otp/request/", "auth/otp/verify/", "users/register/"):
        assert client.post(f"/api/{path}", {}, **OUTSIDE).status_code == 429
    for path in ("auth/token/refresh/", "auth/logout/", "stripe/webhook/"):
        assert client.post(f"/api/{path}", {}, **OUTSIDE).status_code in {400, 401}


@pytest.mark.django_db
def test_limit_counts_an_ipv6_prefix_as_one(client, limits):
    limits(reads_address=1)
    assert client.get("/api/categories/", REMOTE_ADDR="2001:db8:1:2::1").status_code == 200
    assert client.get("/api/categories/", REMOTE_ADDR="2001:db8:1:2:ffff::9").status_code == 429
    assert client.get("/api/categories/", REMOTE_ADDR="2001:db8:1:3::1").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("proxies", "expected"), [(0, 429), (1, 200)])
def test_forwarded_address_is_believed_only_from_known_proxies(client, limits, settings, proxies, expected):
    settings.NUM_PROXIES = proxies
    limits(reads_address=1)
    made_up = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 198.51.100.1"}
    assert client.get("/api/categories/", **made_up).status_code == 200
    assert client.get(
        "/api/categories/", **made_up | {"HTTP_X_FORWARDED_FOR": "2.2.2.2, 198.51.100.2"}
    ).status_code == (expected)
    same = made_up | {"HTTP_X_FORWARDED_FOR": "3.3.3.3, 198.51.100.1"}
    assert client.get("/api/categories/", **same).status_code == 429


@pytest.mark.django_db
def test_request_without_address_is_not_limited(client, limits):
    limits(reads_address=1)
    for _ in range(3):
        assert client.get("/api/categories/", REMOTE_ADDR="").status_code == 200


class Gone:
    """A cache whose server does not answer."""

    def __init__(self):
        self.asked = 0

    def incr(self, key, delta=1):
        self.asked += 1
        raise RedisGone


@pytest.mark.django_db
def test_cache_down_limits_nobody_and_logs_once_a_minute(client, limits, monkeypatch, caplog):
    limits(reads_address=1)
    gone, seconds = Gone(), [1000.0]
    monkeypatch.setattr(throttling, "cache", gone)
    monkeypatch.setattr(throttling, "_counter", throttling._Counter())
    monkeypatch.setattr(throttling.time, "monotonic", lambda: seconds[0])
    for _ in range(20):
        assert client.get("/api/categories/", **OUTSIDE).status_code == 200
    assert (gone.asked, caplog.text.count("requests are not limited")) == (1, 1)
    for _ in range(13):  # it is tried again every 5 s
        seconds[0] += throttling.CACHE_RETRY_DELAY
        assert client.get("/api/categories/", **OUTSIDE).status_code == 200
    assert (gone.asked, caplog.text.count("requests are not limited")) == (14, 2)
    monkeypatch.setattr(throttling, "cache", cache)
    seconds[0] += throttling.CACHE_RETRY_DELAY
    assert [client.get("/api/categories/", **OUTSIDE).status_code for _ in range(2)] == [200, 429]


@pytest.mark.django_db
def test_redis_that_hangs_delays_nobody(client, limits, monkeypatch, settings):
    limits(reads_address=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # As settings/services.py makes it.
        options = {"OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.25, "SOCKET_TIMEOUT": 0.25}}
        monkeypatch.setattr(throttling, "cache", RedisCache(f"redis://127.0.0.1:{silent.getsockname()[1]}", options))
        counter = throttling._Counter()
        monkeypatch.setattr(throttling, "_counter", counter)
        assert client.get("/api/categories/", **OUTSIDE).status_code == 200
        assert counter.asks_again_at > 0


@pytest.mark.django_db
def test_limit_zero_makes_no_cache_call(client, limits, monkeypatch):
    limits()
    gone = Gone()
    monkeypatch.setattr(throttling, "cache", gone)
    assert client.get("/api/categories/", **OUTSIDE).status_code == 200
    assert gone.asked == 0


@pytest.mark.parametrize(("own", "scope"), [("writes", "writes"), (None, None), (throttling.BY_METHOD, "reads")])
def test_scope_of_a_view_precedes_that_of_the_method(own, scope):
    view = SimpleNamespace(throttle_scope=own)
    assert throttling.get_scope(SimpleNamespace(method="GET"), view) == scope


def test_routes_with_their_own_scope_are_these():
    own = {}
    for callback in (pattern.callback for pattern in _patterns(get_resolver())):
        for action in getattr(callback, "actions", {}).values():
            view = callback.cls(**callback.initkwargs)
            view.action = action
            scope = getattr(view, "throttle_scope", throttling.BY_METHOD)
            if scope != throttling.BY_METHOD:
                own[view.basename, action] = scope
    assert own == {
        ("product-bid", "create"): "bids",
        ("product-image", "create"): "images",
        ("card", "begin_setup"): "sign_in",
        ("order", "receipt_pdf"): "writes",
        ("token", "refresh"): "writes",
        ("logout", "create"): "writes",
        ("stripe", "webhook"): None,
        ("my-account", "export"): "export",
    }


def _patterns(resolver):
    for pattern in resolver.url_patterns:
        yield from _patterns(pattern) if hasattr(pattern, "url_patterns") else (pattern,)
