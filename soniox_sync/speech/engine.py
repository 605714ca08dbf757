"""The thread behind a speech: text in, streams opened and ended, failures made good.

The pump is an actor: everything that happens is put into its inbox as a function, and only its
thread runs them, so that planner and tables need no lock. The consumer gets the parts through
`out`, a queue in the order of the text, and the streams of each part through the part's own queue.
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Optional, Protocol, Union

from ..config import TtsStreamConfig, check_tts_text
from ..errors import (
    InputTypeError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    StateError,
    is_retriable,
)
from ..transport.deadline import Deadline, wait_for
from ..tts_stream import TtsStream
from .attempt import Attempt
from .joiner import is_joinable
from .lengths import estimate_sec
from .planner import Part, Planner, Say, SpeechLimits

_log = logging.getLogger("soniox_sync")
_numbers = itertools.count(1)

# text read ahead of the streams: about ten minutes of speech; a longer iterable is made to wait
_TEXT_AHEAD_CHARS = 10_000
# attempts in a row without any audio, the first included
_MAX_TRIES = 4
# the account's limit of streams frees itself when others end: that is worth more patience
_MAX_QUOTA_TRIES = 8
_RETRY_DELAY_SEC = 0.25
_MAX_RETRY_DELAY_SEC = 8.0
# how long a new stream waits for a cancelled one to leave its place
_PLACE_SEC = 10.0
# 413 comes after two minutes of audio: what is left can be spoken by another stream
_RESUMABLE = frozenset({"max_audio_duration_reached", "invalid_stream_state"})


class Voice(Protocol):
    """Is where streams come from: a connection of one's own, or a pool."""

    def connect(self) -> None:
        """Open what can be opened before the first text. Raises what a stream would."""

    def stream(self, config: TtsStreamConfig, wait_sec: float) -> TtsStream:
        """Give a new stream with this config."""

    def distrust(self, error: SonioxConnectionError) -> None:
        """Use another connection from now on: this one is silent although it owes audio."""

    def interrupt(self) -> None:
        """Let a `connect` or `stream` that hangs fail now. Never blocks."""

    def close(self) -> None:
        """Release it; wakes whoever waits in it. Idempotent, from any thread."""


