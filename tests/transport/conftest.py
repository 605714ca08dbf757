"""Fixtures of the tests of the transport."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Callable

import pytest

from soniox_sync.transport.sender import Sender
from soniox_sync.transport.sockets import DuplexSocket, wrap
from tests.peers import Remote
from tests.transport.senders import Scripted


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own proxy settings out of the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def scripted() -> Iterator[Callable[..., tuple[Sender, Scripted]]]:
    made: list[Scripted] = []

    def make(*script: object, last: int = 1 << 30) -> tuple[Sender, Scripted]:
        sock = Scripted(*script, last=last)
        made.append(sock)
        return Sender(sock), sock

    yield make
    for sock in made:
        sock.close()


@pytest.fixture
def pair() -> Iterator[tuple[Sender, Remote, DuplexSocket]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sock = wrap(ours)
    remote = Remote(theirs)
    yield Sender(sock), remote, sock
    sock.close()
    remote.close()
