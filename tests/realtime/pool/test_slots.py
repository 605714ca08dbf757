"""A slot tells its pool whether the server has answered, and is freed once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from soniox_sync.errors import BufferOverflowError, QuotaError, SonioxConnectionError
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.protocol.tts import AudioChunk, StreamRecord
from soniox_sync.realtime.pool.slot import PooledConnection, Slot
from tests.waiting import ManualClock


class Owner:
    """Pool that notes what its slots report."""

    def __init__(self) -> None:
        self.released: list[bool] = []
        self.exceeded = 0

    def release(self, _slot: Any, _connection: Any, received: bool) -> None:
        self.released.append(received)

    def limit_exceeded(self) -> None:
        self.exceeded += 1


def made() -> tuple[Slot, Any, PooledConnection, ManualClock]:
    """Return a slot, its pool, its connection, and the clock of all."""
    clock, shared, owner = ManualClock(), None, Owner()
    anything: Any = (shared, owner)
    connection = PooledConnection(anything[0], clock.now)
    return Slot(anything[1], connection), owner, connection, clock


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_pool_learns_whether_a_stream_was_answered(answers: int) -> None:
    """A slot freed without an answer says so, and is freed once, however often it is told."""
    slot, owner, _, _ = made()
    for _ in range(answers):
        slot.received(AudioChunk(b"x"))
    slot.released()
    slot.released()
    assert owner.released == [answers > 0] and slot.is_free


def test_an_answer_keeps_its_connection_fresh() -> None:
    """The time since which a connection is idle begins at the last thing received on it."""
    slot, _, connection, clock = made()
    before = connection.fresh_at
    clock.advance(7.0)
    assert connection.fresh_at == before
    slot.received(AudioChunk(b"x"))
    assert connection.fresh_at == before + 7.0


def test_only_a_limit_of_the_account_is_one() -> None:
    """A refusal for the limit of streams is reported to the pool; for money or a loss it is not."""
    slot, owner, _, _ = made()
    slot.failed(QuotaError("no money", error_type="organization_balance_exhausted"))
    slot.failed(SonioxConnectionError("lost"))
    slot.failed(BufferOverflowError("too slow"))  # of our side, with no type of the service's
    assert owner.exceeded == 0
    slot.failed(QuotaError("too many", error_type="limit_exceeded"))
    assert owner.exceeded == 1


def test_one_thread_moves_all_streams_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """While streams of a lost connection are moved, more of them start no second thread."""
    started: list[Any] = []

    class Started:
        def __init__(self, **how: Any) -> None:
            self._how = how

        def start(self) -> None:
            started.append(self._how["name"])

    monkeypatch.setattr(threading, "Thread", Started)
    slot, _, connection, _ = made()
    for _ in range(3):
        connection.reattach(slot)
    assert started == ["soniox-pool-move"]


@pytest.mark.parametrize(
    ("was_known", "has_received", "moves"),
    [(True, False, True), (False, True, True), (True, True, True), (False, False, False)],
)
def test_a_stream_moves_if_its_connection_once_worked(
    was_known: bool, has_received: bool, moves: bool
) -> None:
    """Open before the stream, or received from: then another connection is likely to work."""
    slot, _, _, _ = made()
    carrier = SimpleNamespace(has_received=has_received)
    anything: Any = (SimpleNamespace(carrier=carrier), carrier)
    record = StreamRecord("s1", {})
    record.phase, record.unanswered = TtsPhase.ACTIVE, [("Hi.", False)]
    anything[0].record = record
    slot.stream = anything[0]
    slot.known = anything[1] if was_known else None
    assert slot.detach(SonioxConnectionError("lost")) is moves
