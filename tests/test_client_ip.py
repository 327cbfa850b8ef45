"""Where a request comes from."""

import pytest
from rest_framework.test import APIRequestFactory

from auctioncraft.core.client_ip import client_ip, user_agent


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "expected"),
    [
        (0, None, "192.0.2.1", "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (1, "8.8.8.8, 203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (2, "8.8.8.8, 203.0.113.9, 198.51.100.1", "192.0.2.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (1, None, "192.0.2.1", "192.0.2.1"),
        (1, "nonsense", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9,", "192.0.2.1", "192.0.2.1"),
        (1, "2001:db8::1", "192.0.2.1", "2001:db8::1"),
        (0, None, "::ffff:192.0.2.1", "192.0.2.1"),
        (0, None, "fe80::1%eth0", "fe80::1"),
        (0, None, "", None),
        (0, None, "unix:", None),
    ],
)
def test_client_ip(settings, proxies, forwarded, remote, expected):
    settings.NUM_PROXIES = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    assert client_ip(APIRequestFactory().get("/", REMOTE_ADDR=remote, **headers)) == expected


def test_user_agent_is_cut_and_printable():
    request = APIRequestFactory().get("/", HTTP_USER_AGENT="a\x00\x1b" + "b" * 300)
    assert user_agent(request) == "a" + "b" * 199
    assert user_agent(APIRequestFactory().get("/")) == ""
