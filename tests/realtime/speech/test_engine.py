"""The pump of a speech with streams that the test plays."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Optional

import pytest

from soniox_sync.config import TtsStreamConfig
from soniox_sync.config.patience import Patience
from soniox_sync.errors import SonioxConnectionError, SonioxError, StateError, error_from_frame
from soniox_sync.protocol.tts import AudioChunk
from soniox_sync.realtime.speech.attempt import Attempt
from soniox_sync.realtime.speech.engine import Engine, PartEnd, PartQueue
from soniox_sync.realtime.speech.lengths import estimate_sec
from soniox_sync.realtime.speech.planner import Planner, SpeechLimits
from soniox_sync.sandbox import Sandbox
from tests.waiting import WAIT, ManualClock, eventually

CONFIG = TtsStreamConfig(
    model="tts-rt-v2",
    language="en",
    voice="Emma",
    audio_format="pcm_s16le",
    sample_rate=8000,
    stream_id="mine",
)
LOSS = SonioxConnectionError("lost")
REFUSED = error_from_frame({"error_code": 400, "error_type": "invalid_request"})


class Stream:
    """Stream whose audio and end the test makes up."""

    def __init__(self, config: TtsStreamConfig) -> None:
        self.config = config
        self.sent: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self.cancel_secs: list[float] = []  # how long each cancel() may take
        self.failed: list[SonioxError] = []
        self.error: Optional[SonioxError] = None  # of the next send
        self.observer: Any = None

    def observe(self, observer: Any) -> None:
        self.observer = observer

    def send_text(self, text: str, end: bool = False) -> None:
        if self.error is not None:
            raise self.error
        self.sent.put((text, end))

    def cancel(self, deadline: Any) -> None:
        self.cancel_secs.append(deadline.at_most(9.0))
        self.cancelled.set()

    def fail(self, error: SonioxError) -> None:
        self.failed.append(error)

    def hear(self, seconds: float, *, end: bool = False) -> None:
        self.observer.received(AudioChunk(bytes(int(seconds * 16000)), None, end))

    def next(self) -> tuple[str, bool]:
        return self.sent.get(timeout=WAIT)


class Opener:
    """Opens such streams."""

    def __init__(self) -> None:
        self.streams: queue.SimpleQueue[Stream] = queue.SimpleQueue()
        self.waits: list[float] = []
        self.replaced: list[SonioxConnectionError] = []
        self.refusal: Optional[SonioxError] = None
        self.is_closed = threading.Event()

    def prepare(self, connect_sec: Optional[float]) -> None:
        if self.refusal is not None:
            raise self.refusal

    def open(self, config: TtsStreamConfig, wait_sec: float, connect_sec: Optional[float]) -> Any:
        self.waits.append(wait_sec)
        stream = Stream(config)
        self.streams.put(stream)
        return stream

    def replace_connection(self, error: SonioxConnectionError) -> None:
        self.replaced.append(error)

    def interrupt(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.is_closed.set()


class Bench:
    """A speech whose text, service and consumer the test is. A context manager."""

    def __init__(
        self,
        opener: Optional[Opener] = None,
        config: TtsStreamConfig = CONFIG,
        **patience: Any,
    ) -> None:
        self.opener, self.clock = opener or Opener(), ManualClock(0)
        self.texts: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()
        self.engine = Engine(
            self._read(),
            self.opener,
            config,
            SpeechLimits(),
            Patience(**{"reconnect_base_delay_sec": 0.0, **patience}),
            clock=self.clock,  # type: ignore[arg-type]
        )

    def _read(self) -> Iterator[str]:
        while (text := self.texts.get()) is not None:
            yield text

    def __enter__(self) -> Bench:
        self.engine.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.texts.put(None)
        self.engine.close(WAIT)
        assert self.opener.is_closed.wait(WAIT)

    def write(self, *texts: Optional[str]) -> None:
        for text in texts:
            self.texts.put(text)

    def stream(self) -> Stream:
        found = self.opener.streams.get(timeout=WAIT)
        eventually(lambda: found.observer is not None, "the observer")
        return found

    def part(self) -> PartQueue:
        found = self.engine.parts.get(timeout=WAIT)
        assert isinstance(found, PartQueue)
        return found

    def poke(self) -> None:
        """Let the pump look at the clock."""
        self.engine._post(lambda: None)


def item(part: PartQueue, kind: type) -> Any:
    found = part.items.get(timeout=WAIT)
    assert isinstance(found, kind), found
    return found


def test_a_text_is_sent_on_one_stream_and_ends() -> None:
    """The consumer gets the part, its stream and its end, then the end of the speech."""
    with Bench() as bench:
        bench.write("Hello there. ")
        stream, part = bench.stream(), bench.part()
        assert item(part, Attempt).stream is stream
        assert stream.next() == ("Hello there. ", False)
        bench.write(None)
        assert stream.next() == ("", True)
        stream.hear(1.0, end=True)
        stream.observer.released(None)
        assert item(part, PartEnd).error is None
        end = bench.engine.parts.get(timeout=WAIT)
        assert isinstance(end, PartEnd) and end.error is None
        assert bench.opener.waits == [10.0]


def test_the_first_stream_has_the_id_that_was_given() -> None:
    """Each further one gets a number of its own behind it."""
    with Bench() as bench:
        bench.write("Hello. ", None)
        first = bench.stream()
        first.next()
        first.observer.released(LOSS)
        second = bench.stream()
        assert (first.config.stream_id, second.config.stream_id) == ("mine", "mine-2")


def test_a_pump_that_waits_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two events it decides nothing."""
    decided = threading.Semaphore(0)
    decide = Planner.decide

    def count(planner: Planner, now: float) -> Any:
        decided.release()
        return decide(planner, now)

    monkeypatch.setattr(Planner, "decide", count)
    with Bench() as bench:
        bench.write("Hello there. ")
        bench.stream().next()
        for _ in range(50):  # far more than there were events
            if not decided.acquire(timeout=0.2):
                break
        else:
            pytest.fail("the pump does not wait")


