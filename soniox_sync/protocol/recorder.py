"""What a recording does next: the whole of its decisions, without threads, sockets or a clock.

`Recorder` is told what happened (audio captured, sessions opened, results heard, lines lost, what
the user asked for) and says what to do (`next()`) and what to tell the user (`notices`). The shell
in `recording.py` holds one lock round every call and carries the answers out. So a thousand random
fault schedules run in seconds (tests/test_recorder.py), and the rules can be read in one place.

One cursor, one writer: audio goes into the buffer first, from there to the present session; a lost
session moves the cursor back to the last finalised millisecond, nothing else does.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from ..audio.formats import RawAudio
from ..errors import (
    BufferOverflowError,
    DurationLimitError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    is_retriable,
)
from .ledger import Ledger
from .replay import ContainerBuffer, Pacer, ReplayBuffer
from .tokens import Result, SttEvent

# audio behind the resume point that is kept all the same: the point may move back a little
_KEEP_BEHIND_MS = 5000
# one message at most; live audio comes in smaller pieces anyway
_LARGEST_PIECE_SEC = 0.25
# a replaced session gets this long for what it still owes, then its successor goes on
_DRAIN_SEC = 10.0
# after rotate_after_sec the change waits for a pause in speech, at most this long (API.md 5)
_ROTATION_PATIENCE_SEC = 20 * 60.0
_ROTATION_SILENCE_MS = 500
# a prepared session that fails is tried again after this long; the present one still works
_STANDBY_RETRY_SEC = 5.0
# originals without any translation for this much speech mean that translating has stopped
_WATCHDOG_SPEECH_MS = 15_000
_WATCHDOG_REST_SEC = 60.0


class RecordingState(str, enum.Enum):
    """Is the state of a recording; `stopped`, `error` and `canceled` are final. PROTOCOL 9."""

    IDLE = "idle"
    STARTING = "starting"
    CONNECTING = "connecting"
    RECORDING = "recording"
    PAUSED = "paused"
    RECONNECTING = "reconnecting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ERROR = "error"
    CANCELED = "canceled"

    __str__ = str.__str__

    @property
    def is_over(self) -> bool:
        """Tell whether nothing will happen any more."""
        return self in (RecordingState.STOPPED, RecordingState.ERROR, RecordingState.CANCELED)


@dataclass(frozen=True)
class RecorderSettings:
    """Sets the rules of one recording; seconds throughout."""

    auto_reconnect: bool = False
    max_reconnect_attempts: int = 3
    reconnect_base_delay_sec: float = 1.0
    replay_window_sec: float = 120.0
    rotate_after_sec: Optional[float] = 270 * 60.0
    translation_watchdog: bool = False
    catch_up_speed: Optional[float] = 2.0
    catch_up_burst_sec: float = 10.0
    buffer_queue_size: int = 1000
    can_restart: bool = False  # the source can begin its container anew
    new_key_possible: bool = False  # a callable gives another key


@dataclass(frozen=True)
class Open:
    """Open session `number` now."""

    number: int


@dataclass(frozen=True)
class Send:
    """Send `data` on session `number`."""

    number: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Finalize:
    """Ask session `number` to make final what it heard."""

    number: int


@dataclass(frozen=True)
class End:
    """Tell session `number` that its audio is complete, without waiting."""

    number: int


@dataclass(frozen=True)
class Abandon:
    """Cut session `number`; nothing it says matters any more."""

    number: int


@dataclass(frozen=True)
class RestartSource:
    """Let the source begin a new container."""


@dataclass(frozen=True)
class Announce:
    """Tell the user that a reconnect is due, wait for the handlers, then call `announced()`."""

    attempt: int
    max_attempts: int
    delay_sec: float


@dataclass(frozen=True)
class Wait:
    """Wait for news, at most until the moment `until`."""

    until: Optional[float] = None


@dataclass(frozen=True)
class Done:
    """Nothing is left to do; `error` says how it ended, `None` well."""

    error: Optional[BaseException] = None


Action = Union[Open, Send, Finalize, End, Abandon, RestartSource, Announce, Wait, Done]


class _Line(enum.Enum):
    OPENING = "opening"
    LIVE = "live"
    ENDING = "ending"  # its audio is complete, results still come
    OVER = "over"


class _Session:
    def __init__(self, number: int) -> None:
        self.number = number
        self.line = _Line.OPENING
        self.offset_ms = 0
        self.opened_at = 0.0
        self.sent_sec = 0.0
        self.held: list[SttEvent] = []  # results that wait until its predecessor is drained


class Recorder:
    """Decides for one recording. Not thread-safe: the shell's lock is held round every call."""

    def __init__(
        self,
        settings: RecorderSettings,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._jitter = jitter
        self._buffer: Optional[ReplayBuffer] = None
        self._container: Optional[ContainerBuffer] = None
        self._ledger = Ledger()
        self._pacer = Pacer(settings.catch_up_speed, settings.catch_up_burst_sec)
        self._cursor = 0  # the next byte to send
        self._sent_to = 0  # the furthest byte ever sent
        self._numbers = 0
        self._head: Optional[_Session] = None  # whose results are delivered
        self._current: Optional[_Session] = None  # who gets the audio
        self._standby: Optional[_Session] = None  # opened ahead of a rotation
        self._standby_at: Optional[float] = None
        self._rotation_due_since: Optional[float] = None
        self._drain_until: Optional[float] = None
        self._queue: list[Action] = []  # to be done before anything else
        self._finalize_at: Optional[int] = None
        self._stopping = False
        self._paused = False
        self._source_error: Optional[BaseException] = None
        self._end_sent = False
        # reconnecting
        self._attempt = 0
        self._final_ms_at_loss = -1
        self._announced = True
        self._retry_delay = 0.0
        self._retry_at: Optional[float] = None
        self._lost_since_report_ms = 0
        self._replay_from_ms: Optional[int] = None
        self._recycled_at: Optional[float] = None
        self._spoke_since_endpoint = False
        self._outcome: Optional[Done] = None
        self.state = RecordingState.IDLE
        self.lost_ms = 0
        # what to tell the user, in order: ("event", SttEvent), ("state_change", ...), ...
        self.notices: list[tuple[str, Any]] = []

    # -- what happened: the user and the source --------------------------------------------------

    def start(self) -> None:
        """Begin. Nothing is opened before `know()` said what the audio is."""
        self._set_state(RecordingState.STARTING, "user_action")

    def know(self, audio: Optional[RawAudio]) -> None:
        """Learn what is captured: headerless audio, or (`None`) some container format."""
        if audio is not None:
            self._buffer = ReplayBuffer(audio, self._settings.replay_window_sec)
        else:
            self._container = ContainerBuffer(self._settings.buffer_queue_size)

    @property
    def knows_audio(self) -> bool:
        """Tell whether `know()` was called."""
        return self._buffer is not None or self._container is not None

    @property
    def ahead_sec(self) -> float:
        """Give the seconds of audio captured but not sent, for back-pressure on finite sources."""
        if self._buffer is not None:
            return self._buffer.audio.bytes_to_sec(self._buffer.end - self._cursor)
        full = self._container is not None and self._container.is_full
        return float("inf") if full else 0.0

    @property
    def held_bytes(self) -> int:
        """Give how much audio is kept in memory."""
        kept = self._buffer or self._container
        return 0 if kept is None else kept.held_bytes

    def capture(self, data: bytes) -> None:
        """Take captured audio. While paused it is not part of the recording."""
        if self._paused or self._stopping or self._outcome is not None:
            return
        if self._container is not None:
            if self._container.is_full:
                self._finish(
                    BufferOverflowError(
                        f"more than {self._settings.buffer_queue_size} pieces of audio wait to be "
                        "sent, and a container format cannot lose any: raise buffer_queue_size"
                    )
                )
                return
            self._container.append(data)
            return
        buffer = self._buffer
        assert buffer is not None
        buffer.append(data)
        if buffer.start > self._cursor:
            self._skip_to(buffer.start)

    def _skip_to(self, position: int) -> None:
        """Give up audio that was never sent and is no longer held: a hole, counted and told."""
        assert self._buffer is not None
        self._count_lost(self._buffer.ms_at(position) - self._buffer.ms_at(self._cursor))
        self._cursor = position
        current = self._current
        if current is not None and current.line is _Line.LIVE:
            # a session's clock counts what it hears: after a hole it needs a successor
            self._queue.append(Abandon(current.number))
            self._lose_current(
                SonioxConnectionError("the line was too slow for the audio"), 0.0, free=True
            )

    def _count_lost(self, ms: int) -> None:
        if ms > 0:
            self.lost_ms += ms
            self._lost_since_report_ms += ms

    def container_restarted(self) -> None:
        """Learn that what the source delivers from now on begins a new container."""
        if self._container is not None:
            self._container.clear()
            self._cursor = self._container.start

    def stop(self, error: Optional[BaseException] = None) -> None:
        """Take no more audio; send what is left, finish, end. `error`: the source failed."""
        if self._stopping or self._outcome is not None:
            return
        self._stopping = True
        self._source_error = error
        self._set_state(RecordingState.STOPPING, "error" if error else "user_action")

    def cancel(self, error: BaseException) -> None:
        """End at once."""
        if self._outcome is None:
            self._finish(error, RecordingState.CANCELED, "user_action")

    def fail(self, error: BaseException) -> None:
        """End at once because of `error`."""
        if self._outcome is None:
            self._finish(error)

    def pause(self) -> None:
        """Take no audio for a while; what was said so far is made final."""
        if not self._paused and not self._stopping and not self.state.is_over:
            self._paused = True
            self.finalize()
            if self.state is RecordingState.RECORDING:
                self._set_state(RecordingState.PAUSED, "user_action")

    def resume(self) -> None:
        """Take audio again."""
        if self._paused:
            self._paused = False
            if self.state is RecordingState.PAUSED:
                self._set_state(RecordingState.RECORDING, "user_action")

    @property
    def is_paused(self) -> bool:
        """Tell whether audio is left out at present."""
        return self._paused

    def finalize(self) -> None:
        """Have everything captured so far made final."""
        self._finalize_at = self._end_position()

    def reconnect(self, now: float) -> None:
        """Replace the present session, as after a lost line but at the user's wish."""
        current = self._current
        if current is not None and current.line is _Line.LIVE and self._outcome is None:
            self._queue.append(Abandon(current.number))
            self._lose_current(SonioxConnectionError("reconnect() was called"), now, free=True)

    def _end_position(self) -> int:
        if self._buffer is not None:
            return self._buffer.end
        return 0 if self._container is None else self._container.end

    # -- what happened: sessions -----------------------------------------------------------------

    def opened(self, number: int, now: float) -> None:
        """Learn that session `number` stands."""
        session = self._find(number)
        if session is None or session.line is not _Line.OPENING:
            self._queue.append(Abandon(number))
            return
        session.line = _Line.LIVE
        session.opened_at = now
        if session is self._standby:
            return
        self._begin(session)
        self._pacer.restart()
        if self._attempt or self._replay_from_ms is not None:
            self._report_reconnected()
        else:
            self.notices.append(("connected", None))
            self._set_state(self._running_state(), "connected")

    def _begin(self, session: _Session) -> None:
        """Make `session` the one whose results are delivered."""
        self._head = session
        self._ledger.begin(session.offset_ms)
        held, session.held = session.held, []
        for event in held:
            self._take(event)

    def _report_reconnected(self) -> None:
        replay_from = self._replay_from_ms
        replayed = 0
        if replay_from is not None and self._buffer is not None:
            replayed = max(0, self._buffer.ms_at(self._sent_to) - replay_from)
        facts = {
            "attempt": self._attempt,
            "replayed_ms": replayed,
            "lost_ms": self._lost_since_report_ms,
        }
        self._lost_since_report_ms = 0
        self._replay_from_ms = None
        self._set_state(self._running_state(), "reconnected")
        self.notices.append(("reconnected", facts))

    def _running_state(self) -> RecordingState:
        if self._stopping:
            return RecordingState.STOPPING
        return RecordingState.PAUSED if self._paused else RecordingState.RECORDING

    def heard(self, number: int, event: SttEvent, now: float) -> None:
        """Take one event of a session. `finished` and losses have methods of their own."""
        session = self._find(number)
        if session is None or self._outcome is not None:
            return
        if session is not self._head:
            session.held.append(event)
        elif session is not self._current:
            if event.kind == "result":
                self._deliver_result(self._ledger.accept_late(event.result))
        else:
            self._take(event)
            self._trim()

    def _take(self, event: SttEvent) -> None:
        ledger = self._ledger
        if event.kind == "result":
            had_guess = ledger.has_guess
            result = ledger.accept(event.result)
            if any(t.is_final and not t.is_translation for t in result.tokens):
                self._spoke_since_endpoint = True
            if ledger.final_ms > self._final_ms_at_loss:
                self._attempt = 0  # it made progress: the next loss is a new one
            if result.tokens or had_guess or not event.result.tokens:
                self.notices.append(("event", SttEvent("result", result)))
        elif event.kind == "endpoint":
            if self._spoke_since_endpoint or ledger.session == 0:
                self.notices.append(("event", SttEvent("endpoint", self._counters(event))))
            self._spoke_since_endpoint = False
        else:
            self.notices.append(("event", SttEvent(event.kind, self._counters(event))))

    def _counters(self, event: SttEvent) -> Result:
        return self._ledger.counted([], event.result)

    def _deliver_result(self, result: Result) -> None:
        if result.tokens:
            self.notices.append(("event", SttEvent("result", result)))

    def _trim(self) -> None:
        if self._buffer is not None:
            keep = self._ledger.resume_ms() - _KEEP_BEHIND_MS
            self._buffer.trim(min(self._buffer.position_at(keep), self._cursor))

    def finished(self, number: int, now: float) -> None:
        """Learn that the service finished session `number`."""
        session = self._find(number)
        if session is None or self._outcome is not None:
            return
        if session is not self._current:
            session.line = _Line.OVER
            self._promote()
        elif self._end_sent:
            session.line = _Line.OVER
            self._complete()
        else:
            error = SonioxConnectionError("the server finished before the audio was complete")
            self._lose_current(error, now)

    def failed(self, number: int, error: BaseException, now: float) -> None:
        """Learn that session `number` could not be opened, or ended early."""
        session = self._find(number)
        if session is None or self._outcome is not None:
            return
        if session is self._standby:
            self._standby = None
            self._standby_at = now + _STANDBY_RETRY_SEC
        elif session is not self._current:
            session.line = _Line.OVER
            self._promote()
            if self._ledger.owes_translation and self._current is not None:
                # only the lost one could have translated them: let its successor hear them again
                self._queue.append(Abandon(self._current.number))
                self._lose_current(error, now, free=True)
        else:
            self._lose_current(error, now)

    def _find(self, number: int) -> Optional[_Session]:
        for session in (self._current, self._head, self._standby):
            if session is not None and session.number == number:
                return session
        return None

    def _promote(self) -> None:
        """Go on with the successor: the old session has said all it had to say."""
        self._drain_until = None
        if self._current is not None and self._head is not self._current:
            self._begin(self._current)

    def _complete(self) -> None:
        result = Result((), self._ledger.final_ms, self._ledger.total_ms, True)
        if self._source_error is None:
            self.notices.append(("event", SttEvent("finished", result)))
        self._finish(self._source_error)

    def _finish(
        self,
        error: Optional[BaseException],
        state: Optional[RecordingState] = None,
        reason: Optional[str] = None,
    ) -> None:
        for session in (self._head, self._current, self._standby):
            if session is not None and session.line is not _Line.OVER:
                self._queue.append(Abandon(session.number))
                session.line = _Line.OVER
        self._outcome = Done(error)
        if state is None:
            state = RecordingState.STOPPED if error is None else RecordingState.ERROR
            reason = "finished" if error is None else "error"
        self._set_state(state, reason or "error")

    # -- losing and finding a session ------------------------------------------------------------

    def _lose_current(self, error: BaseException, now: float, *, free: bool = False) -> None:
        """Go on after the loss of the present session, or end with `error`.

        `free`: our own decision, which does not count as an attempt.
        """
        if self._head is not None and self._head is not self._current:
            self._promote()  # what its predecessor still owed is cut short: order comes first
        current = self._current
        if current is not None:
            current.line = _Line.OVER
        self._current = self._head = None
        if not free and not self._may_retry(error):
            self._finish(error)
            return
        self._end_sent = False
        if self._ledger.has_guess:
            self.notices.append(("event", SttEvent("result", self._ledger.withdrawal())))
        self._rewind()
        if self._outcome is not None:
            return
        self._final_ms_at_loss = self._ledger.final_ms
        if not free:
            self._attempt += 1
        self._set_state(RecordingState.RECONNECTING, "user_action" if free else "connection_lost")
        self.notices.append(("session_restart", None))
        standby = self._standby
        if standby is not None and standby.line is _Line.LIVE:
            self._use_standby(standby)
            return
        self._retry_delay = 0.0 if free else self._delay(error)
        self._announced = free
        self._retry_at = now + self._retry_delay if free else None

    def _may_retry(self, error: BaseException) -> bool:
        settings = self._settings
        if not settings.auto_reconnect or self._attempt >= settings.max_reconnect_attempts:
            return False
        if isinstance(error, RealtimeError) and error.error_type == "temp_api_key_session_expired":
            return settings.new_key_possible
        if isinstance(error, SonioxError) and error.code == "internal_error":
            return False  # a fault of ours would only come again
        return is_retriable(error)

    def _delay(self, error: BaseException) -> float:
        """Give how long to wait: not at all where the service says so, then longer each time."""
        at_once = isinstance(error, (SonioxConnectionError, DurationLimitError)) or (
            isinstance(error, RealtimeError) and error.status_code == 503
        )
        doublings = self._attempt - (2 if at_once else 1)
        if doublings < 0:
            return 0.0
        spread = 0.5 + self._jitter() / 2  # many clients of one outage must not come back as one
        return float(self._settings.reconnect_base_delay_sec * (2**doublings) * spread)

    def _rewind(self) -> None:
        """Move the cursor back to where a new session must begin to hear."""
        if self._buffer is None:
            self._restart_container()
            return
        self._replay_from_ms = moment = self._ledger.resume_ms()
        position = self._buffer.position_at(moment)
        if position < self._buffer.start:
            begin = self._buffer.ms_at(self._buffer.start)
            self._count_lost(begin - moment)
            self._replay_from_ms, position = begin, self._buffer.start
        self._cursor = min(position, self._buffer.end)

    def _restart_container(self) -> None:
        assert self._container is not None
        if not self._settings.can_restart or self._stopping:
            self._finish(
                SonioxConnectionError(
                    "the connection was lost, and a container format cannot be sent from the "
                    "middle: send raw PCM or WAV, or a source with restart()",
                    code="not_replayable",
                )
            )
            return
        self._count_lost(max(0, self._ledger.total_ms - self._ledger.final_ms))
        self._container.clear()
        self._cursor = self._container.start
        self._replay_from_ms = self._ledger.total_ms
        self._queue.append(RestartSource())

    def announced(self, prevented: bool, now: float) -> None:
        """Learn that the handlers of `reconnecting` have run; `prevented`: one forbade it."""
        if self._outcome is not None or self._announced:
            return
        self._announced = True
        if prevented:
            self._finish(
                SonioxConnectionError("the connection was lost, and a handler forbade reconnecting")
            )
            return
        self._retry_at = now + self._retry_delay

    def _use_standby(self, standby: _Session) -> None:
        standby.offset_ms = self._replay_from_ms or 0
        self._current, self._standby = standby, None
        self._rotation_due_since = None
        self._begin(standby)
        self._pacer.restart()
        self._report_reconnected()

    # -- what to do ------------------------------------------------------------------------------

    def next(self, now: float) -> Action:
        """Say what to do now. Call again when it is done, or when something happened."""
        if self._queue:
            return self._queue.pop(0)
        if self._outcome is not None:
            return self._outcome
        current = self._current
        if current is None:
            return self._open_next(now)
        if current.line is _Line.LIVE:
            action = self._feed(current, now)
            if action is not None:
                return action
        return self._wait(current, now)

    def _open_next(self, now: float) -> Action:
        if self._stopping and self._end_position() == 0:
            self._complete()
            return self.next(now)
        if not self.knows_audio:
            return Wait()
        if not self._announced:
            return Announce(self._attempt, self._settings.max_reconnect_attempts, self._retry_delay)
        if self._retry_at is not None and now < self._retry_at:
            return Wait(self._retry_at)
        self._retry_at = None
        session = self._current = self._new_session()
        session.offset_ms = self._replay_from_ms or 0
        if self.state is RecordingState.STARTING:
            self._set_state(RecordingState.CONNECTING, "user_action")
        return Open(session.number)

    def _new_session(self) -> _Session:
        session = _Session(self._numbers)
        self._numbers += 1
        return session

    def _feed(self, current: _Session, now: float) -> Optional[Action]:
        rotation = self._rotate(current, now)
        if rotation is not None:
            return rotation
        if self._watchdog_bites(now):
            self._recycled_at = now
            self._queue.append(Abandon(current.number))
            self._lose_current(SonioxConnectionError("translations stopped"), now, free=True)
            return self.next(now)
        if self._finalize_at is not None and self._cursor >= self._finalize_at:
            self._finalize_at = None
            if current.sent_sec or self._container is not None:
                return Finalize(current.number)
        piece = self._piece(now)
        if piece:
            return self._send(current, piece)
        if self._stopping and self._cursor >= self._end_position():
            self._end_sent = True
            current.line = _Line.ENDING
            return End(current.number)
        return None

    def _piece(self, now: float) -> bytes:
        """Give the next audio to send, as much as the pace allows."""
        if self._container is not None:
            return self._container.take() if self._container.held_bytes else b""
        buffer = self._buffer
        assert buffer is not None
        waiting = buffer.end - self._cursor
        if waiting <= 0:
            return b""
        rate = buffer.audio.bytes_per_second
        allowed = self._pacer.allowed_sec(now)
        size = min(waiting, int(_LARGEST_PIECE_SEC * rate))
        if allowed is not None and allowed * rate < size:
            return b""  # wait for the whole piece rather than send crumbs
        return buffer.read(self._cursor, max(size, buffer.audio.bytes_per_frame))

    def _send(self, current: _Session, piece: bytes) -> Action:
        self._cursor += len(piece)
        self._sent_to = max(self._sent_to, self._cursor)
        if self._buffer is not None:
            seconds = self._buffer.audio.bytes_to_sec(len(piece))
            current.sent_sec += seconds
            self._pacer.spend(seconds)
        return Send(current.number, piece)

    def _wait(self, current: _Session, now: float) -> Action:
        moments = [self._drain_until, self._standby_at]
        if current.line is _Line.LIVE:
            if self._settings.rotate_after_sec is not None:
                moments.append(current.opened_at + self._settings.rotate_after_sec)
                if self._rotation_due_since is not None:
                    moments.append(self._rotation_due_since + _ROTATION_PATIENCE_SEC)
            if self._buffer is not None and self._buffer.end > self._cursor:
                size = self._buffer.end - self._cursor
                seconds = self._buffer.audio.bytes_to_sec(size)
                wait = self._pacer.wait_sec(min(seconds, _LARGEST_PIECE_SEC))
                moments.append(now + max(wait, 0.001))
        ahead = [moment for moment in moments if moment is not None and moment > now]
        return Wait(min(ahead) if ahead else None)

    # -- rotation --------------------------------------------------------------------------------

    def _rotate(self, current: _Session, now: float) -> Optional[Action]:
        if self._drain_until is not None and now >= self._drain_until and self._head is not None:
            old = self._head
            old.line = _Line.OVER
            self._promote()
            return Abandon(old.number)
        after = self._settings.rotate_after_sec
        if after is None or self._buffer is None or self._stopping:
            return None
        if self._rotation_due_since is None:
            if now - current.opened_at < after and current.sent_sec < after:
                return None
            self._rotation_due_since = now
        if self._standby is None:
            if self._standby_at is not None and now < self._standby_at:
                return None
            self._standby_at = None
            self._standby = self._new_session()
            return Open(self._standby.number)
        if self._standby.line is _Line.LIVE and self._may_switch(now):
            return self._switch(current, self._standby, now)
        return None

    def _may_switch(self, now: float) -> bool:
        if self._head is not self._current:
            return False  # the last change is not through yet
        assert self._rotation_due_since is not None
        if now - self._rotation_due_since >= _ROTATION_PATIENCE_SEC:
            return True
        ledger = self._ledger
        silent = ledger.silence_ms >= _ROTATION_SILENCE_MS or not self._spoke_since_endpoint
        return self._paused or (ledger.is_between_words and silent)

    def _switch(self, old: _Session, new: _Session, now: float) -> Action:
        """Let `new` hear everything after the last word; `old` only ends what it began."""
        assert self._buffer is not None
        moment = self._ledger.resume_ms(with_translations=False)
        position = max(self._buffer.position_at(moment), self._buffer.start)
        new.offset_ms = max(moment, self._buffer.ms_at(position))
        self._cursor = min(position, self._buffer.end)
        if self._ledger.has_guess:
            self.notices.append(("event", SttEvent("result", self._ledger.withdrawal())))
        old.line = _Line.ENDING
        self._current, self._standby = new, None
        self._rotation_due_since = None
        self._drain_until = now + _DRAIN_SEC
        self._pacer.restart()
        self._set_state(self.state, "rotated")
        return End(old.number)

    def _watchdog_bites(self, now: float) -> bool:
        if not self._settings.translation_watchdog or self._stopping:
            return False
        if self._recycled_at is not None and now - self._recycled_at < _WATCHDOG_REST_SEC:
            return False
        return self._ledger.original_ms_since_translation >= _WATCHDOG_SPEECH_MS

    # -- telling ---------------------------------------------------------------------------------

    def _set_state(self, state: RecordingState, reason: str) -> None:
        if state is self.state and reason != "rotated":
            return
        update: Mapping[str, Any] = {
            "old_state": self.state,
            "new_state": state,
            "reason": reason,
        }
        self.state = state
        self.notices.append(("state_change", update))
