"""Who carries out what a recording decides: its source's thread, or the pump while there is one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from soniox_sync import SonioxClient
from soniox_sync.config import SttConfig
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import AbortError, SonioxConnectionError
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.realtime.recording import pump as pump_module
from soniox_sync.realtime.recording.capture import StartConfig
from soniox_sync.realtime.recording.pump import Pump
from soniox_sync.realtime.recording.runtime import RecordingRuntime
from soniox_sync.recorder.actions import Action, Done, Finish, RecorderContext, Send, Wait
from soniox_sync.runtime.clock import Clock, process_clock
from tests.peers import BINARY, RawPeer
from tests.realtime.servers import client_for
from tests.waiting import WAIT, Task, eventually

CONFIG = SttConfig(audio_format="pcm_s16le", sample_rate=16_000, num_channels=1)
RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": 16_000, "num_channels": 1}
CHUNK = b"\1\0" * 1600


class Session:
    """Replacement for a `SessionCore`: open at once, and writes down who sends what."""

    def __init__(self, observer: Any, *, traced: bool = False) -> None:
        self.observer = observer
        self.connection = SimpleNamespace(log=lambda *args: None, is_traced=traced)
        self.is_open = True
        self.log: queue.SimpleQueue[tuple[str, bytes, str]] = queue.SimpleQueue()
        self.left: Optional[bytes] = None  # what the next `offer_audio()` leaves
        self.room = threading.Event()  # for what waits
        self.room.set()
        self.interrupt = False

    def _write(self, how: str, data: bytes = b"") -> None:
        self.log.put((how, data, threading.current_thread().name))

    def connect(self) -> None:
        """Be open."""

    def offer_audio(self, data: bytes) -> Optional[bytes]:
        if self.interrupt:
            self.interrupt = False
            raise KeyboardInterrupt
        self._write("offer", data)
        left, self.left = self.left, None
        return left

    def send_audio(self, data: bytes) -> None:
        assert self.room.wait(WAIT)
        self._write("send", data)

    def flush(self) -> None:
        assert self.room.wait(WAIT)
        self._write("flush")

    def finalize(self) -> None:
        self._write("finalize")

    def end_audio(self) -> None:
        self._write("end")

    def abort(self) -> None:
        self._write("abort")
        self.room.set()

    def next(self) -> tuple[str, bytes, str]:
        return self.log.get(timeout=WAIT)


class Source:
    """Source whose audio the test delivers, on the test's thread."""

    handlers: Any

    def __init__(self, *, is_live: bool = True) -> None:
        self.is_live = is_live

    def start(self, handlers: Any) -> None:
        self.handlers = handlers

    def stop(self) -> None:
        """Do nothing."""


class Listener:
    """Listener that keeps events, and the end."""

    def __init__(self) -> None:
        self.events: list[SttEvent] = []
        self.has_room = True
        self.too_much = SonioxConnectionError("too much")
        self.error: Optional[BaseException] = None

    def deliver(self, event: SttEvent, weight: int) -> bool:
        self.events.append(event)
        return self.has_room

    def overflow(self) -> SonioxConnectionError:
        return self.too_much

    def notify(self, notice: Any) -> None:
        """Ignore the notice."""

    def ask_reconnect(self, action: Any, answer: Callable[[bool], None]) -> bool:
        return False

    def ended(self, error: Optional[BaseException]) -> None:
        self.error = error


class Bench:
    """A recording with one session, which is open, has taken a chunk, and has no pump any more."""

    def __init__(self, *, is_live: bool = True, traced: bool = False, **options: Any) -> None:
        self.source, self.listener = Source(is_live=is_live), Listener()
        made: queue.SimpleQueue[Session] = queue.SimpleQueue()

        def make_session(config: SttConfig, observer: Any, cancel: Any) -> Any:
            session = Session(observer, traced=traced)
            made.put(session)
            return session

        self.runtime = RecordingRuntime(
            self.source,
            StartConfig(CONFIG),
            make_session,
            RecordingOptions(**options),
            # patience with a service that owes results
            RecorderContext(can_wait=not is_live, finish_timeout_sec=0.05),
            self.listener,  # type: ignore[arg-type]
            process_clock,
        )
        self.runtime.start()
        self.source.handlers.on_data(CHUNK)
        self.session = made.get(timeout=WAIT)
        assert self.session.next()[1] == CHUNK
        self.await_rest()
        # whichever thread has sent that, the next chunk is sent by the one that brings it
        self.bring()
        self.session.next()
        self.await_rest()

    def await_rest(self) -> None:
        """Wait until the pump has ended."""
        eventually(lambda: self.runtime._pump._thread is None)

    def bring(self, data: bytes = CHUNK) -> None:
        self.source.handlers.on_data(data)

    def receive(self, total_ms: int) -> None:
        tokens = [Token("word", total_ms - 50, total_ms, 1.0, True)]
        event = SttEvent("result", Result(tokens, total_ms, total_ms))
        self.session.observer.received(event)

    def end(self) -> None:
        self.runtime.cancel(AbortError("the test has ended"))
        assert self.runtime.over.wait(WAIT)


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Let pumps end soon after their last work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pump_module, "_LINGER_SEC", 0.02)
        yield


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.end()