class Lane:
    """Carries the streams of one part to the consumer: attempts, then how the part ended."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.items: queue.SimpleQueue[Union[Attempt, PartEnd]] = queue.SimpleQueue()


class PartEnd:
    """Ends a part: well, or with the error that is to be raised."""

    def __init__(self, error: Optional[BaseException] = None) -> None:
        self.error = error


class Engine:
    """Speaks one text. `start()` once; then the consumer takes from `out` until `SpeechEnd`."""

    def __init__(
        self,
        texts: Union[str, Iterable[str]],
        voice: Voice,
        config: TtsStreamConfig,
        limits: SpeechLimits,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # Immutable
        self.name = f"soniox-speech-{next(_numbers)}"
        self.config = config
        self.out: queue.SimpleQueue[Union[Lane, PartEnd]] = queue.SimpleQueue()
        self.pid = os.getpid()
        self._texts = texts
        self._voice = voice
        self.now = now
        self._limits = limits
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        # Set by anybody, never unset
        self.stopped = threading.Event()  # no more text is wanted
        self.cancelled = False
        # Between the text thread and the pump: room for text
        self._given = 0  # text thread only
        self._taken = 0  # pump only
        self._room = threading.Event()
        # Pump only
        self._planner = Planner(
            limits, speed=config.speed or 1.0, joinable=is_joinable(config.audio_format)
        )
        self._attempts: dict[Part, Attempt] = {}
        self._tries: dict[Part, int] = {}
        self._lanes: dict[Part, Lane] = {}
        self._text_error: Optional[BaseException] = None
        self._streams = 0
        # Replaced whole by the pump, read by anybody
        self._audible: tuple[Attempt, ...] = ()
        self._open_lanes: tuple[Lane, ...] = ()
        # Written by the pump
        self.first_text_at: Optional[float] = None
        self.ended_at: Optional[float] = None

    # -- any thread ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads: one, and another for text that comes from an iterable."""
        if isinstance(self._texts, str):
            text = self._texts
            self._post(lambda: self._take_text(text))
            self._post(lambda: self._text_over(None))
        else:
            name = f"{self.name}-text"
            threading.Thread(target=self._read_texts, name=name, daemon=True).start()
        self._thread.start()

    def consumed(self) -> None:
        """Learn that the consumer is done with a part."""
        self._post(self._planner.consumed)

    def cancel(self) -> None:
        """End everything at once: the consumer, the streams, the text. Never blocks."""
        self.abandon()
        self.stopped.set()
        self._room.set()
        for attempt in self._audible:
            attempt.stream._cancel(Deadline(0))
        self._wake_consumer()
        self._voice.interrupt()

    def abandon(self) -> None:
        """End everything soon. Takes no lock, so that a finalizer may call it anywhere."""
        self.cancelled = True
        self._post(lambda: None)

    def _wake_consumer(self) -> None:
        for lane in self._open_lanes:
            lane.items.put(PartEnd())
        self.out.put(PartEnd())

    def close(self, wait_sec: float) -> None:
        """Cancel, release the connection, wait for the pump at most `wait_sec`."""
        self.cancel()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._voice.close()  # also ends a connect or a send that the pump hangs in
            self._thread.join(wait_sec)

    @property
    def is_running(self) -> bool:
        """Tell whether the pump still works."""
        return self._thread.is_alive()

    def _post(self, what: Callable[[], None]) -> None:
        self._inbox.put(what)

    # -- the text thread -------------------------------------------------------------------------

    def _read_texts(self) -> None:
        error: Optional[BaseException] = None
        texts: Any = self._texts
        iterator: Optional[Iterator[Any]] = None
        try:
            iterator = iter(texts)
            for text in iterator:
                if self.stopped.is_set():
                    break
                self._give(text)
        except BaseException as raised:  # noqa: BLE001 - a thread's top: raised in the audio loop
            error = raised
        if self.stopped.is_set() or error is not None:
            _close_all(iterator, texts)
        self._post(lambda: self._text_over(error))

    def _give(self, text: Any) -> None:
        if not isinstance(text, str):
            raise InputTypeError(f"text: expected str, not {type(text).__name__}")
        check_text(text)
        self._given += len(text)
        self._post(lambda: self._take_text(text))
        while not self.stopped.is_set():
            self._room.clear()
            if self._given - self._taken < _TEXT_AHEAD_CHARS:
                return
            wait_for(self._room, Deadline(None))

    # -- the pump --------------------------------------------------------------------------------

    def _run(self) -> None:
        error: Optional[BaseException] = None
        try:
            self._connect_early()
            self._pump()
        except SonioxError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001 - a thread's top: raised to the consumer
            _log.exception("! %s failed", self.name)
            error = raised
        finally:
            self._finish(error)

    def _connect_early(self) -> None:
        """Use the time until the first text. A failure shows again with the first stream."""
        try:
            self._voice.connect()
        except SonioxError as error:
            _log.debug("! %s connecting early: %s", self.name, error)

    def _pump(self) -> None:
        planner = self._planner
        while True:
            self._run_waiting(block=False)
            if self.cancelled:
                return
            for say in planner.decide(self.now()):
                self._say(say)
            self._make_room()
            self._drop_stalled()
            if planner.is_done:
                return
            self._run_waiting(block=True)

    def _run_waiting(self, *, block: bool) -> None:
        """Run what the inbox holds; with `block` wait for something, or for the next timer."""
        at = self._planner.wake_at() if block else None
        timeout = None if at is None else max(0.0, at - self.now())
        try:
            what = self._inbox.get(block and timeout != 0, timeout)
            while True:
                what()
                what = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _take_text(self, text: str) -> None:
        self._planner.add(text, self.now())

    def _text_over(self, error: Optional[BaseException]) -> None:
        self._text_error = self._text_error or error
        self._planner.end()

    def _make_room(self) -> None:
        if self._taken != self._planner.placed_chars:
            self._taken = self._planner.placed_chars
            self._room.set()

    def _say(self, say: Say) -> None:
        part = say.part
        if part.over:
            return
        try:
            attempt = self._attempts.get(part) or self._open(part)
            if self.first_text_at is None:
                self.first_text_at = self.now()
            attempt.text_sec += estimate_sec(say.text, self.config.speed or 1.0)
            attempt.stream.send_text(say.text, end=say.end)
        except SonioxError as error:
            _log.debug("! %s part %d: %s", self.name, part.number, error)
            if part in self._attempts:
                self._planner.refused(say)  # the stream reports its end, after its last audio
            else:
                self._ended(part, None, error)

    def _open(self, part: Part) -> Attempt:
        lane = self._lanes.get(part)
        if lane is None:
            lane = self._lanes[part] = Lane(part)
            self._open_lanes = tuple(self._lanes.values())
            self.out.put(lane)
        stream = self._voice.stream(self._stream_config(), _PLACE_SEC)
        attempt = Attempt(part, stream, self.now, self._report)
        self._attempts[part] = attempt
        self._audible = tuple(self._attempts.values())
        if self.cancelled:  # meanwhile: cancel() may not have seen them
            self._wake_consumer()
            raise StateError("the speech was cancelled")
        stream._watch(attempt)
        lane.items.put(attempt)
        return attempt

    def _stream_config(self) -> TtsStreamConfig:
        self._streams += 1
        if self._streams == 1:
            return self.config
        return replace(self.config, stream_id=f"{self.config.stream_id[:240]}-{self._streams}")

    # -- how streams end -------------------------------------------------------------------------

    def _report(self, attempt: Attempt, error: Optional[SonioxError]) -> None:
        """Hand the end of a stream to the pump. Mostly on the reader thread."""
        self._post(lambda: self._ended(attempt.part, attempt, error))

    def _ended(self, part: Part, attempt: Optional[Attempt], error: Optional[SonioxError]) -> None:
        if part.over or self.cancelled or self._attempts.get(part) is not attempt:
            return  # told already
        self._attempts.pop(part, None)
        self._audible = tuple(self._attempts.values())
        if error is None and part.sent < len(part.text):  # it ended before it took all text
            if not self._planner.restart(part, part.sent, self.now()):
                self._part_over(part, None)
        elif error is None or (attempt is not None and attempt.is_complete and part.end_sent):
            self._part_over(part, None)
        elif not self._try_again(part, attempt, error):
            self._part_over(part, error)

    def _try_again(self, part: Part, attempt: Optional[Attempt], error: SonioxError) -> bool:
        """Plan a new stream for what was not spoken; False when the error stands."""
        begin, silent = part.begin, attempt is None or not attempt.audio_bytes
        if attempt is not None and not silent and not attempt.revoke():
            if not self._can_resume(error):
                return False
            begin = attempt.spoken_chars()
            if begin > part.begin:
                self._tries[part] = 0
        tries = self._tries[part] = self._tries.get(part, 0) + 1
        if not _may_try_again(error, tries, begin > 0):
            return False
        _log.debug("! %s part %d again from %d: %s", self.name, part.number, begin, error)
        if not self._planner.restart(part, begin, self.now() + _delay(error, tries)):
            self._part_over(part, None)
        return True

    def _can_resume(self, error: SonioxError) -> bool:
        return bool(self.config.return_timestamps) and is_joinable(self.config.audio_format)

    def _part_over(self, part: Part, error: Optional[SonioxError]) -> None:
        self._planner.over(part)
        self._tries.pop(part, None)
        lane = self._lanes.pop(part)
        if error is not None:
            self._give_up_after(part)
        lane.items.put(PartEnd(error))
        self._open_lanes = tuple(self._lanes.values())

    def _give_up_after(self, part: Part) -> None:
        """Stop what comes behind a part that failed; what comes before it is still heard."""
        self.stopped.set()
        self._room.set()
        self._planner.stop()
        for later in [each for each in self._lanes if each.number > part.number]:
            self._planner.over(later)
            attempt = self._attempts.pop(later, None)
            if attempt is not None:
                attempt.stream._cancel(Deadline(0))
        self._audible = tuple(self._attempts.values())

    def _drop_stalled(self) -> None:
        for part in self._planner.stalled(self.now()):
            attempt = self._attempts.get(part)
            if attempt is None:
                continue
            error = SonioxConnectionError(
                f"the service sent nothing for {self._limits.stall_sec:g} s although it owes audio",
                code="stalled",
            )
            self._voice.distrust(error)
            attempt.stream._line.fail_stream(attempt.stream, error)

    # -- the end ---------------------------------------------------------------------------------

    def _finish(self, error: Optional[BaseException]) -> None:
        self.stopped.set()
        self._room.set()
        for attempt in self._attempts.values():
            attempt.stream._cancel(Deadline(0))
        self.ended_at = self.now()
        for lane in self._open_lanes:
            lane.items.put(PartEnd(error))
        self.out.put(PartEnd(error or self._text_error))
        self._voice.close()