def test_cancelling_wakes_whoever_waits_for_a_stream() -> None:
    """In the queue of a part, and in that of the parts."""
    with Bench() as bench:
        bench.write("Hello there. ")
        stream, part = bench.stream(), bench.part()
        item(part, Attempt)
        bench.engine.cancel()
        item(part, PartEnd)
        assert isinstance(bench.engine.parts.get(timeout=WAIT), PartEnd)
        assert stream.cancelled.wait(WAIT)


def test_the_end_of_a_stream_counts_once() -> None:
    """One that was replaced, or whose part is over, has nothing more to say."""
    with Bench() as bench:
        bench.write("Hello there. ", None)
        first, part = bench.stream(), bench.part()
        old = item(part, Attempt)
        first.observer.released(LOSS)
        second = bench.stream()
        item(part, Attempt)
        bench.engine._post_stream_ended(old, None)
        second.hear(1.0, end=True)
        second.observer.released(None)
        assert item(part, PartEnd).error is None
        bench.engine._post_stream_ended(old, LOSS)
        end = bench.engine.parts.get(timeout=WAIT)
        assert isinstance(end, PartEnd) and end.error is None
        assert part.items.empty()


def test_a_stream_that_ends_before_its_text_is_followed_by_another() -> None:
    """It speaks what was not sent."""
    with Bench() as bench:
        bench.write("One. ")
        first, part = bench.stream(), bench.part()
        item(part, Attempt)
        assert first.next() == ("One. ", False)
        first.error = StateError("the stream is ended")
        bench.write("Two. ", None)
        eventually(lambda: bench.engine._planner.assigned_chars == 10, "the second sentence")
        first.observer.released(None)
        second = bench.stream()
        assert second.next()[0] == "Two. "


def two_parts(bench: Bench) -> tuple[Stream, PartQueue, Stream, PartQueue]:
    """Return the streams and queues of two parts: the first one's text has ended."""
    bench.write("One. ")
    first, part = bench.stream(), bench.part()
    item(part, Attempt)
    bench.clock.advance(3.0)  # the writer is quiet
    bench.poke()
    assert [first.next(), first.next()] == [("One. ", False), ("", True)]
    bench.write("Two. ")
    second, later = bench.stream(), bench.part()
    item(later, Attempt)
    return first, part, second, later


