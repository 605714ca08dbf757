"""Thread behind a speech: accepts text, opens and ends streams, replaces those that fail.

The pump is an actor: everything that happens is posted to its inbox as a function, and only its
thread runs them, so that the planner and the tables need no lock. The consumer takes the parts from
`parts`, a queue in the order of the text, and the streams of each part from the part's own queue:

    engine.parts        PartQueue(part 0), PartQueue(part 1), PartEnd()
    part 0's items      Attempt (lost before its first audio), Attempt, PartEnd()
    part 1's items      Attempt, PartEnd(error)
"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Optional, Protocol, Union

from ..._support.queues import get_within
from ...config import TtsStreamConfig
from ...config.patience import Patience
from ...errors import SonioxConnectionError, SonioxError, StateError, fresh
from ...runtime.clock import Clock, process_clock
from ...runtime.log import harmless
from ...transport.deadline import Deadline
from ..tts.stream import StreamCore
from .attempt import Attempt
from .joiner import is_joinable
from .lengths import estimate_sec
from .planner import Part, Planner, Send, SpeechLimits
from .retrying import Retries, may_try_again
from .texts import TextReader

_log = logging.getLogger("soniox_sync")
# apart, so that a program can show its users that a speech waits for the service
_outage_log = logging.getLogger("soniox_sync.speech")
_numbers = itertools.count(1)

# how long a new stream waits until a cancelled one frees its slot
_SLOT_SEC = 10.0


class StreamOpener(Protocol):
    """Opens the streams of a speech, on a connection of its own or on a pool. Thread-safe."""

    def prepare(self, connect_sec: Optional[float]) -> None:
        """Open what can be opened before the first text. Raises what `open()` would raise."""

    def open(
        self, config: TtsStreamConfig, wait_sec: float, connect_sec: Optional[float]
    ) -> StreamCore:
        """Return a new stream; wait at most `wait_sec` for a slot.

        `connect_sec`: limit for connecting, besides the connection's own; `None`: no other.
        """

    def replace_connection(self, error: SonioxConnectionError) -> None:
        """Fail the current connection, whose audio is overdue, and use another."""

    def interrupt(self) -> None:
        """Make a `prepare()` or `open()` that is waiting fail now. Never blocks."""

    def close(self) -> None:
        """Release the connection, and wake all threads that wait in this object. Idempotent."""


class PartQueue:
    """Streams of one part for the consumer: one `Attempt` or more, then a `PartEnd`."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.items: queue.SimpleQueue[Union[Attempt, PartEnd]] = queue.SimpleQueue()


class PartEnd:
    """End of a part, or of the speech; `error` is to be raised there."""

    def __init__(self, error: Optional[BaseException] = None) -> None:
        self.error = error


