"""A stream whose second connection is lost before the thread that waits for it goes on."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.realtime.pool.slot import Slot


class Reattacher:
    """Stands for the pooled connection; notes who asks for another one."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.count = 0

    def reattach(self, slot: Slot) -> None:
        self.count += 1
        self.asked.release()


def test_a_waiting_writer_gets_yet_another_connection() -> None:
    """A stream without text asks for no connection by itself, but its writer already waits."""
    connection: Any = Reattacher()
    slot = Slot(SimpleNamespace(), connection)  # type: ignore[arg-type]
    record = SimpleNamespace(unanswered=[], phase=TtsPhase.NEW)
    slot.stream = SimpleNamespace(record=record, carrier=None)  # type: ignore[assignment]
    assert slot.detach(SonioxConnectionError("lost"))
    writer = threading.Thread(target=slot.await_connection, daemon=True)
    writer.start()
    connection.asked.acquire()
    # attached to another one, and lost again before the writer has noticed: it still waits
    assert slot.detach(SonioxConnectionError("lost again"))
    slot.request_connection()
    assert connection.count == 2
    assert slot.attach(SimpleNamespace())  # type: ignore[arg-type]
    writer.join()
