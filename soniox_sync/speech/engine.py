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
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Optional, Protocol, Union

from ..config import TtsStreamConfig
from ..errors import SonioxConnectionError, SonioxError, StateError
from ..transport.deadline import Deadline
from ..tts_stream import TtsStream
from .attempt import Attempt
from .joiner import is_joinable
from .lengths import estimate_sec
from .planner import Part, Planner, Say, SpeechLimits
from .retrying import may_try_again, retry_delay
from .texts import TextReader

_log = logging.getLogger("soniox_sync")
_numbers = itertools.count(1)

# how long a new stream waits for a cancelled one to leave its place
_PLACE_SEC = 10.0


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
    """Speaks one text. `start()` once; then the consumer takes from `out` until a `PartEnd`."""

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
        self._reader = TextReader(
            texts,
            lambda text: self._post(lambda: self._take_text(text)),
            lambda error: self._post(lambda: self._text_over(error)),
            f"{self.name}-text",
        )
        self._voice = voice
        self.now = now
        self._limits = limits
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        # Set by anybody, never unset
        self.cancelled = False
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
        # Written by a reader thread
        self.first_audio_at: Optional[float] = None
        # Written by the pump
        self.first_text_at: Optional[float] = None
        self.ended_at: Optional[float] = None

    # -- any thread ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads: one, and another for text that comes from an iterable."""
        self._reader.start()
        self._thread.start()

    def consumed(self) -> None:
        """Learn that the consumer is done with a part."""
        self._post(self._planner.consumed)

    def cancel(self) -> None:
        """End everything at once: the consumer, the streams, the text. Never blocks."""
        self.abandon()
        self._reader.stop()
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

    def _post(self, what: Callable[[], None]) -> None:
        self._inbox.put(what)

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
            self._reader.spoken(planner.placed_chars)
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
        attempt = Attempt(part, stream, self.now, self._sounds, self._report)
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

    def _sounds(self) -> None:
        """Note the first audio. Reader only."""
        if self.first_audio_at is None:
            self.first_audio_at = self.now()

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
        begin, tries = part.begin, self._tries.get(part, 0) + 1
        if attempt is not None and attempt.audio_bytes:
            # its audio is thrown away only where saying all of it again can go better
            again = may_try_again(error, tries, resumed=False)
            if not (again and attempt.revoke()):
                if not self._can_resume():
                    return False
                begin = attempt.spoken_chars()
                if begin > part.begin:
                    tries = 1
        if not may_try_again(error, tries, resumed=begin > 0):
            return False
        self._tries[part] = tries
        _log.debug("! %s part %d again from %d: %s", self.name, part.number, begin, error)
        if not self._planner.restart(part, begin, self.now() + retry_delay(error, tries)):
            self._part_over(part, None)
        return True

    def _can_resume(self) -> bool:
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
        self._reader.stop()
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
        self._reader.stop()
        for attempt in self._attempts.values():
            attempt.stream._cancel(Deadline(0))
        self.ended_at = self.now()
        for lane in self._open_lanes:
            lane.items.put(PartEnd(error))
        self.out.put(PartEnd(error or self._text_error))
        self._voice.close()
