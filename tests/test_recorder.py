"""The rules of a recording, played through against a perfect recogniser in virtual time."""

from __future__ import annotations

import heapq
import itertools
import os
import random
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import pytest

from soniox_sync.audio.formats import RawAudio
from soniox_sync.errors import (
    AbortError,
    AuthError,
    DurationLimitError,
    NetworkError,
    SonioxConnectionError,
    error_from_frame,
)
from soniox_sync.protocol.recorder import (
    Abandon,
    Announce,
    Done,
    End,
    Finalize,
    Open,
    Recorder,
    RecorderSettings,
    RecordingState,
    RestartSource,
    Send,
    Wait,
)
from soniox_sync.protocol.tokens import Result, SttEvent, Token

AUDIO = RawAudio("pcm_s16le", 1000, 1)  # two bytes a millisecond: offsets are easy to read
BYTES_PER_MS = 2


@dataclass
class Speech:
    """Numbered audio: each word fills its span with its own number, silence is 0."""

    words: list[tuple[int, int, int]]  # number, start_ms, end_ms
    duration_ms: int
    pcm: bytes = b""

    @classmethod
    def random(cls, rng: random.Random, seconds: float) -> Speech:
        words, position, number = [], rng.randint(0, 800), 1
        while position < seconds * 1000:
            length = rng.randint(80, 700)
            words.append((number, position, position + length))
            position += length + (
                rng.randint(300, 2500) if rng.random() < 0.15 else rng.randint(0, 60)
            )
            number += 1
        duration = words[-1][2] + rng.randint(0, 1500)
        samples = [0] * duration
        for number, start, end in words:
            for index in range(start, end):
                samples[index] = number
        pcm = b"".join(sample.to_bytes(2, "little") for sample in samples)
        return cls(words, duration, pcm)


