"""Perfect recogniser of numbered audio, and everything around a `Recorder`, in virtual time."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from soniox_sync.audio.formats import RawAudio
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import SonioxConnectionError, error_from_frame
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.recorder.actions import (
    Abort,
    Action,
    Announce,
    Done,
    Finalize,
    Finish,
    Notice,
    Open,
    RecorderContext,
    RecordingState,
    RestartSource,
    Send,
    Wait,
)
from soniox_sync.recorder.recorder import Recorder
from tests.muxers import Muxed, StrictDecoder

AUDIO = RawAudio("pcm_s16le", 1000, 1)  # two bytes a millisecond: offsets are easy to read
BYTES_PER_MS = 2


@dataclass
class Speech:
    """Numbered audio: each word fills its span with its own number, silence is 0."""

    words: list[tuple[int, int, int]]  # number, start_ms, end_ms
    pcm: bytes = field(repr=False)

    @classmethod
    def random(cls, rng: random.Random, seconds: float) -> Speech:
        words: list[tuple[int, int, int]] = []
        pieces: list[bytes] = []
        position = 0
        pause = rng.randint(0, 800)
        for number in itertools.count(1):
            pieces.append(bytes(BYTES_PER_MS * pause))
            position += pause
            if position >= seconds * 1000:
                break
            length = rng.randint(80, 700)
            words.append((number, position, position + length))
            pieces.append(number.to_bytes(2, "little") * length)
            position += length
            pause = rng.randint(300, 2500) if rng.random() < 0.15 else rng.randint(0, 60)
        return cls(words, b"".join(pieces))


Spoken = tuple[str, int, int]  # text, start_ms, end_ms on the clock of one connection


class Recogniser:
    """Recognises the numbered audio of one connection.

    A word counts only if all of it was received; a part is recognised as a word that was never
    spoken. The work is linear in the audio, so hours of it are possible.
    """

    def __init__(self, speech: Speech, rng: random.Random, translate: bool = False) -> None:
        self._lengths = {number: end - start for number, start, end in speech.words}
        self.lag_ms = rng.choice([0, 50, 400, 1500])
        self._split = rng.random() < 0.5  # words are sent as two tokens
        self._translate = translate
        self._translation_lag = rng.randint(0, 6)
        self._run = (0, 0, 0)  # number, start and length of the current word
        self._pending: list[Spoken] = []  # tokens that are not final
        self._untranslated: list[str] = []
        self._final_ms = 0
        self.total_ms = 0
        self.ended = False

    def feed(self, data: bytes) -> None:
        for number, group in itertools.groupby(memoryview(data).cast("H")):
            length = len(list(group))  # samples at the speed of C
            if number == self._run[0]:
                self._run = (number, self._run[1], self._run[2] + length)
            else:
                self._close_run()
                self._run = (number, self.total_ms, length)
            self.total_ms += length
            if number and self._run[2] == self._lengths[number]:
                self._say(f" w{number}")
                self._run = (0, self.total_ms, 0)

    def _close_run(self) -> None:
        if self._run[0]:
            self._say(f" ~{self._run[0]}")

    def _say(self, text: str) -> None:
        _, start, length = self._run
        end, cut = start + length, start + length // 2
        if self._split and length > 1:
            self._pending += [(text[:2], start, cut), (text[2:], cut, end)]
        else:
            self._pending.append((text, start, end))

    def end(self) -> None:
        self.ended = True
        self._close_run()
        self._run = (0, self.total_ms, 0)

    def events(self, finalize: bool = False) -> list[SttEvent]:
        all_final = finalize or self.ended
        self._final_ms = max(
            self._final_ms, self.total_ms if all_final else self.total_ms - self.lag_ms
        )
        status = "original" if self._translate else None
        out = []
        while self._pending and self._pending[0][2] <= self._final_ms:
            text, start, end = self._pending.pop(0)
            out.append(Token(text, start, end, 0.9, True, "1", "en", status))
            self._untranslated.append(text)
        if self._translate:
            keep = 0 if self.ended else self._translation_lag
            while len(self._untranslated) > keep:
                text = self._untranslated.pop(0).upper()
                out.append(Token(text, is_final=True, translation_status="translation"))
        out += [Token(x, s, e, 0.5, False, "1", "en", status) for x, s, e in self._pending]
        events = [SttEvent("result", Result(out, self._final_ms, self.total_ms))]
        if finalize:
            events.append(SttEvent("finalized", Result((), self._final_ms, self.total_ms)))
        return events


@dataclass
class Connection:
    recogniser: Recogniser
    decoder: Optional[StrictDecoder] = None
    alive: bool = True
    bytes_received: int = 0
    drop_after_bytes: Optional[int] = None
    drop_error: Optional[BaseException] = None


@dataclass(order=True)
class Due:
    when: float
    order: int
    act: Callable[[], None] = field(compare=False)


class World:
    """Source, runtime and service for one `Recorder`, in virtual time."""

    def __init__(self, seed: int, options: RecordingOptions, seconds: float, **faults: Any) -> None:
        self.rng = random.Random(seed)
        self.has_results = False
        self.speech = Speech.random(self.rng, seconds)
        self.now = 0.0
        self._due: list[Due] = []
        self._order = itertools.count()
        context = RecorderContext(can_wait=faults.get("can_wait", False))
        self.recorder = Recorder(options, context, jitter=self.rng.random)
        self.connections: dict[int, Connection] = {}
        self.faults = faults
        mux = faults.get("mux")  # samples to a container
        self.muxed: Optional[Muxed] = mux(self.speech.pcm) if mux else None
        self.data = self.muxed.data if self.muxed else self.speech.pcm
        self.bytes_per_ms = len(self.data) * BYTES_PER_MS / len(self.speech.pcm)
        self.outcome: Optional[Done] = None
        # Since the last wait audio was captured and sent, and results received: then the runtime
        # asks only if the recorder is not settled.
        self.is_usual = False
        self.is_quiet = False  # it was settled at the last wait
        self.notices: list[Notice] = []
        self.events: list[SttEvent] = []
        self.finals: list[Token] = []
        self.translations: list[str] = []
        self.opens = 0
        self.max_held = 0
        self.captured_ms = 0

    def at(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, Due(self.now + delay, next(self._order), act))

    # -- the source

    def capture(self, position: int = 0) -> None:
        size = self.faults.get("every_ms") or self.rng.choice([20, 60, 120, 333])
        chunk = max(1, int(size * self.bytes_per_ms))
        data = self.data[position : position + chunk]
        if not data:
            self.recorder.stop()
            return
        if self.rng.random() < self.faults.get("pause", 0.0):
            self.pause(position)
            return
        if self.faults.get("can_wait") and self.recorder.must_wait:
            self.at(0.1, lambda: self.capture(position))
            return
        send = self.recorder.pass_through(data, self.now) if self.is_quiet else None
        if send is not None:
            self.perform(send)
        else:
            self.is_quiet = False
            self.recorder.capture(data)
        self.is_usual = True
        self.max_held = max(self.max_held, self.recorder.held_bytes)
        pace = self.faults.get("pace", 1.0)
        self.at(len(data) / self.bytes_per_ms / 1000 / pace, lambda: self.capture(position + chunk))

    def pause(self, position: int) -> None:
        """Pause as a finite source does: it is held back, and continues where it was."""
        self.recorder.pause()

        def resume() -> None:
            self.recorder.resume()
            self.capture(position)

        self.at(self.rng.uniform(0, 3), resume)

    # -- the service

    def open(self, number: int) -> None:
        self.opens += 1
        chance = self.faults.get("refuse", 0.0)
        if self.rng.random() < chance:
            self.at(
                self.rng.uniform(0, 2),
                lambda: self.recorder.failed(number, SonioxConnectionError("refused"), self.now),
            )
            return
        connection = Connection(
            Recogniser(self.speech, self.rng, self.faults.get("translate", False))
        )
        if self.muxed is not None:
            connection.decoder = StrictDecoder(self.muxed)
        connection.recogniser.lag_ms += self.faults.get("final_lag_ms", 0)
        if self.rng.random() < self.faults.get("drop", 0.0):
            connection.drop_after_bytes = self.rng.randint(0, 20_000) * BYTES_PER_MS
            connection.drop_error = self.rng.choice(
                [
                    SonioxConnectionError("lost"),
                    error_from_frame({"error_code": 503, "error_type": "service_unavailable"}),
                    error_from_frame({"error_code": 413, "error_type": "max_duration_reached"}),
                    error_from_frame({"error_code": 408, "error_type": "request_timeout"}),
                ]
            )
        self.connections[number] = connection
        self.at(self.rng.uniform(0, 1.5), lambda: self.recorder.opened(number, self.now))

    def say(self, number: int, events: list[SttEvent]) -> None:
        """Deliver after a lag, unless the connection is gone by then."""
        connection = self.connections[number]

        def deliver() -> None:
            if connection.alive:
                for event in events:
                    self.recorder.received(number, event, self.now)
                    self.is_usual = True

        self.at(self.lag(connection), deliver)

    def lag(self, connection: Connection) -> float:
        # one lag for all messages of a connection, so that they stay in order
        return float(self.faults.get("lag", 0.05))

    def kill(self, number: int, error: BaseException) -> None:
        connection = self.connections[number]
        if not connection.alive:
            return
        connection.alive = False
        if not self.has_results and getattr(error, "status_code", None) == 408:
            error = SonioxConnectionError("lost")  # a 408 at the start would end the recording
        self.at(0.0, lambda: self.recorder.failed(number, error, self.now))

    def perform(self, action: Any) -> None:
        if isinstance(action, Open):
            self.open(action.number)
        elif isinstance(action, Send):
            self.take(action.number, action.data)
        elif isinstance(action, Finalize):
            connection = self.connections[action.number]
            if connection.alive:
                self.say(action.number, connection.recogniser.events(finalize=True))
        elif isinstance(action, Finish):
            self.end(action.number)
        elif isinstance(action, Abort):
            if action.number in self.connections:
                self.connections[action.number].alive = False
        elif isinstance(action, Announce):
            self.recorder.announced(False, self.now)
        elif isinstance(action, RestartSource):
            raise AssertionError("audio that is kept never restarts its source")

    def take(self, number: int, data: bytes) -> None:
        connection = self.connections[number]
        if not connection.alive:
            return
        decoder = connection.decoder
        connection.recogniser.feed(data if decoder is None else decoder.feed(data))
        connection.bytes_received += len(data)
        limit = connection.drop_after_bytes
        if limit is not None and connection.bytes_received >= limit:
            assert connection.drop_error is not None
            self.at(self.rng.uniform(0, 0.5), lambda: self.kill(number, connection.drop_error))
            connection.drop_after_bytes = None
        self.say(number, connection.recogniser.events())

    def end(self, number: int) -> None:
        connection = self.connections[number]
        if not connection.alive:
            return
        # a session that is replaced by a rotation may end inside a unit
        if connection.decoder is not None and self.recorder.state is RecordingState.STOPPING:
            connection.decoder.end()
        connection.recogniser.end()
        self.say(number, connection.recogniser.events())

        def finish() -> None:
            if connection.alive:
                connection.alive = False
                self.recorder.finished(number, self.now)

        self.at(self.lag(connection), finish)

    # -- the runtime

    def take_notices(self) -> None:
        for notice in self.recorder.take_notices():
            if not isinstance(notice, SttEvent):
                self.notices.append(notice)
                continue
            self.events.append(notice)
            # not when it is sent: the recorder may have given up that session
            self.has_results |= notice.result.total_audio_proc_ms > 0
            if notice.kind == "result":
                for token in notice.result.final_tokens:
                    if token.is_translation:
                        self.translations.append(token.text)
                    else:
                        self.finals.append(token)

    def run(self, limit: float = 1e6) -> None:
        self.recorder.start()
        self.recorder.set_audio_format(None if self.muxed else AUDIO)
        self.at(0.0, self.capture)
        self.waits_until = 0.0
        for _ in range(2_000_000):
            is_settled = self.is_usual and (self.is_quiet or self.recorder.is_settled())
            action = self.recorder.next(self.now)
            if is_settled:
                self.check_settled(action)
            self.is_usual = self.is_usual and isinstance(action, (Send, Wait))
            self.take_notices()
            if isinstance(action, Done):
                self.outcome = action
                return
            if not isinstance(action, Wait):
                self.perform(action)
                continue
            self.waits_until = float("inf") if action.until is None else action.until
            self.is_quiet = self.recorder.is_settled() and not self.recorder.is_paused
            upcoming = [self._due[0].when] if self._due else []
            if action.until is not None:
                upcoming.append(action.until)
            assert upcoming, f"nothing will ever happen again: {self.recorder.state}"
            self.now = max(self.now, min(upcoming))
            assert self.now < limit, "the recording does not end"
            self.is_usual = False
            if self._due and self._due[0].when <= self.now:
                heapq.heappop(self._due).act()
        raise AssertionError("too many steps")

    # -- the checks

    def check_settled(self, action: Action) -> None:
        """Fail if something was to be done although the recorder need not have been asked."""
        if self.waits_until <= self.now:
            return  # time has passed: it is asked by a timer
        assert isinstance(action, Wait), action
        assert action.until is None or action.until >= self.waits_until

    def words(self) -> list[str]:
        return "".join(token.text for token in self.finals).split()

    def check_complete(self) -> None:
        assert self.outcome is not None and self.outcome.error is None, self.outcome
        assert self.words() == [f"w{number}" for number, _, _ in self.speech.words]
        assert self.recorder.lost_ms == 0
        spans = {number: (start, end) for number, start, end in self.speech.words}
        for token in self.finals:
            if token.text.startswith(" w") and len(token.text) > 2:
                assert (token.start_ms, token.end_ms) == spans[int(token.text[2:])]
        counters = [event.result.final_audio_proc_ms for event in self.events]
        assert counters == sorted(counters)
        assert [event.kind for event in self.events].count("finished") == 1
