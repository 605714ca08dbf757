"""`TtsPool`: speech streams for many threads over a few connections.

Lock order: the pool's lock is taken before any other and never held across I/O; what streams
report (mostly on reader threads) takes it alone. Waiters are served in the order they came.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Optional, Union

from .errors import ConfigurationError, InputTypeError, SonioxTimeoutError, StateError
from .forks import remember
from .pool_allowance import Allowance
from .pool_place import Member, Place, closed_error
from .protocol.tts import MAX_STREAMS
from .transport.deadline import Deadline, patience, wait_for
from .transport.latch import Latch
from .tts import Input, TtsConnection
from .tts_stream import TtsStream

if TYPE_CHECKING:
    from .speech import Speech

# the server closes after 180 s without audio, whatever is sent (PROTOCOL 3.6): older connections
# get no new stream, since it would race that close
_FRESH_SEC = 150.0
# how long close() waits for streams that still speak
_DRAIN_SEC = 10.0
# how long it then waits for the server's goodbyes, for all connections together
_CLOSE_WAIT_SEC = 2.0


class _Waiter:
    """Is one caller that waits for a place."""

    def __init__(self) -> None:
        self.granted = Latch()
        self.member: Optional[Member] = None


class TtsPool:
    """Hands out streams from a bounded set of connections. Thread-safe; a context manager.

    Made by `client.realtime.tts.pool()`; opens nothing until it is asked. A stream's place is free
    again when the server terminated it (PROTOCOL 3.2), so use streams in `with` blocks. A pool made
    before a fork starts empty in the child.

    The server closes connections on which nothing happens (PROTOCOL 3.6), perhaps while a stream
    starts on one. So a stream keeps its text until the server's first word on it. When its
    connection is lost before that, and had been opened or used for others, the text goes out again
    on a new one, at most twice, and the caller sees nothing of it; `send_text()` waits meanwhile. A
    refusal, and the loss of a connection on which nothing was ever said, are raised. A stream
    without any text outlives the loss of its connection.
    """

    def __init__(
        self,
        open_connection: Callable[[], TtsConnection],
        *,
        max_connections: int = 3,
        max_streams: Optional[int] = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        # Immutable
        self._open_connection = open_connection
        self._max_connections = _at_least_one("max_connections", max_connections)
        self._max_streams = self._max_connections * MAX_STREAMS
        if max_streams is not None:
            self._max_streams = min(self._max_streams, _at_least_one("max_streams", max_streams))
        self._now = now
        self._reset()
        remember(self)

    def _reset(self) -> None:
        # Guards all below. Never held across I/O.
        self._lock = threading.Lock()
        self._members: list[Member] = []
        self._waiters: deque[_Waiter] = deque()
        self._active = 0  # places taken
        self._places: set[Place] = set()  # with a stream in them
        self._idle = threading.Condition(self._lock)  # notified when a stream ends
        self._closed = False
        self._allowance = Allowance(self._max_streams)

    def _orphan(self) -> None:
        """Be empty in a forked child: the connections are the parent's, its streams end there."""
        closed = self._closed
        self._reset()
        self._closed = closed

    # -- facts -----------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Count the connections that stand."""
        with self._lock:
            return sum(member.connection.is_connected for member in self._members)

    @property
    def active_streams(self) -> int:
        """Count the streams that hold a place."""
        return self._active

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<TtsPool{state} {self._active} streams on {len(self._members)} connections>"

    # -- streams ---------------------------------------------------------------------------------

    def stream(
        self, input: Optional[Input] = None, *, wait_sec: Optional[float] = None, **fields: Any
    ) -> TtsStream:
        """Give a new stream, on a connection with room or on a new one; else wait for a place.

        Callers are served in the order they came. `wait_sec`: the longest wait for a place, `None`
        without limit, `0` not at all; connecting comes on top. After a 429 for too many streams
        the pool hands out fewer, and waits before the next (inside `wait_sec`). Fields are those
        of `TtsConnection.stream`.

        Raises `ConfigurationError` for missing or illegal fields, `SonioxTimeoutError` when no
        place became free, `StateError` after `close()`, `SonioxConnectionError` when a new
        connection cannot be made.
        """
        member, retired = self._take_place(Deadline(wait_sec), wait_sec)
        place = Place(self, member)
        try:
            _close_aside(retired)
            stream = place.open(input, fields)
        except BaseException:
            place.freed()
            raise
        self._keep(place)
        return stream

    def _keep(self, place: Place) -> None:
        with self._lock:
            closed = self._closed
            if not place.given_back:
                self._places.add(place)
        if closed:
            place.stream._cancel(Deadline(0))
            raise _closed()

    def speak(
        self,
        text: Union[str, Iterable[str]],
        *,
        max_quiet_sec: float = 3.0,
        timestamps: bool = False,
        wait_sec: Optional[float] = None,
        **tts_input: Any,
    ) -> Speech:
        """Speak a text of any length, as `client.realtime.speak()` does, on this pool.

        What fails because a connection was lost is made good where that is possible. `wait_sec`:
        the longest wait for a place, each time a stream is opened.
        """
        from .speech.opening import (
            PoolVoice,
            begin_speech,
            check_source,
            quiet_limits,
            read_speech_config,
        )

        check_source(text)
        limits = quiet_limits(max_quiet_sec)
        plan = self._open_connection()._plan()  # opens nothing; asks for the client's defaults
        config = read_speech_config(plan.defaults, timestamps, tts_input)
        return begin_speech(text, PoolVoice(self, wait_sec), config, limits)

    def warm(self, n: int = 1) -> int:
        """Open connections until `n` stand (at most `max_connections`); give how many do.

        Blocks while connecting. Raises `SonioxConnectionError` when one cannot be made. The server
        closes connections that nobody speaks on after 3 minutes.
        """
        wanted = min(_at_least_one("n", n), self._max_connections)
        with self._lock:
            self._check_open()
            self._prune()
            while len(self._members) < wanted:
                self._add_member()
            chosen = self._members[:wanted]
        for member in chosen:
            member.connection.connect()
            member.opened()
        return self.connections

    # -- places ----------------------------------------------------------------------------------

    def _take_place(
        self, deadline: Deadline, wait_sec: Optional[float]
    ) -> tuple[Member, list[Member]]:
        """Wait for a place in turn; also gives the members retired on the way, to be closed."""
        waiter = _Waiter()
        retired: list[Member] = []
        with self._lock:
            self._check_open()
            self._waiters.append(waiter)
            retired += self._serve()
        try:
            while not waiter.granted.is_set():
                if deadline.passed:
                    raise SonioxTimeoutError(
                        f"no place became free in the pool within {wait_sec} s"
                    )
                wait_for(waiter.granted, Deadline(self._wait_slice(deadline)))
                with self._lock:
                    retired += self._serve()  # the pause after a refusal may be over
        except BaseException:
            self._leave_queue(waiter)
            raise
        if waiter.member is None:
            raise _closed()
        return waiter.member, retired

    def _wait_slice(self, deadline: Deadline) -> Optional[float]:
        left, pause = deadline.remaining(), self._allowance.pause_until - self._now()
        if pause <= 0:
            return left
        return pause if left is None else min(left, pause)

    def _leave_queue(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            member = waiter.member
        if member is not None:  # granted at the same moment
            self._give_back(None, member, heard=False)

    def _serve(self) -> list[Member]:
        """Grant places to those first in line; gives what was retired. Under the lock."""
        retired: list[Member] = []
        while self._waiters and self._allowance.permits(self._active, self._now()):
            retired += self._prune()
            member = self._choose()
            if member is None:
                break
            member.taken += 1
            self._active += 1
            waiter = self._waiters.popleft()
            waiter.member = member
            waiter.granted.set()
        return retired

    def _choose(self) -> Optional[Member]:
        """Find the least used connection with room, or add one. Under the lock."""
        with_room = [m for m in self._members if m.taken < MAX_STREAMS and self._is_fresh(m)]
        if with_room:
            return min(with_room, key=lambda member: member.taken)
        if len(self._members) < self._max_connections:
            return self._add_member()
        return None

    def _add_member(self) -> Member:
        member = Member(self._open_connection(), self._now)
        self._members.append(member)
        return member

    def _is_fresh(self, member: Member) -> bool:
        return self._now() - member.fresh_at < _FRESH_SEC

    def _prune(self) -> list[Member]:
        """Take out idle members that are old or dead. Under the lock."""
        gone = [m for m in self._members if not m.taken and not self._is_fresh(m)]
        self._members = [member for member in self._members if member not in gone]
        return gone

    def _give_back(self, place: Optional[Place], member: Member, *, heard: bool) -> None:
        """Free a place and serve who waits."""
        with self._lock:
            member.taken -= 1
            self._active -= 1
            if place is not None:
                self._places.discard(place)
            if heard:
                self._allowance.spoke()
            retired = self._serve()
            self._idle.notify_all()
        _close_aside(retired)

    def _refused(self) -> None:
        """Learn that the account allows no more streams than there are."""
        with self._lock:
            self._allowance.refused(self._active, self._now())

    # -- end -------------------------------------------------------------------------------------

    def close(self, timeout_sec: float = _DRAIN_SEC) -> None:
        """Hand out no more streams, let the running ones end for `timeout_sec`, close everything.

        Streams without text are cancelled at once. Waited for are those whose text has ended, and
        those whose text goes on (a pause of 3 s ends that), but not the one whose handler calls
        this. What lives after that fails with `SonioxConnectionError` (`code="closed"`). Whoever
        waits for a place gets `StateError`. The connections are closed side by side, in about 2 s
        even if the server is silent. Idempotent, from any thread.
        """
        self._close(timeout_sec, _CLOSE_WAIT_SEC)

    def _close(self, drain_sec: float, close_sec: float) -> None:
        with self._lock:
            self._closed = True
            waiters, self._waiters = self._waiters, deque()
            for waiter in waiters:
                waiter.granted.set()
            places = list(self._places)
        try:
            for place in places:
                place.cancel_unused()
            self._drain(Deadline(drain_sec))
        except BaseException:  # Ctrl-C: the user waits
            close_sec = 0.0
            raise
        finally:
            with self._lock:
                places = list(self._places)
                members, self._members = self._members, []
            for place in places:
                place.give_up(closed_error())
            _close_all(members, close_sec)

    def _drain(self, deadline: Deadline) -> None:
        with self._lock:
            while sum(place.is_worth_waiting() for place in self._places):  # all are asked
                if deadline.passed:
                    return
                # in slices: a writer's silence is noticed, and not every Ctrl-C ends a wait
                self._idle.wait(deadline.at_most(0.2))

    def _check_open(self) -> None:
        if self._closed:
            raise _closed()

    def __enter__(self) -> TtsPool:
        return self

    def __exit__(self, kind: Optional[type[BaseException]] = None, *_: object) -> None:
        self._close(patience(kind, _DRAIN_SEC), patience(kind, _CLOSE_WAIT_SEC))


def _closed() -> StateError:
    return StateError("the pool was closed by close(): make a new one")


def _at_least_one(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name}: expected an int, not {type(value).__name__}")
    if value < 1:
        raise ConfigurationError(f"{name}: must be at least 1")
    return value


def _close_aside(members: list[Member]) -> None:
    """Close retired connections on a thread of their own: a dead peer makes that slow."""

    def close() -> None:
        for member in members:
            member.connection.close()

    if members:
        threading.Thread(target=close, name="soniox-pool-retire", daemon=True).start()


def _close_all(members: list[Member], wait_sec: float) -> None:
    """Close connections side by side, so that dead peers do not add up."""
    deadline = Deadline(wait_sec)
    threads: list[threading.Thread] = []
    here: list[Member] = []
    for member in members:
        # a handler's own connection knows its thread; in a hurry nobody waits, so none adds up
        if not wait_sec or len(members) == 1 or member.connection._worker.is_current:
            here.append(member)
            continue
        thread = threading.Thread(
            target=member.connection._close, args=(wait_sec,), name="soniox-pool-close", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no more threads
            here.append(member)
        else:
            threads.append(thread)
    for member in here:
        member.connection._close(deadline.at_most(wait_sec))
    for thread in threads:
        thread.join(deadline.remaining())
