"""Rules of a slot and of the table that a service would show only at a bad moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from soniox_sync.errors import SonioxConnectionError, SonioxError
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.protocol.tts import StreamRecord
from soniox_sync.realtime.pool import slot as slot_module
from soniox_sync.realtime.pool.slot import PooledConnection, Slot
from soniox_sync.realtime.pool.table import SlotTable
from tests.waiting import ManualClock


class Shared:
    """Connection of a pool whose `start()` fails as often as told."""

    def __init__(self, *errors: SonioxError, usable: bool = True) -> None:
        self.current: Any = SimpleNamespace(is_usable=usable)
        self.errors = list(errors)
        self.starts = 0
        self.is_connected = self.runs_caller = False
        self.closed: list[float] = []

    def start(self, *_: Any, **__: Any) -> Any:
        self.starts += 1
        if self.errors:
            raise self.errors.pop(0)
        return SimpleNamespace(carrier=self.current)

    def close(self, wait_sec: float) -> None:
        self.closed.append(wait_sec)


class Owner:
    """Pool that its slots report nothing to."""

    def release(self, *_: Any) -> None:
        """Ignore it."""

    def limit_exceeded(self) -> None:
        """Ignore it."""


def slot_on(shared: Any) -> Slot:
    owner: Any = Owner()
    return Slot(owner, PooledConnection(shared, ManualClock().now))


def slot_of(phase: TtsPhase, *, text: str = "Hi.") -> tuple[Slot, Any]:
    """Return a slot with a stream in this phase, and the stream."""
    record = StreamRecord("s1", {})
    record.phase, record.unanswered = phase, [(text, False)]
    released: list[Optional[SonioxError]] = []
    stream: Any = SimpleNamespace(
        record=record,
        carrier=SimpleNamespace(has_received=True),
        is_handling=False,
        released=released.append,
        reports=released,
    )
    slot = slot_on(Shared())
    slot.stream = stream
    return slot, stream


# -- opening --------------------------------------------------------------------------------------

_LOST = SonioxConnectionError("lost")
_REFUSED = SonioxConnectionError("refused", code="handshake_rejected")


@pytest.mark.parametrize(
    ("error", "usable", "starts"), [(_LOST, True, 2), (_LOST, False, 1), (_REFUSED, True, 1)]
)
def test_a_stream_starts_again_if_its_idle_connection_was_lost(
    error: SonioxError, usable: bool, starts: int
) -> None:
    """Once; a connection that could not be opened, or a refusal, is the caller's error."""
    shared = Shared(error, usable=usable)
    slot = slot_on(shared)
    if starts == 2:
        slot.open(None, {}, None)
    else:
        with pytest.raises(SonioxConnectionError) as caught:
            slot.open(None, {}, None)
        assert caught.value is error
    assert shared.starts == starts


# -- moving ---------------------------------------------------------------------------------------


def test_only_a_detached_stream_is_attached() -> None:
    """One that never left its connection, or has ended meanwhile, stays what it is."""
    slot, stream = slot_of(TtsPhase.ACTIVE)
    before, other = stream.carrier, SimpleNamespace(has_received=False)
    carrier: Any = other
    assert slot.attach(carrier) is False and stream.carrier is before
    assert slot.detach(_LOST)
    assert slot.attach(carrier) is True and stream.carrier is other
    assert slot.attach(carrier) is False
    slot, stream = slot_of(TtsPhase.ACTIVE)
    assert slot.detach(_LOST)
    stream.record.phase = TtsPhase.DEAD
    assert slot.attach(carrier) is False


def test_a_stream_is_given_up_once() -> None:
    """Only between two connections; who asks learns whether it was."""
    slot, stream = slot_of(TtsPhase.ACTIVE)
    assert slot.give_up(_LOST) is False
    assert slot.detach(_LOST)
    assert slot.give_up(_REFUSED) is True
    assert stream.record.phase.is_over and stream.record.error is _REFUSED
    assert slot.give_up(_LOST) is False
    assert stream.reports == [_REFUSED]


def test_a_stream_with_text_moves_twice() -> None:
    """The third time it is lost it fails; moves without text do not count."""
    for phase, moves in ((TtsPhase.ACTIVE, 2), (TtsPhase.NEW, 5)):
        slot, stream = slot_of(phase)
        for _ in range(moves):
            assert slot.detach(_LOST)
            assert slot.attach(stream.carrier)
        assert slot.detach(_LOST) is (phase is TtsPhase.NEW)