class Recogniser:
    """Hears numbered audio of one connection: a word counts only if it was heard from its first
    to its last millisecond, a piece of one comes out as a word that was never said."""

    def __init__(self, speech: Speech, rng: random.Random, translate: bool = False) -> None:
        self._spans = {number: (start, end) for number, start, end in speech.words}
        self._lag_ms = rng.choice([0, 50, 400, 1500])
        self._split = rng.random() < 0.5  # words come as two tokens
        self._translate = translate
        self._translation_lag = rng.randint(0, 6)
        self.heard: list[int] = []
        self._final_upto = 0
        self._tokens: list[tuple[str, int, int]] = []  # all tokens so far, in order
        self._emitted = 0
        self._originals: list[str] = []
        self._translated = 0
        self.ended = False

    def feed(self, data: bytes) -> None:
        self.heard += [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]

    def _words(self, complete_only: bool = True) -> list[tuple[str, int, int]]:
        words: list[tuple[str, int, int]] = []
        position = 0
        for number, run in itertools.groupby(self.heard):
            length = len(list(run))
            if number:
                start, end = self._spans[number]
                last = position + length == len(self.heard)
                if length == end - start:
                    words.append((f" w{number}", position, position + length))
                elif not last or self.ended:
                    words.append((f" ~{number}", position, position + length))
            position += length
        return words

    def _as_tokens(self, words: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        if not self._split:
            return words
        tokens = []
        for text, start, end in words:
            cut = (start + end) // 2
            tokens += (
                [(text[:2], start, cut), (text[2:], cut, end)]
                if end - start > 1
                else [(text, start, end)]
            )
        return tokens

    def events(self, finalize: bool = False) -> list[SttEvent]:
        total = len(self.heard)
        final_ms = total if finalize or self.ended else max(0, total - self._lag_ms)
        final_ms = max(final_ms, self._final_upto)
        tokens = self._as_tokens(self._words())
        finals = [t for t in tokens if t[2] <= final_ms]
        self._final_upto = final_ms
        status = "original" if self._translate else None
        out = [Token(x, s, e, 0.9, True, "1", "en", status) for x, s, e in finals[self._emitted :]]
        self._originals += [x for x, _, _ in finals[self._emitted :]]
        self._emitted = len(finals)
        due = len(self._originals) - (0 if self.ended else self._translation_lag)
        translated = []
        while self._translate and self._translated < due:
            translated.append(
                Token(
                    self._originals[self._translated].upper(),
                    is_final=True,
                    translation_status="translation",
                )
            )
            self._translated += 1
        guess = [
            Token(x, s, e, 0.5, False, "1", "en", status) for x, s, e in tokens if e > final_ms
        ]
        result = Result(out + translated + guess, final_ms, total)
        events = [SttEvent("result", result)]
        if finalize:
            events.append(SttEvent("finalized", Result((), final_ms, total)))
        return events


@dataclass
class Connection:
    recogniser: Recogniser
    alive: bool = True
    bytes_heard: int = 0
    drop_after_bytes: Optional[int] = None
    drop_error: Optional[BaseException] = None


@dataclass(order=True)
class Due:
    when: float
    order: int
    act: Callable[[], None] = field(compare=False)


class World:
    """Plays a source, the shell and the service against one `Recorder`, in virtual time."""

    def __init__(
        self, seed: int, settings: RecorderSettings, seconds: float, **faults: Any
    ) -> None:
        self.rng = random.Random(seed)
        self.speech = Speech.random(self.rng, seconds)
        self.now = 0.0
        self._due: list[Due] = []
        self._order = itertools.count()
        self.recorder = Recorder(settings, jitter=self.rng.random)
        self.connections: dict[int, Connection] = {}
        self.faults = faults
        self.outcome: Optional[Done] = None
        self.notices: list[tuple[str, Any]] = []
        self.finals: list[Token] = []
        self.translations: list[str] = []
        self.opens = 0
        self.max_held = 0
        self.captured_ms = 0

    def at(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, Due(self.now + delay, next(self._order), act))

    # -- the source

    def capture(self, position: int = 0) -> None:
        chunk = self.rng.choice([20, 60, 120, 333]) * BYTES_PER_MS
        data = self.speech.pcm[position : position + chunk]
        if not data:
            self.recorder.stop()
            return
        self.recorder.capture(data)
        self.max_held = max(self.max_held, self.recorder.held_bytes)
        pace = self.faults.get("pace", 1.0)
        self.at(len(data) / BYTES_PER_MS / 1000 / pace, lambda: self.capture(position + chunk))

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
        """Deliver after a lag, unless the line is gone by then."""
        connection = self.connections[number]

        def deliver() -> None:
            if connection.alive:
                for event in events:
                    self.recorder.heard(number, event, self.now)

        self.at(self.lag(connection), deliver)

    def lag(self, connection: Connection) -> float:
        # one line keeps its order: the lag is the connection's, not the message's
        return float(self.faults.get("lag", 0.05))

    def kill(self, number: int, error: BaseException) -> None:
        connection = self.connections[number]
        if connection.alive:
            connection.alive = False
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
        elif isinstance(action, End):
            self.end(action.number)
        elif isinstance(action, Abandon):
            if action.number in self.connections:
                self.connections[action.number].alive = False
        elif isinstance(action, Announce):
            self.recorder.announced(False, self.now)
        elif isinstance(action, RestartSource):
            raise AssertionError("raw audio never restarts its source")

    def take(self, number: int, data: bytes) -> None:
        connection = self.connections[number]
        if not connection.alive:
            return
        connection.recogniser.feed(data)
        connection.bytes_heard += len(data)
        limit = connection.drop_after_bytes
        if limit is not None and connection.bytes_heard >= limit:
            assert connection.drop_error is not None
            self.at(self.rng.uniform(0, 0.5), lambda: self.kill(number, connection.drop_error))
            connection.drop_after_bytes = None
        self.say(number, connection.recogniser.events())

    def end(self, number: int) -> None:
        connection = self.connections[number]
        if not connection.alive:
            return
        connection.recogniser.ended = True
        self.say(number, connection.recogniser.events())

        def finish() -> None:
            if connection.alive:
                connection.alive = False
                self.recorder.finished(number, self.now)

        self.at(self.lag(connection), finish)

    # -- the shell

    def hear_notices(self) -> None:
        notices, self.recorder.notices = self.recorder.notices, []
        for kind, payload in notices:
            self.notices.append((kind, payload))
            if kind == "event" and payload.kind == "result":
                for token in payload.result.final_tokens:
                    if token.is_translation:
                        self.translations.append(token.text)
                    else:
                        self.finals.append(token)

    def run(self, limit: float = 1e6) -> None:
        self.recorder.start()
        self.recorder.know(AUDIO)
        self.at(0.0, self.capture)
        for _ in range(2_000_000):
            action = self.recorder.next(self.now)
            self.hear_notices()
            if isinstance(action, Done):
                self.outcome = action
                return
            if not isinstance(action, Wait):
                self.perform(action)
                continue
            upcoming = [self._due[0].when] if self._due else []
            if action.until is not None:
                upcoming.append(action.until)
            assert upcoming, f"nothing will ever happen again: {self.recorder.state}"
            self.now = max(self.now, min(upcoming))
            assert self.now < limit, "the recording does not end"
            while self._due and self._due[0].when <= self.now:
                heapq.heappop(self._due).act()
        raise AssertionError("too many steps")

    # -- the verdict

    def words(self) -> list[str]:
        return "".join(token.text for token in self.finals).split()

    def check_whole(self) -> None:
        assert self.outcome is not None and self.outcome.error is None, self.outcome
        assert self.words() == [f"w{number}" for number, _, _ in self.speech.words]
        assert self.recorder.lost_ms == 0
        spans = {number: (start, end) for number, start, end in self.speech.words}
        for token in self.finals:
            if token.text.startswith(" w") and len(token.text) > 2:
                start, end = spans[int(token.text[2:])]
                assert (token.start_ms, token.end_ms) == (start, end)
        counters = [p.result.final_audio_proc_ms for k, p in self.notices if k == "event"]
        assert counters == sorted(counters)
        assert [k for k, p in self.notices if k == "event" and p.kind == "finished"] == ["event"]


SEEDS = int(os.environ.get("SONIOX_SYNC_SCHEDULES", "1000"))


@pytest.mark.parametrize("block", range(10))
def test_random_faults_lose_and_double_no_word(block: int) -> None:
    """A thousand random schedules of drops, refusals and lags deliver every word exactly once."""
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        rng = random.Random(seed)
        settings = RecorderSettings(
            auto_reconnect=True,
            max_reconnect_attempts=1000,
            reconnect_base_delay_sec=0.1,
            rotate_after_sec=rng.choice([None, 5.0, 12.0]),
            catch_up_speed=rng.choice([None, 2.0, 4.0]),
        )
        world = World(
            seed,
            settings,
            seconds=rng.choice([5, 20, 40]),
            drop=rng.choice([0.0, 0.3, 0.8]),
            refuse=rng.choice([0.0, 0.3]),
            lag=rng.choice([0.0, 0.05, 1.0]),
            pace=rng.choice([1.0, 3.0]),
        )
        try:
            world.run()
            world.check_whole()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
