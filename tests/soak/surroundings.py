"""What surrounds the recordings of a storm: the way to the service, its ears, and a source."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Optional

import pytest

from soniox_sync.sandbox.engines.base import RecognitionResult
from soniox_sync.sandbox.engines.numbered import NumberedListener, NumberedRecognizer
from soniox_sync.sandbox.stt import recognition
from soniox_sync.sources import SourceAudio, contents
from tests.muxers import Muxed, StrictDecoder
from tests.network import Network
from tests.soak.schedules import Downtime, Plan

# the longest that a source of ours waits for anything
WAIT_SEC = 60.0


class StormNetwork(Network):
    """Lets the connections to each port meet the downtimes of that port."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self._downtimes: dict[int, list[Downtime]] = {}
        self._made: dict[int, int] = {}  # connections by port
        self._down_until: dict[int, tuple[float, str]] = {}

    def expect(self, port: int, downtimes: list[Downtime]) -> None:
        """Schedule the downtimes of a service."""
        with self._lock:
            self._downtimes[port] = sorted(downtimes, key=lambda each: each.attempt)
            self._made[port] = 0
            self._down_until.pop(port, None)

    def _outcome(self, port: int) -> str:
        now = time.monotonic()
        number = self._made.get(port, 0)
        self._made[port] = number + 1
        until, outcome = self._down_until.get(port, (0.0, "ok"))
        if now < until:
            return outcome
        due = self._downtimes.get(port, [])
        if due and due[0].attempt <= number:
            first = due.pop(0)
            self._down_until[port] = now + first.sec, first.outcome
            return first.outcome
        return "ok"


def _audible(result: RecognitionResult) -> RecognitionResult:
    """Leave out words of one millisecond, with which a replay may begin.

    At 44.1 kHz, and after audio was dropped within a millisecond, a word that ends at 432.99 ms is
    delivered as ending at 432 ms, where the next session starts.
    """
    final, partial = (
        tuple(word for word in words if word.end_ms - word.start_ms > 1)
        for words in (result.final, result.partial)
    )
    return replace(result, final=final, partial=partial)


class Session:
    """What one session of the service was sent: samples."""

    def __init__(self, inner: NumberedListener, *, hears_all: bool) -> None:
        self._inner = inner
        self._hears_all = hears_all  # even a millisecond of a word
        self.pcm = bytearray()

    def feed(self, pcm: bytes) -> Optional[RecognitionResult]:
        """Recognise audio."""
        self.pcm += pcm
        result = self._inner.feed(pcm)
        return result if result is None or self._hears_all else _audible(result)

    def finalize(self) -> RecognitionResult:
        """Make everything final."""
        result = self._inner.finalize()
        return result if self._hears_all else _audible(result)

    def close(self) -> None:
        """Do nothing."""


class Ears:
    """Recogniser of one schedule, which remembers what each session was sent."""

    def __init__(self, plan: Plan) -> None:
        self._inner = NumberedRecognizer(final_lag_ms=plan.final_lag_ms)
        self._hears_all = plan.speech.rate != 44100 and not plan.loses
        self.muxed = plan.muxed
        self.rate = plan.speech.rate
        self.sessions: list[Session] = []
        self.errors: list[AssertionError] = []  # of decoders

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> Session:
        """Return the listener of a session."""
        listener = self._inner.listen(
            sample_rate=sample_rate, languages=languages, endpoint_delay_ms=endpoint_delay_ms
        )
        self.sessions.append(Session(listener, hears_all=self._hears_all))
        return self.sessions[-1]


class _Decoder:
    """Decoder of one session that accepts only the container of the schedule."""

    def __init__(self, muxed: Muxed, ears: Ears) -> None:
        self._inner = StrictDecoder(muxed)
        self._ears = ears
        self.sample_rate = ears.rate

    def feed(self, data: bytes) -> bytes:
        try:
            return self._inner.feed(data)
        except AssertionError as error:
            self._ears.errors.append(error)
            raise

    def finish(self) -> bytes:
        return b""

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def surroundings() -> Iterator[StormNetwork]:
    """Replace the way to the service and its decoders, and let files be sent as they are."""
    make = recognition.AudioRecognizer.__init__

    def made(self: Any, world: Any, config: Any, stopped: Any) -> None:
        make(self, world, config, stopped)
        ears = world.recognizer
        if isinstance(ears, Ears) and ears.muxed is not None:
            self.decoder = _Decoder(ears.muxed, ears)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition.AudioRecognizer, "__init__", made)
        patch.setattr(contents, "open_decoded", lambda *_: None)
        network = StormNetwork(patch)
        try:
            yield network
        finally:
            network.close()


class StormSource:
    """Source that carries out the steps of a plan. A live one cannot be held back."""

    def __init__(self, plan: Plan) -> None:
        self.is_live = plan.way == "live"
        if plan.muxed is None:
            self.audio: Optional[SourceAudio] = SourceAudio("pcm_s16le", plan.speech.rate, 1)
        self._plan = plan
        self._stopped = threading.Event()
        self._thread: Optional[threading.Thread] = None
        self.recording: Any = None  # set before start()
        self.started = threading.Event()  # the recording is there
        self.delivered = threading.Event()
        self.crash: Optional[BaseException] = None

    def start(self, handlers: Any) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, args=(handlers,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._stopped.set()
        self.started.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(WAIT_SEC)

    def _run(self, handlers: Any) -> None:
        try:
            self._deliver(handlers)
        except BaseException as error:  # noqa: BLE001 - checked at the end of the schedule
            self.crash = error
        finally:
            self.delivered.set()

    def _deliver(self, handlers: Any) -> None:
        self.started.wait(WAIT_SEC)
        acts = {
            "pause": lambda: self.recording.pause(),
            "resume": lambda: self.recording.resume(),
            "finalize": lambda: self.recording.finalize(),
            "reconnect": lambda: self.recording.reconnect(),
            "mute": lambda: handlers.on_muted(),
            "unmute": lambda: handlers.on_unmuted(),
        }
        for step in self._plan.steps:
            if self._stopped.is_set():
                return
            if step.what == "data":
                handlers.on_data(step.data)
                self._pace(step.data)
            else:
                acts[step.what]()
                self._stopped.wait(0.02)
        if not (self._plan.ends_by_stop or self._stopped.is_set()):
            handlers.on_end()

    def _pace(self, data: bytes) -> None:
        plan = self._plan
        if plan.speed is None:
            return
        whole = len(plan.muxed.data) if plan.muxed is not None else len(plan.speech.pcm)
        seconds = len(plan.speech.pcm) / 2 / plan.speech.rate * len(data) / whole
        self._stopped.wait(seconds / plan.speed)
