"""docs/limits.md says what the settings say."""

import json
import os
import re
import subprocess
import sys

import pytest
from django.conf import settings

from auctioncraft import request_body
from auctioncraft.api import parsers
from auctions.image_processing import MAX_PIXELS
from payments.services import webhooks

PAGE = (settings.BASE_DIR / "docs/limits.md").read_text()


def load(**environment):
    """Return LIMITS as a process with this environment has it; the tests switch limits off."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    code = "import json; from auctioncraft import settings; print(json.dumps(settings.LIMITS))"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=kept | {"READ_DOT_ENV": "off", "DEBUG": "on", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def defaults():
    return json.loads(load().stdout)


def numbers(cells):
    return [int(cell.replace(",", "")) if cell[0].isdigit() else None for cell in cells]


def table(heading):
    """Return the rows of the first table under a heading, without its head."""
    lines = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]


def test_page_has_every_limit_with_its_number(defaults):
    documented, windows = {}, {}
    for cell, _, *columns, window in table("Requests"):
        scope = cell.strip("`")
        named = dict(zip(("account", "address", "network"), numbers(columns), strict=True))
        documented |= {f"{scope}.{who}": number for who, number in named.items() if number is not None}
        windows[scope] = int(window.removesuffix(" s").replace(",", ""))
    for name, _, every, new, _ in table("Quotas"):
        (documented[name.strip("`")], for_new) = numbers((every, new))
        if for_new is not None:
            documented[f"{name.strip('`')}.new"] = for_new
    assert documented == defaults
    assert {scope: seconds for scope, seconds in windows.items() if seconds != 60} == settings.LIMIT_WINDOWS


def test_page_has_the_sizes_of_bodies_and_images():
    json_size, brackets, image_size, other, timeout, slow, headers = (row[1] for row in table("Bodies"))
    assert json_size == f"{settings.JSON_MAX_SIZE // 1024} KB"
    assert brackets == f"{parsers.MAX_BRACKETS:,}"
    assert image_size == f"{settings.UPLOAD_MAX_SIZE // 1024:,} KB"
    assert other == f"{request_body.MAX_OTHER // 1024} KB" == f"{webhooks.MAX_BODY // 1024} KB"
    assert timeout == f"{settings.BODY_TIMEOUT:.0f} s, and 1 s for each {settings.BODY_MIN_RATE // 1024} KB"
    assert int(slow) == request_body.MAX_SLOW_OF_NETWORK
    assert headers == f"{request_body.MAX_HEADERS // 1024} KB"
    assert f"(over {request_body.SLOW_AFTER} s)" in PAGE
    megapixels = {kind: pixels // 1_000_000 for kind, pixels in MAX_PIXELS.items()}
    assert megapixels == {"JPEG": 25, "PNG": 12, "WEBP": 12}
    assert "A JPEG may have 25 megapixels, PNG and WebP 12" in PAGE


def test_web_processes_have_more_threads_than_bodies_are_read_at_once():
    procfile = (settings.BASE_DIR / "Procfile").read_text()
    threads = [int(number) for number in re.findall(r"--blocking-threads (\d+)", procfile)]
    assert len(threads) == 2
    assert min(threads) - request_body.MAX_READING >= 16


def test_limits_can_be_changed_by_the_environment(defaults):
    changed = json.loads(load(LIMITS="bids.account=7,listings.new=0").stdout)
    assert changed == defaults | {"bids.account": 7, "listings.new": 0}


def test_limits_with_an_unknown_name_do_not_start():
    done = load(LIMITS="bids.acount=7")
    assert done.returncode != 0
    assert "LIMITS names unknown limits: bids.acount" in done.stderr