@pytest.mark.parametrize(
    ("phase", "error", "unanswered", "moves"),
    [
        (TtsPhase.ACTIVE, _LOST, True, True),
        (TtsPhase.FINISHING, _LOST, True, True),
        (TtsPhase.ACTIVE, _REFUSED, True, False),
        (TtsPhase.ACTIVE, SonioxError("no connection's"), True, False),
        (TtsPhase.ACTIVE, _LOST, False, False),
        (TtsPhase.CANCELLED, _LOST, True, False),
    ],
)
def test_what_can_be_spoken_anew_moves(
    phase: TtsPhase, error: SonioxError, unanswered: bool, moves: bool
) -> None:
    """A loss, of a stream that is open and has not been answered."""
    slot, stream = slot_of(phase)
    if not unanswered:
        stream.record.unanswered = None
    assert slot.detach(error) is moves


# -- closing --------------------------------------------------------------------------------------


class ManualDeadline:
    """Deadline on a clock that the test moves."""

    clock = ManualClock()

    def __init__(self, seconds: Optional[float]) -> None:
        self._at = None if seconds is None else self.clock.now() + seconds

    @property
    def passed(self) -> bool:
        return self._at is not None and self.clock.now() >= self._at


def test_a_writer_is_waited_for_until_he_pauses_for_three_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each text begins the pause anew."""
    monkeypatch.setattr(slot_module, "Deadline", ManualDeadline)
    slot, stream = slot_of(TtsPhase.ACTIVE)
    stream.record.text_bytes = 3
    for _ in range(3):
        assert slot.is_worth_waiting()
        ManualDeadline.clock.advance(2.9)
        assert slot.is_worth_waiting()
        stream.record.text_bytes += 1
    assert slot.is_worth_waiting()
    ManualDeadline.clock.advance(3.0)
    assert not slot.is_worth_waiting()
    stream.record.phase = TtsPhase.FINISHING
    assert slot.is_worth_waiting()


def test_the_stream_that_closes_its_pool_is_not_waited_for() -> None:
    """Neither is one that is over."""
    slot, stream = slot_of(TtsPhase.FINISHING)
    assert slot.is_worth_waiting()
    stream.is_handling = True
    assert not slot.is_worth_waiting()
    assert not slot_of(TtsPhase.CANCELLED)[0].is_worth_waiting()


def table_of(shared: Any) -> SlotTable:
    return SlotTable(lambda: shared, 1, 5, ManualClock().now)


def test_closing_gives_up_streams_between_two_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the error that says so; connections are closed, and forgotten."""
    shared = Shared()
    table = table_of(shared)
    given_up: list[Any] = []
    kept, _ = slot_of(TtsPhase.ACTIVE)
    monkeypatch.setattr(kept, "give_up", given_up.append)
    monkeypatch.setattr(kept, "is_worth_waiting", lambda: False)
    table.take(0)
    assert table.keep(kept)
    table.close(0.0, 0.0)
    assert [error.code for error in given_up] == ["closed"]
    assert shared.closed == [0.0]
    assert table.connections == []


@pytest.mark.parametrize(("idle_sec", "made"), [(149.9, 1), (150.0, 2)])
def test_no_stream_starts_on_a_connection_that_was_idle_for_150_s(
    idle_sec: float, made: int
) -> None:
    """The server closes it after 180 s; it is retired, and another one made."""
    clock, opened = ManualClock(), []

    def open_connection() -> Any:
        opened.append(Shared())
        return opened[-1]

    table = SlotTable(open_connection, 1, 5, clock.now)
    connection, _ = table.take(0)
    table.release(None, connection, received=True)
    clock.advance(idle_sec)
    _, retired = table.take(0)
    assert len(opened) == made
    assert retired == ([connection] if made == 2 else [])


def test_an_old_connection_in_use_is_not_retired() -> None:
    """It takes no more streams; another one does."""
    clock = ManualClock()
    table = SlotTable(lambda: Shared(), 2, 10, clock.now)  # type: ignore[arg-type, return-value]
    old, _ = table.take(0)
    clock.advance(200.0)
    new, retired = table.take(0)
    assert new is not old and retired == []
    assert table.connections == [old, new]
