"""Shared by tests of the `Sender`."""

from __future__ import annotations

import socket

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from soniox_sync.transport.sockets import DuplexSocket, SendTimeout
from tests.peers import TEXT, Remote
from tests.waiting import WAIT, Task

BIG = b"x" * 300_000


class Scripted(DuplexSocket):
    """Socket that accepts as many bytes per call as scripted, and raises scripted exceptions."""

    def __init__(self, *script: object, last: int = 1 << 30) -> None:
        super().__init__(socket.socket())
        self.script = list(script)
        self.last = last
        self.wire = bytearray()
        self.offers: list[bytes] = []
        self.waits = 0
        self.was_cut = False

    def try_send(self, data: object) -> int:
        taken = self.script.pop(0) if self.script else self.last
        offered = bytes(data)  # type: ignore[call-overload]
        self.offers.append(offered)
        if isinstance(taken, BaseException):
            raise taken
        if callable(taken):
            taken = taken(self, offered)
        assert isinstance(taken, int)
        self.wire += offered[:taken]
        return min(taken, len(offered))

    def await_room(self, deadline: Deadline) -> None:
        self.waits += 1
        if deadline.passed:
            raise SendTimeout("no room in the script")

    def shutdown(self) -> None:
        self.was_cut = True

    def frames(self) -> list[tuple[int, bytes]]:
        """Parse what was sent; a partial frame fails the test."""
        ours, theirs = socket.socketpair()
        with ours, Remote(theirs) as remote:
            feeder = Task(lambda: (ours.sendall(bytes(self.wire)), ours.shutdown(1)))
            found = [(got.opcode, got.payload) for got in remote.frames_to_end()]
            feeder.result()
        return found


def text(content: str) -> bytes:
    return encode_frame(TEXT, content.encode())


def soon() -> Deadline:
    return Deadline(WAIT)