def name() -> str:
    return threading.current_thread().name


# -- who sends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_live", [True, False])
def test_audio_is_sent_by_the_thread_that_brings_it(is_live: bool) -> None:
    """A chunk goes out inside `on_data()`, and no pump is started for it."""
    bench = Bench(is_live=is_live)
    for n in range(3):
        bench.bring(CHUNK + bytes([n, 0]))
        assert bench.session.next() == ("offer", CHUNK + bytes([n, 0]), name())
        assert bench.runtime._pump._thread is None
    bench.end()


def test_a_result_leads_to_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result is delivered without asking what to do, and without waking anybody."""
    monkeypatch.setattr(bench.runtime.recorder, "next", lambda now: pytest.fail("was asked"))
    bench.receive(90)
    monkeypatch.undo()
    assert [event.text for event in bench.listener.events] == ["word"]
    assert bench.runtime._pump._thread is None


def test_a_chunk_leads_to_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk is sent without asking what to do."""
    bench.bring()
    monkeypatch.setattr(bench.runtime.recorder, "next", lambda now: pytest.fail("was asked"))
    bench.bring(CHUNK + b"\3\3")
    monkeypatch.undo()
    assert [bench.session.next()[:2] for _ in range(2)] == [
        ("offer", CHUNK),
        ("offer", CHUNK + b"\3\3"),
    ]


def test_a_pause_is_no_quiet_time(bench: Bench) -> None:
    """What a live source brings during a pause is not sent; after it, it is."""
    bench.bring()
    bench.runtime.command(bench.runtime.recorder.pause)
    bench.bring(b"\1\1")
    bench.runtime.command(bench.runtime.recorder.resume)
    bench.bring(b"\2\2")
    sent = [bench.session.next()[:2] for _ in range(3)]
    assert sent == [("offer", CHUNK), ("finalize", b""), ("offer", b"\2\2")]


def test_an_overflow_ends_a_quiet_recording(bench: Bench) -> None:
    """A result for which there is no room fails the recording although nobody else asks."""
    bench.bring()
    bench.listener.has_room = False
    bench.receive(90)
    assert bench.runtime.over.wait(WAIT)
    assert bench.listener.error is bench.listener.too_much


def test_a_service_that_waits_is_asked_for_results() -> None:
    """A source that fills the window is held; then the service is asked to finalize, in time."""
    bench = Bench(is_live=False, replay_window_sec=1.0)
    feeding = Task(lambda: [bench.bring() for _ in range(10)])
    sent = [bench.session.next()[0] for _ in range(9)]
    assert sent == ["offer"] * 8 + ["finalize"]
    assert not feeding.done
    bench.receive(1000)
    feeding.result()
    bench.end()


def test_what_has_to_wait_is_the_pumps(bench: Bench) -> None:
    """Audio that does not fit is sent by the pump, and later audio behind it, in order."""
    session = bench.session
    session.room.clear()
    session.left = b"not taken"
    bench.bring(b"\1\1")
    bench.bring(b"\2\2")  # returns although the pump waits
    assert session.next() == ("offer", b"\1\1", name())
    assert session.log.empty()
    session.room.set()
    assert session.next() == ("send", b"not taken", "soniox-recording")
    assert session.next() == ("send", b"\2\2", "soniox-recording")
    bench.await_rest()
    bench.bring(b"\3\3")
    assert session.next() == ("offer", b"\3\3", name())


def test_a_message_cut_short_is_completed(bench: Bench) -> None:
    """If a part of a message waits for room the pump writes it, without waiting for more audio."""
    bench.session.left = b""
    bench.bring()
    assert bench.session.next()[0] == "offer"
    assert bench.session.next() == ("flush", b"", "soniox-recording")


def test_a_backlog_is_the_pumps(bench: Bench) -> None:
    """A thread that brings audio does not send minutes of it."""
    session = bench.session
    session.room.clear()
    session.left = b"not taken"
    bench.bring()
    bench.bring(CHUNK * 100)  # 10 s, while the pump waits; it is then sent in messages of 250 ms
    session.room.set()
    eventually(lambda: session.log.qsize() > 30)
    bench.await_rest()
    senders = [session.next()[2] for _ in range(session.log.qsize())]
    assert senders == [name()] + ["soniox-recording"] * (len(senders) - 1)


