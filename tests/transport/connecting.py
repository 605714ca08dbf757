"""Shared by tests of opening a connection."""

from __future__ import annotations

import socket
from typing import Any, Optional

import pytest

from soniox_sync import SonioxError
from soniox_sync.transport.connect import Target, open_socket
from soniox_sync.transport.deadline import Deadline
from tests.peers import Remote
from tests.waiting import WAIT

KEY = "a-secret-key-0123456789"


def target(url: str, **fields: Any) -> Target:
    return Target(url, headers=(f"Authorization: Bearer {KEY}",), **fields)


def attempt(goal: Target, seconds: Optional[float] = WAIT) -> socket.socket:
    return open_socket(goal, Deadline(seconds), lambda sock: None)


def refused(goal: Target, seconds: Optional[float] = WAIT) -> SonioxError:
    with pytest.raises(SonioxError) as caught:
        attempt(goal, seconds).close()
    error: Optional[BaseException] = caught.value
    while error is not None:  # the key is not in the whole chain
        assert KEY not in str(error)
        assert KEY not in repr(error)
        error = error.__cause__
    return caught.value


def answering(status: str, *headers: str, body: bytes = b"") -> Any:
    def answer(remote: Remote) -> bytes:
        head = "\r\n".join((f"HTTP/1.1 {status}", *headers)).encode("latin-1")
        return head + b"\r\n\r\n" + body

    return answer