def test_an_error_for_good_ends_the_speech_after_its_part() -> None:
    """Later parts are cancelled, and the error is raised in its place."""
    with Bench() as bench:
        first, part, second, _ = two_parts(bench)
        first.observer.failed(REFUSED)
        assert item(part, PartEnd).error is REFUSED
        assert second.cancelled.wait(WAIT)
        assert second.cancel_secs == [0.0]


def test_an_error_for_good_also_ends_a_part_that_has_no_stream_yet() -> None:
    """A later part that waits for its next attempt is not attempted again."""
    with Bench(reconnect_base_delay_sec=60.0) as bench:
        first, part, second, _ = two_parts(bench)
        second.observer.released(LOSS)
        bench.stream().observer.released(LOSS)  # the first new attempt is made at once
        eventually(lambda: len(bench.engine._open_attempts) == 1, "the lost stream is gone")
        first.observer.failed(REFUSED)
        assert item(part, PartEnd).error is REFUSED


class WaitingOpener(Opener):
    """Opens no stream until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_now = threading.Event()

    def open(self, config: TtsStreamConfig, wait_sec: float, connect_sec: Optional[float]) -> Any:
        self.waits_now.set()
        assert self.is_closed.wait(WAIT)
        raise LOSS


def test_close_ends_an_opening_that_waits() -> None:
    """What the pump waits for is closed first, then the pump has ended."""
    opener = WaitingOpener()
    with Bench(opener) as bench:
        bench.write("One. ")
        assert opener.waits_now.wait(WAIT)
        bench.engine.close(WAIT)
        assert not bench.engine._thread.is_alive()


def test_the_length_of_compressed_audio_is_estimated_by_its_text() -> None:
    """Half of what it usually takes to speak it; raw audio is measured."""
    compressed = replace(CONFIG, audio_format="mp3", sample_rate=24_000)
    for config, expected in ((compressed, estimate_sec("Hello there. ") / 2), (CONFIG, 1.0)):
        with Bench(config=config) as bench:
            bench.write("Hello there. ")
            stream, part = bench.stream(), bench.part()
            stream.next()
            stream.hear(1.0)
            assert part.part.progress.audio_sec == pytest.approx(expected)
            assert expected > 0.0


def test_a_stream_without_audio_for_20_s_is_failed() -> None:
    """Its connection, too: nothing else can be expected on it."""
    with Bench() as bench:
        bench.write("One.", None)
        stream = bench.stream()
        assert stream.next() == ("One.", True)
        bench.clock.advance(20.0)
        bench.poke()
        eventually(lambda: stream.failed, "the failure")
        error = stream.failed[0]
        assert bench.opener.replaced[0] is error
        assert getattr(error, "code", None) == "stalled"
        assert "no audio from the service for 20 s" in str(error)


@pytest.mark.parametrize("kind", ["invalid_request", "invalid_stream_state"])
def test_a_refused_connection_is_the_answer(kind: str) -> None:
    """Another attempt would be refused in the same way: none is made."""
    bench = Bench()
    bench.opener.refusal = error_from_frame({"error_code": 400, "error_type": kind})
    with bench:
        bench.write("One.", None)
        assert item(bench.part(), PartEnd).error.error_type == kind
        assert bench.opener.waits == []


def test_the_times_of_a_speech_are_those_of_its_first_text_and_audio() -> None:
    """Later ones do not move them."""
    with Bench() as bench:
        bench.clock.advance(5.0)
        bench.write("One. ")
        stream = bench.stream()
        stream.next()
        bench.clock.advance(1.0)
        stream.hear(0.5)
        bench.clock.advance(1.0)
        bench.write("Two. ")
        stream.next()
        stream.hear(0.5)
        assert (bench.engine.first_text_at, bench.engine.first_audio_at) == (5.0, 6.0)


def test_a_speech_that_was_read_to_its_end_says_so() -> None:
    """In its repr, which tells what becomes of it."""
    with Sandbox(engines="tones") as sandbox, sandbox.client() as client:
        speech = client.realtime.speak("Hello.", voice="Emma")
        assert " speaking" in repr(speech)
        assert speech.audio_format == "wav"
        speech.read(WAIT)
        assert " finished" in repr(speech)
        speech.close()
        stopped = client.realtime.speak("Hello.", voice="Emma", audio_format="pcm_s16le")
        assert stopped.audio_format == "pcm_s16le"
        stopped.cancel()
        assert " cancelled" in repr(stopped)
        stopped.close()