class Engine:
    """Speaks one text. `start()` once; then the consumer takes from `parts` until a `PartEnd`."""

    def __init__(
        self,
        texts: Union[str, Iterable[Optional[str]]],
        opener: StreamOpener,
        config: TtsStreamConfig,
        limits: SpeechLimits,
        patience: Patience,
        *,
        clock: Clock = process_clock,
    ) -> None:
        # Immutable
        self.name: str = f"soniox-speech-{next(_numbers)}"
        self.config = config
        self.clock = clock
        self.parts: queue.SimpleQueue[Union[PartQueue, PartEnd]] = queue.SimpleQueue()
        self.pid: int = os.getpid()
        self._reader = TextReader(
            texts,
            lambda text: self._post(lambda: self._planner.add(text, clock.now())),
            lambda error: self._post(lambda: self._text_ended(error)),
            f"{self.name}-text",
        )
        self._opener = opener
        self._limits = limits
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        # Set by any thread, never unset
        self.cancelled: bool = False
        # Pump only
        self._planner = Planner(
            limits, speed=config.speed or 1.0, joinable=is_joinable(config.audio_format)
        )
        self._attempts: dict[Part, Attempt] = {}
        self._retries = Retries(patience)
        self._queues: dict[Part, PartQueue] = {}
        self._text_error: Optional[BaseException] = None
        self._streams = 0
        self._refusal: Optional[SonioxError] = None  # of the connection, for good
        # Replaced as a whole by the pump, read by any thread
        self._open_attempts: tuple[Attempt, ...] = ()
        self._open_queues: tuple[PartQueue, ...] = ()
        # Written by a reader thread
        self.first_audio_at: Optional[float] = None
        # Written by the pump
        self.first_text_at: Optional[float] = None
        self.ended_at: Optional[float] = None

    # -- any thread ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the pump, and a thread that reads the text if it is an iterable."""
        self._reader.start()
        self._thread.start()

    def part_played(self) -> None:
        """Record that the consumer is done with a part."""
        self._post(self._planner.part_played)

    def cancel(self) -> None:
        """End everything at once: the consumer's wait, the streams, the text. Never blocks."""
        self.cancel_soon()
        self._reader.stop()
        for attempt in self._open_attempts:
            attempt.stream.cancel(Deadline(0))
        self._wake_consumer()
        self._opener.interrupt()

    def cancel_soon(self) -> None:
        """Have the pump end everything. Takes no lock, so a finalizer may call it at any point."""
        self.cancelled = True
        self._post(lambda: None)

    def _wake_consumer(self) -> None:
        for each in self._open_queues:
            each.items.put(PartEnd())
        self.parts.put(PartEnd())

    def close(self, wait_sec: float) -> None:
        """Cancel, release the connection, wait for the pump at most `wait_sec`."""
        self.cancel()
        if os.getpid() != self.pid:
            return  # the pump and the connection are the parent's; a thread may seem to live here
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._opener.close()  # also ends a connect or a send on which the pump waits
            self._thread.join(wait_sec)

    def _post(self, what: Callable[[], None]) -> None:
        self._inbox.put(what)

    # -- the pump --------------------------------------------------------------------------------

    def _run(self) -> None:
        error: Optional[BaseException] = None
        try:
            self._connect()
            self._pump()
        except SonioxError as raised:
            error = raised
        except BaseException as raised:  # noqa: BLE001 - top of a thread: raised to the consumer
            _log.exception("! %s failed", self.name)
            error = raised
        finally:
            self._finish(error)

    def _connect(self) -> None:
        """Connect, in parallel with the arrival of the first text."""
        now = self.clock.now()
        try:
            self._opener.prepare(self._retries.connecting_sec(now))
        except SonioxError as failure:
            _log.debug("! %s connecting early: %s", self.name, harmless(str(failure)))
            self._retries.connecting_failed(now)
            if not may_try_again(failure, resumed=False):
                self._refusal = failure

    def _pump(self) -> None:
        planner = self._planner
        while True:
            self._run_posted(block=False)
            if self.cancelled:
                return
            for send in planner.decide(self.clock.now()):
                self._send(send)
            self._reader.used(planner.assigned_chars)
            self._fail_stalled()
            if planner.is_done:
                return
            self._run_posted(block=True)

    def _run_posted(self, *, block: bool) -> None:
        """Run what was posted; with `block`, wait for that or for the planner's next timer."""
        at = self._planner.wake_at() if block else None
        timeout = None if at is None else max(0.0, at - self.clock.now())
        try:
            what = get_within(self._inbox, timeout) if block else self._inbox.get_nowait()
            while True:
                what()
                what = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _text_ended(self, error: Optional[BaseException]) -> None:
        self._text_error = self._text_error or error
        self._planner.finish()

    def _send(self, send: Send) -> None:
        part = send.part
        if part.is_over:
            return
        try:
            attempt = self._attempts.get(part) or self._open(part)
            if self.first_text_at is None:
                self.first_text_at = self.clock.now()
            attempt.text_sec += estimate_sec(send.text, self.config.speed or 1.0)
            attempt.stream.send_text(send.text, end=send.end)
        except SonioxError as error:
            _log.debug("! %s part %d: %s", self.name, part.number, harmless(str(error)))
            if part in self._attempts:
                self._planner.not_sent(send)  # the stream reports its end, after its last audio
            else:
                self._stream_ended(part, None, error)

    def _open(self, part: Part) -> Attempt:
        part_queue = self._queues.get(part)
        if part_queue is None:
            part_queue = self._queues[part] = PartQueue(part)
            self._open_queues = tuple(self._queues.values())
            self.parts.put(part_queue)
        self._streams += 1
        config = self.config
        if self._streams > 1:  # an id of its own; ids have at most 256 characters
            config = replace(config, stream_id=f"{config.stream_id[:240]}-{self._streams}")
        connect_sec = self._retries.opening(part, self.clock.now())
        if self._refusal is not None:  # another attempt would be refused in the same way
            raise fresh(self._refusal)
        stream = self._opener.open(config, _SLOT_SEC, connect_sec)
        self._retries.opened(part)
        attempt = Attempt(part, stream, self.clock, self._first_audio, self._post_stream_ended)
        self._attempts[part] = attempt
        self._open_attempts = tuple(self._attempts.values())
        if self.cancelled:  # in the meantime: cancel() may have missed the stream and the queue
            self._wake_consumer()
            raise StateError("the speech was cancelled")
        stream.observe(attempt)
        part_queue.items.put(attempt)
        return attempt

    # -- how streams end -------------------------------------------------------------------------

    def _first_audio(self) -> None:
        """Record the first audio. Reader only."""
        if self.first_audio_at is None:
            self.first_audio_at = self.clock.now()

    def _post_stream_ended(self, attempt: Attempt, error: Optional[SonioxError]) -> None:
        """Pass the end of a stream on to the pump. Mostly called on the reader thread."""
        self._post(lambda: self._stream_ended(attempt.part, attempt, error))

    def _stream_ended(
        self, part: Part, attempt: Optional[Attempt], error: Optional[SonioxError]
    ) -> None:
        """Decide what follows the end of a stream; `attempt` is `None` if it was not opened."""
        if part.is_over or self.cancelled or self._attempts.get(part) is not attempt:
            return  # handled already
        self._attempts.pop(part, None)
        self._open_attempts = tuple(self._attempts.values())
        if error is None and part.sent < len(part.text):  # it ended before all text was sent
            if not self._planner.restart(part, part.sent, self.clock.now()):
                self._part_ended(part, None)
        elif error is None or (attempt is not None and attempt.is_complete and part.end_sent):
            self._part_ended(part, None)
        else:
            self._try_again(part, attempt, error)

    def _try_again(self, part: Part, attempt: Optional[Attempt], error: SonioxError) -> None:
        """Plan a new stream for what was not spoken, or end the part with the error.

        audio received    timestamps    the new stream speaks
        none              -             all of the part
        none played       -             all of it, if the error is temporary: the audio is dropped
        some played       on            the rest, from the first character not spoken
        some played       off           nothing: the error is raised after the audio
        """
        begin = self._begin_of_next(part, attempt, error)
        if begin is None or not may_try_again(error, resumed=begin > 0):
            self._part_ended(part, error)
            return
        now = self.clock.now()
        delay = self._retries.next_delay(part, attempt, error, now, alone=not self._attempts)
        if delay is None:
            self._part_ended(part, self._retries.gave_up(part, error, now))
            return
        _log.debug(
            "! %s retrying part %d from %d: %s", self.name, part.number, begin, harmless(str(error))
        )
        wait = f" in {delay:.1f} s" if delay else ""
        _outage_log.info("reconnecting%s ... (attempt %d)", wait, self._retries.attempt(part))
        if not self._planner.restart(part, begin, now + delay):
            self._part_ended(part, None)

    def _begin_of_next(
        self, part: Part, attempt: Optional[Attempt], error: SonioxError
    ) -> Optional[int]:
        """Return the first character that another stream would speak, `None` if none can."""
        if attempt is None or not attempt.audio_bytes:
            return part.begin
        if may_try_again(error, resumed=False) and attempt.revoke():
            return part.begin
        config = self.config
        if config.return_timestamps and is_joinable(config.audio_format):
            return attempt.spoken_chars()
        return None

    def _part_ended(self, part: Part, error: Optional[SonioxError]) -> None:
        self._planner.part_over(part)
        now = self.clock.now()
        for waiting in self._retries.part_ended(part):
            self._planner.hasten(waiting, now)
        ended = self._queues.pop(part)
        if error is not None:
            self._stop_after(part)
        ended.items.put(PartEnd(error))
        self._open_queues = tuple(self._queues.values())

    def _stop_after(self, part: Part) -> None:
        """Stop the parts after one that failed; those before it are still played."""
        self._reader.stop()
        self._planner.stop()
        for later in [each for each in self._queues if each.number > part.number]:
            self._planner.part_over(later)
            attempt = self._attempts.pop(later, None)
            if attempt is not None:
                attempt.stream.cancel(Deadline(0))
        self._open_attempts = tuple(self._attempts.values())

    def _fail_stalled(self) -> None:
        for part in self._planner.stalled(self.clock.now()):
            attempt = self._attempts.get(part)
            if attempt is None:
                continue
            error = SonioxConnectionError(
                f"no audio from the service for {self._limits.stall_sec:g} s although the text has "
                "ended",
                code="stalled",
            )
            self._opener.replace_connection(error)
            attempt.stream.fail(error)

    # -- the end ---------------------------------------------------------------------------------

    def _finish(self, error: Optional[BaseException]) -> None:
        self._reader.stop()
        for attempt in self._attempts.values():
            attempt.stream.cancel(Deadline(0))
        self.ended_at = self.clock.now()
        for each in self._open_queues:
            each.items.put(PartEnd(error))
        self.parts.put(PartEnd(error or self._text_error))
        self._opener.close()