def test_no_trace_runs_on_the_thread_of_a_live_source() -> None:
    """With a trace, whose callable may take its time, the pump sends what a live source brings."""
    bench = Bench(traced=True)
    bench.bring()
    assert bench.session.next() == ("send", CHUNK, "soniox-recording")
    bench.end()
    waiting = Bench(is_live=False, traced=True)
    waiting.bring()
    assert waiting.session.next() == ("offer", CHUNK, name())
    waiting.end()


def test_ctrl_c_while_sending_gives_the_turn_back(bench: Bench) -> None:
    """An interrupted `on_data()` on the main thread does not stop the recording."""
    bench.session.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        bench.bring(b"\1\1")
    bench.bring(b"\2\2")
    assert bench.session.next()[:2] == ("offer", b"\2\2")


# -- the turn -------------------------------------------------------------------------------------


def test_what_changes_during_a_turn_is_done_after_it(bench: Bench) -> None:
    """`finalize()` and the end of the source while the pump waits for room are not forgotten."""
    session = bench.session
    session.room.clear()
    session.left = b"not taken"
    bench.bring()
    assert session.next()[0] == "offer"
    bench.runtime.command(bench.runtime.recorder.finalize)
    bench.source.handlers.on_end()
    assert session.log.empty()
    session.room.set()
    assert [session.next()[0] for _ in range(3)] == ["send", "finalize", "end"]


def test_commands_are_carried_out_by_the_pump(bench: Bench) -> None:
    """`finalize()` does not send on the user's thread."""
    bench.runtime.command(bench.runtime.recorder.finalize)
    assert bench.session.next() == ("finalize", b"", "soniox-recording")


def test_cancel_ends_a_send_that_waits(bench: Bench) -> None:
    """`cancel()` cuts the session on which the pump waits for room, and all ends at once."""
    session = bench.session
    session.room.clear()
    session.left = b"not taken"
    bench.bring()
    bench.runtime.cancel(AbortError("enough"))
    assert bench.runtime.over.wait(WAIT)
    assert session.next()[0] == "offer"
    assert session.next() == ("abort", b"", name())


def test_a_recording_ends_without_another_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread can be started the recording fails, and its caller ends it: it never hangs."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    bench.runtime.command(bench.runtime.recorder.finalize)
    monkeypatch.undo()
    assert bench.runtime.over.is_set()
    error = bench.listener.error
    assert isinstance(error, SonioxConnectionError)
    assert str(error) == "recording failed: can't start new thread"
    assert bench.session.next()[0] == "abort"


