"""GET /metrics: who may read it, and its format."""

import pytest
from django.db import OperationalError
from prometheus_client.parser import text_string_to_metric_families

from auctioncraft.core import metrics

pytestmark = pytest.mark.django_db
TOKEN = "t" * 40
HERE = {"REMOTE_ADDR": "127.0.0.1"}


def scrape(client, token=None, **more):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.get("/metrics", headers=headers, **more)


def test_metrics_with_token_answers_prometheus_text(client, settings):
    settings.METRICS_TOKEN = TOKEN
    answer = scrape(client, TOKEN)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert answer["Cache-Control"] == "private, no-store"
    families = list(text_string_to_metric_families(answer.content.decode()))
    assert "stripe_events_waiting" in [family.name for family in families]
    assert all(family.documentation and family.type != "unknown" for family in families)


@pytest.mark.parametrize("token", [None, "", "x", TOKEN[:-1], TOKEN + "x", "Bearer", "é", TOKEN.upper()])
def test_metrics_without_token_answers_401(client, settings, token):
    settings.METRICS_TOKEN = TOKEN
    answer = scrape(client, token and token.encode().decode("latin-1"), **HERE)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json() == {"code": "token_not_valid", "detail": "Send the metrics token as a bearer token."}


def test_metrics_with_user_token_answers_401(as_user, staff, settings):
    settings.METRICS_TOKEN = TOKEN
    assert as_user(staff).get("/metrics").status_code == 401


@pytest.mark.parametrize(
    ("debug", "address", "status"),
    [
        (True, "127.0.0.1", 200),
        (True, "::1", 200),
        (True, "192.0.2.1", 404),
        (True, "", 404),
        (False, "127.0.0.1", 404),
    ],
)
def test_metrics_without_configured_token_is_local_in_development_only(client, settings, debug, address, status):
    settings.METRICS_TOKEN = ""
    settings.DEBUG = debug
    assert scrape(client, REMOTE_ADDR=address).status_code == status
    assert scrape(client, "", REMOTE_ADDR=address).status_code == status


def test_metrics_with_other_methods_answers_405(client, settings):
    settings.METRICS_TOKEN = TOKEN
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert client.post("/metrics", headers=headers).status_code == 405
    assert client.head("/metrics", headers=headers).status_code == 200


def test_metrics_with_database_down_answers_503(client, settings, monkeypatch):
    def away(_):
        raise OperationalError("the server closed the connection")

    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(metrics._AppsCollector, "collect", away)
    answer = scrape(client, TOKEN)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
