"""Two projects on one machine: each has its own ports or reports which one is in use."""

import socket
import sys

import pytest
from django.core.management.base import CommandError

from auctioncraft import processes
from tests.servers import free_port


def test_start_on_a_used_port_names_it(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for taken, web in ((True, other.getsockname()[1]), (False, free_port())):
            settings.PORT = web
            settings.STRIPE_DOUBLE_PORT = free_port() if taken else other.getsockname()[1]
            with pytest.raises(CommandError, match=f"Port {other.getsockname()[1]} is taken"):
                processes.ensure_ports_free(web)


def test_start_on_another_port_rewrites_its_settings(settings, monkeypatch):
    settings.PORT = 8000
    started = []
    monkeypatch.setattr(processes.os, "execv", lambda *command: started.append(command))
    monkeypatch.setattr(processes, "_is_free", lambda port: True)
    monkeypatch.setenv("PORT", "8000")
    monkeypatch.setattr(sys, "argv", ["manage.py", "runserver", "8400"])
    processes.ensure_ports_free(8400)
    assert started == [(sys.executable, [sys.executable, "manage.py", "runserver", "8400"])]
    assert processes.os.environ["PORT"] == "8400"


def test_start_on_free_ports_keeps_them(settings):
    settings.PORT, settings.STRIPE_DOUBLE_PORT = free_port(), free_port()
    assert processes.ensure_ports_free(settings.PORT) is None