def test_a_mistake_in_a_decision_ends_the_recording(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong while deciding is logged and reported, whoever asked; nothing hangs."""

    def fail(now: float) -> Action:
        raise ZeroDivisionError("of the test")

    monkeypatch.setattr(bench.runtime.recorder, "next", fail)
    bench.runtime.command(lambda: None)
    assert bench.runtime.over.wait(WAIT)
    monkeypatch.undo()
    assert str(bench.listener.error) == "recording failed: ZeroDivisionError('of the test')"
    assert "the pump of a recording failed" in caplog.text


def test_close_does_not_wait_for_itself(bench: Bench) -> None:
    """The pump, where it calls a source's `stop()`, does not wait for its own end."""
    joinable: list[bool] = []
    bench.source.stop = lambda: joinable.append(bench.runtime.is_joinable)  # type: ignore[method-assign]
    assert bench.runtime.is_joinable
    bench.end()
    assert joinable == [False]


# -- the pump alone -------------------------------------------------------------------------------


class Moments(Clock):
    """Clock that a test moves; timers run when it does."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.timers: list[Any] = []

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        timer = SimpleNamespace(when=when, callback=callback, is_cancelled=False)
        timer.cancel = lambda: setattr(timer, "is_cancelled", True)
        self.timers.append(timer)
        return timer


class Plan:
    """Work of a pump: what `decide()` returns is set by the test."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clock = Moments()
        self.due: list[Action] = []
        self.until: Optional[float] = None
        self.done: queue.SimpleQueue[tuple[Action, int]] = queue.SimpleQueue()
        self.pump = Pump(self.lock, self.clock, self)
        self.pump.is_enabled = True

    def decide(self) -> Action:
        return self.due.pop(0) if self.due else Wait(self.until)

    def perform(self, action: Action) -> bool:
        self.done.put((action, threading.get_ident()))
        return isinstance(action, Done)

    def changed(self) -> object:
        return self.pump.look()

    def fail(self, error: BaseException) -> None:
        self.due = [Done(error)]

    def look(self) -> None:
        with self.lock:
            self.pump.look()
        self.pump.start_if_needed()


def test_one_timer_looks_at_the_first_time() -> None:
    """An earlier time replaces the timer, a later one is looked for when the timer has run."""
    plan = Plan()
    timers = plan.clock.timers
    for until, whens in ((None, []), (9.0, [9.0]), (12.0, [9.0]), (5.0, [9.0, 5.0])):
        plan.until = until
        plan.look()
        assert [timer.when for timer in timers] == whens
    assert timers[0].is_cancelled
    plan.until = 12.0
    timers[1].callback()
    assert timers[2].when == 12.0
    plan.due = [Finish(0), Done()]
    timers[2].callback()
    assert [plan.done.get(timeout=WAIT)[0] for _ in range(2)] == [Finish(0), Done()]


def test_a_pump_ends_and_starts_again() -> None:
    """One thread does what comes close together; after a rest there is another one."""
    plan = Plan()
    plan.due = [Finish(1), Finish(2)]
    plan.look()
    first = [plan.done.get(timeout=WAIT) for _ in range(2)]
    assert len({ident for _, ident in first}) == 1
    eventually(lambda: plan.pump._thread is None)
    plan.due = [Finish(3)]
    plan.look()
    assert plan.done.get(timeout=WAIT)[0] == Finish(3)
    eventually(lambda: plan.pump._thread is None)


def test_nobody_asks_while_somebody_has_the_turn() -> None:
    """A second thread gets nothing to send before the first has sent, who then looks again."""
    plan = Plan()
    plan.due = [Send(0, b"1"), Send(0, b"2")]
    with plan.lock:
        assert plan.pump.look(may_send=True) == Send(0, b"1")

    def other() -> Optional[Send]:
        with plan.lock:
            return plan.pump.look(may_send=True)

    assert Task(other).result() is None
    with plan.lock:
        assert plan.pump.release()  # somebody came in vain
        assert plan.pump.look(may_send=True) == Send(0, b"2")
        assert not plan.pump.release()


def test_before_the_start_nothing_is_done() -> None:
    """No session is opened before the source has started."""
    plan = Plan()
    plan.pump.is_enabled = False
    plan.due = [Done()]
    plan.look()
    assert plan.due
    assert plan.pump._thread is None


# -- threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["iterable", "live"])
def test_a_running_recording_has_three_threads(client: SonioxClient, way: str) -> None:
    """The source's thread, the reader and the consumer: no pump once the session is open."""
    before = set(threading.enumerate())
    go_on = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield CHUNK
        assert go_on.wait(WAIT)

    if way == "iterable":
        recording = client.realtime.transcribe(chunks(), **RAW).start().recording
    else:
        feeder = Feeder()
        recording = client.realtime.record(source=feeder, **RAW)
        feeder.handlers.on_data(CHUNK)

    def names() -> list[str]:
        new = set(threading.enumerate()) - before
        ours = [t.name.rstrip("0123456789-") for t in new if t.name.startswith("soniox")]
        return sorted(n for n in ours if n != "soniox-clock" and "sandbox" not in n)

    expected = ["soniox-reader"] + (["soniox-source-iterable"] if way == "iterable" else [])
    eventually(lambda: names() == expected)
    go_on.set()
    recording.close()


def test_a_slow_connection_blocks_no_live_source() -> None:
    """`on_data()` returns while the server reads nothing; then it gets everything, in order."""
    feeder, peer = Feeder(), RawPeer(receive_buffer=4096)
    # 100 s of audio at once: without a limit of pace, and less than is kept
    recording = client_for(peer.url).realtime.record(source=feeder, catch_up_speed=None, **RAW)
    seconds = [n.to_bytes(4, "big") * 8000 for n in range(100)]
    try:
        feeder.handlers.on_data(seconds[0])
        with peer.accept() as remote:
            assert remote.recv_frame().json["audio_format"] == "pcm_s16le"
            feeding = Task(lambda: [feeder.handlers.on_data(each) for each in seconds[1:]])
            feeding.result(WAIT)
            got = bytearray()
            while len(got) < len(seconds) * 32_000:
                frame = remote.recv_frame()
                got += frame.payload if frame.opcode == BINARY else b""
            assert got == b"".join(seconds)
    finally:
        recording.close()
        peer.close()


class Feeder:
    """Live source without a thread: the test's own brings the audio."""

    is_live = True
    handlers: Any

    def start(self, handlers: Any) -> None:
        self.handlers = handlers

    def stop(self) -> None:
        """Do nothing."""