def check_text(text: str) -> None:
    """Raise `ConfigurationError` for text that no encoding can carry."""
    for at in range(0, len(text), 1000):  # the check counts bytes as well, 5000 at most
        check_tts_text(text[at : at + 1000])


def _close_all(*closables: Any) -> None:
    """Let a generator, or the response behind it, know that nobody listens any more."""
    for each in closables:
        close = getattr(each, "close", None)
        if callable(close):
            try:
                close()
            except Exception:  # noqa: BLE001 - the caller's code: logged
                _log.exception("! closing the text failed")


def _is_quota(error: SonioxError) -> bool:
    return isinstance(error, QuotaError) and error.error_type == "limit_exceeded"


def _may_try_again(error: SonioxError, tries: int, resumed: bool) -> bool:
    if _is_quota(error):
        return tries < _MAX_QUOTA_TRIES
    known = isinstance(error, RealtimeError) and error.error_type in _RESUMABLE
    return tries < _MAX_TRIES and (is_retriable(error) or (known and resumed))


def _delay(error: SonioxError, tries: int) -> float:
    """Give the seconds before an attempt: none before the first repetition of a lost stream."""
    if tries == 1 and not _is_quota(error):
        return 0.0
    delay = min(_RETRY_DELAY_SEC * 2.0**tries, _MAX_RETRY_DELAY_SEC)
    return delay * random.uniform(0.5, 1.5)  # not all speakers of a fleet at the same moment
