"""A signal handler may close what it interrupted, even if the interrupted call holds a lock."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import CancelToken, cancel
from soniox_sync._support import beside
from soniox_sync.errors import AbortError, SonioxConnectionError, SonioxError, StateError
from soniox_sync.runtime import signals
from tests.peers import RawPeer
from tests.realtime.servers import RAW, VOICE, client_for, connected_stt, connected_tts, raised_by

if not hasattr(signal, "SIGUSR1"):
    pytest.skip("these signals are POSIX's", allow_module_level=True)

# a deadlock would last forever
LIMIT = 10.0


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Event that is set when work beside a signal handler has ended, perhaps after the handler."""
    event = threading.Event()

    def run_beside(work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                event.set()

        beside.run_beside(run)

    for module in (signals, cancel):
        monkeypatch.setattr(module, "run_beside", run_beside)
    return event


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], Any]], list[float]]]:
    """Install a handler for SIGUSR1 that records its duration; a deadlock is broken."""
    before = signal.getsignal(signal.SIGUSR1)
    took: list[float] = []

    def install(act: Callable[[], Any]) -> list[float]:
        def handle(*_: object) -> None:
            began = time.monotonic()
            act()
            took.append(time.monotonic() - began)

        signal.signal(signal.SIGUSR1, handle)
        return took

    def broken(*_: object) -> None:
        raise AssertionError("the signal handler waits for what it interrupted")

    alarm = signal.signal(signal.SIGALRM, broken)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    yield install
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGUSR1, before)


class Interrupting:
    """Lock that sends a signal from its critical section, once."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._armed = True

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._armed and threading.current_thread() is threading.main_thread():
            self._armed = False
            signal.raise_signal(signal.SIGUSR1)

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


def test_a_session_is_closed_while_it_sends(
    raw_peer: RawPeer, on_signal: Any, ended: threading.Event
) -> None:
    """`close()` in a signal handler that interrupts `send_audio()` closes the session."""
    with connected_stt(raw_peer) as (session, _):
        took = on_signal(session.close)
        session._core._lock = Interrupting(session._core._lock)
        with contextlib.suppress(SonioxError):  # it may still send, or be the first to fail
            session.send_audio(b"\1" * 100)
        assert ended.wait(LIMIT)
        for _ in range(3):
            error = raised_by(lambda: session.send_audio(b"\1" * 100))
            assert isinstance(error, (StateError, SonioxConnectionError))
        assert len(took) == 1
        assert took[0] < 2 * beside._WAIT_SEC
        assert session.state == "closed"


def test_a_session_is_closed_while_its_send_waits(raw_peer: RawPeer, on_signal: Any) -> None:
    """A send that waits for a server that reads nothing ends when a signal handler closes."""
    with connected_stt(raw_peer) as (session, _):
        took = on_signal(session.close)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        error = raised_by(lambda: [session.send_audio(b"\1" * 60_000) for _ in range(10_000)])
        assert isinstance(error, (StateError, SonioxConnectionError))
        assert took
        assert session.state == "closed"


def test_a_token_cancels_what_it_interrupted(
    raw_peer: RawPeer, on_signal: Any, ended: threading.Event
) -> None:
    """A `CancelToken` works as well: calls raise `AbortError`."""
    token = CancelToken()
    session = client_for(raw_peer.url).realtime.stt(**RAW, cancel=token)
    with raw_peer.accept():
        on_signal(token.cancel)
        session._core._lock = Interrupting(session._core._lock)
        with contextlib.suppress(AbortError):
            session.send_audio(b"\1" * 100)
        assert ended.wait(LIMIT)
        assert isinstance(raised_by(lambda: session.send_audio(b"\1" * 100)), AbortError)
        session.close()


@pytest.mark.parametrize("act", ["cancel", "close"])
def test_a_stream_is_ended_while_it_sends(
    raw_peer: RawPeer, on_signal: Any, ended: threading.Event, act: str
) -> None:
    """`cancel()` and `close()` of a stream work in a handler that interrupts `send_text()`."""
    with connected_tts(raw_peer) as (connection, _):
        stream = connection.stream(**VOICE)
        on_signal(getattr(stream, act))
        multiplexer = connection._shared.current
        multiplexer._lock = Interrupting(multiplexer._lock)
        with contextlib.suppress(StateError):
            stream.send_text("a ")
        assert ended.wait(LIMIT)
        assert isinstance(raised_by(lambda: stream.send_text("a ")), StateError)
        connection.close()


def test_a_recording_is_ended_inside_its_own_lock(raw_peer: RawPeer, on_signal: Any) -> None:
    """A handler that interrupts a call of a recording ends it, and the call continues."""
    gate = threading.Event()

    def chunks() -> Iterator[bytes]:
        while not gate.wait(0.01):
            yield b"\1\0" * 160

    transcription = client_for(raw_peer.url).realtime.transcribe(chunks(), **RAW).start()
    recording = transcription.recording
    with raw_peer.accept():
        took = on_signal(recording.close)
        runtime = recording._runtime
        runtime._lock = Interrupting(runtime._lock)
        recording.finalize()
        assert took
        assert isinstance(raised_by(lambda: recording.wait(LIMIT)), AbortError)
        gate.set()
        recording.close()


def test_otherwise_a_close_runs_in_its_caller(raw_peer: RawPeer) -> None:
    """If nothing was interrupted no thread is started: `close()` is done when it returns."""
    ran: list[threading.Thread] = []

    @signals.safe_in_signal_handlers
    def act() -> None:
        ran.append(threading.current_thread())

    act()
    assert ran == [threading.main_thread()]

    def chunks() -> Iterator[bytes]:
        act()  # called by the library, as a signal handler would be
        yield b"\1"

    with connected_stt(raw_peer) as (session, _):
        session.send_stream(chunks())
        assert len(ran) == 2
        assert ran[1] is not threading.main_thread()
