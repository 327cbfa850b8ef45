"""The commands of README.md and docs/money.md as written, on what `make run` starts, with free ports."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from auctioncraft.core import jobs
from tests import servers

ROOT = Path(__file__).resolve().parent.parent
BLOCKS, MONEY = (
    re.findall(r"^```bash\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    for page in ("README.md", "docs/money.md")
)

pytestmark = pytest.mark.servers


def two_free_ports():
    """Return a free port whose next one is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def environment(var, port):
    ours = (
        "DATABASE_URL",
        "TEST_DATABASE_URL",
        "REDIS_URL",
        "STRIPE_",
        "EMAIL_",
        "CELERY_",
        "DJANGO_",
        "PYTEST_",
        "LOG_",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {
        "READ_DOT_ENV": "off",
        "DEBUG": "on",
        "PORT": str(port),
        "VAR_DIR": str(var),
        "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
    }


@pytest.fixture
def running(tmp_path, request):
    """Start what `make run` starts, with the parameter as environment; yield port, folder and process."""
    var, port = tmp_path / "var", two_free_ports()
    log = (tmp_path / "log").open("w")
    start = [sys.executable, "manage.py", "start"]
    surroundings = environment(var, port) | getattr(request, "param", {})
    process = subprocess.Popen(start, cwd=ROOT, env=surroundings, stdout=log, stderr=subprocess.STDOUT)
    try:
        await_answer(f"http://127.0.0.1:{port}/api/", process, tmp_path / "log")
        await_answer(f"http://127.0.0.1:{port + 1}/_double/", process, tmp_path / "log")
        servers.wait_until(lambda: (tmp_path / "log").read_text().count(" ready.") == len(jobs.THREADS), seconds=90)
        yield port, var, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def await_answer(url, process, log, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer:\n{log.read_text()}")


def follow(blocks, port, var):
    """Run the blocks as one script; return the finished process."""
    script = "\n".join(["set -euo pipefail", *blocks])
    # On a busy machine jobs take longer than the page waits, on a quiet one less.
    mailed = "cat var/mail/* 2>/dev/null | tr -d '\\r' | grep -E '^[0-9]{6}$' >/dev/null"
    script = script.replace("sleep 3\n", f"for _ in $(seq 600); do {mailed} && break; sleep 0.1; done\n")
    flush = "curl -s -o /dev/null -u sk_test_double: -X POST http://127.0.0.1:8001/_double/webhooks/flush\n"
    script = script.replace("sleep 2\n", flush)
    here = script.replace(":8000", f":{port}").replace(":8001", f":{port + 1}").replace("var/mail", f"{var}/mail")
    tour = subprocess.run(["bash", "-c", here], check=False, capture_output=True, text=True, timeout=120, cwd=var)
    assert tour.returncode == 0, tour.stdout + tour.stderr
    return tour


def test_readme_commands_work_as_written(running):
    port, var, process = running
    # The README shows this output; here it is asserted.
    tour = follow([*BLOCKS, 'echo; echo "$PRODUCT $WON"\n'], port, var)
    *_, status, title, _empty, _ids = tour.stdout.splitlines()
    assert status == "paid"
    assert title
    assert '"outcome":"leading"' in tour.stdout
    assert '"status":"succeeded"' in tour.stdout.replace(" ", "")
    assert '"name":"Brass telescope"' in tour.stdout
    checked = subprocess.run(
        [sys.executable, "manage.py", "check_invariants"],
        cwd=ROOT,
        env=environment(var, port),
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0, "the web server outlived Ctrl-C"


@pytest.mark.parametrize("running", [{"STRIPE_CONNECT": "on"}], indirect=True)
def test_money_page_commands_work_as_written(running):
    port, var, _ = running
    said = [line for line in follow([*BLOCKS, "echo", "\necho\n".join(MONEY)], port, var).stdout.splitlines() if line]
    assert any("'amount': '30.00'" in line and "'status': 'succeeded'" in line for line in said)
    assert any('"code":"refund_too_large"' in line and '"refundable":"53.50"' in line for line in said)
    assert any(line.endswith("}83.50") for line in said), "all of it has gone back"
    assert (var / "receipt.pdf").read_bytes().startswith(b"%PDF-")
    assert "Receipt AC-" in (var / "receipt.html").read_text()
    assert any('"last4":"4242"' in line for line in said)
    assert any('"state":"enabled"' in line for line in said)
