"""The places of a pool: one for each stream, on one of the pool's connections.

The server closes idle connections (PROTOCOL 3.6), and its goodbye may be on its way when the pool
hands out a stream: then the stream's line is lost before the server has said anything of it. Such a
stream leaves the line, with the text sent so far, and its connection opens a new line for it. No
reader does that: a thread of its own does, one for each connection that lost streams.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from .errors import QuotaError, SonioxConnectionError, SonioxError, StateError
from .forks import forget, remember
from .protocol.states import TtsPhase
from .protocol.tts import AudioChunk, abandon
from .transport.deadline import Deadline, wait_for
from .transport.latch import Latch
from .tts import Input, TtsConnection
from .tts_line import TtsLine
from .tts_stream import TtsStream

if TYPE_CHECKING:
    from .pool import TtsPool

_log = logging.getLogger("soniox_sync")

# the socket was lost or the server closed it; any other code is a reason that would come again
_LOST_CODES = frozenset({"connection_error", "ping_timeout", "send_timeout"})
# a stream is lost unheard so often before its loss is raised
_MOST_MOVES = 2
# a writer who sends nothing for so long will not end the text: the server ends it after 5.2 s
# (PROTOCOL 3.5), and speak() after 3 s
_SILENT_SEC = 3.0
# how long a line that takes nothing more may need to end; its reader needs microseconds
_LAST_WORDS_SEC = 1.0


class Member:
    """Is one connection of the pool and what is placed on it."""

    def __init__(self, connection: TtsConnection, now: Callable[[], float]) -> None:
        # Immutable
        self.connection = connection
        self._now = now
        # Under the pool's lock
        self.taken = 0
        self.fresh_at = now()  # opened, or spoke last
        # Guards the fields below. Leaf.
        self._lock = threading.Lock()
        self._adrift: list[Place] = []
        self._is_moving = False

    def opened(self) -> None:
        """Note that it stands on a new line, or spoke."""
        self.fresh_at = self._now()

    def move(self, place: Place) -> None:
        """Open a new line for a stream, aside. Never blocks."""
        with self._lock:
            self._adrift.append(place)
            running, self._is_moving = self._is_moving, True
        if running:
            return
        try:
            threading.Thread(target=self._run, name="soniox-pool-move", daemon=True).start()
        except RuntimeError as error:  # no more threads: the loss stands
            lost = SonioxConnectionError(f"the connection was lost, and no new one: {error}")
            while places := self._take():
                self._fail(places, lost)

    def _take(self) -> list[Place]:
        """Give those who wait; the thread ends when there are none."""
        with self._lock:
            places, self._adrift = self._adrift, []
            self._is_moving = bool(places)
        return places

    def _run(self) -> None:
        while places := self._take():
            try:
                self._move(places)
            except StateError:
                self._fail(places, closed_error())
            except SonioxError as error:
                self._fail(places, error)
            except Exception as error:  # noqa: BLE001 - a thread's top: reported
                _log.exception("! moving to another connection failed")
                lost = SonioxConnectionError(f"the connection was lost, and no new one: {error!r}")
                lost.__cause__ = error
                self._fail(places, lost)

    def _move(self, places: list[Place]) -> None:
        known = self.connection._line
        line, _ = self.connection._ready_line()
        if line is not known:
            self.opened()
        for place in places:
            place.known_line = known
            try:
                line.adopt(place.stream)
            except SonioxError as error:
                if line is known and isinstance(error, SonioxConnectionError):  # it ends just now
                    wait_for(line.connection.done, Deadline(_LAST_WORDS_SEC))
                    self._again(place)
                else:
                    place.give_up(error)  # unless it was on the line by then, which tells it

    def _again(self, place: Place) -> None:
        with self._lock:
            self._adrift.append(place)

    def _fail(self, places: list[Place], error: SonioxError) -> None:
        for place in places:
            place.give_up(error)


class Place:
    """Watches one stream: moves it if need be, and gives its place back once.

    Implements `StreamPlace`.
    """

    def __init__(self, pool: TtsPool, member: Member) -> None:
        # Immutable
        self._pool = pool
        self._member = member
        self.stream: TtsStream
        # Reader only
        self._heard = False
        # Guards the fields below, and the record of a stream that is on no line. Taken under the
        # line's state lock. Leaf.
        self._lock = threading.Lock()
        self.given_back = False
        self._adrift = False
        self._seeks = False
        self._moves = 0  # with text
        self.known_line: Optional[TtsLine] = None  # stood before the stream came: may be idle
        # Only close()
        self._text_bytes = -1
        self._silence = Deadline(None)
        self._settled = Latch()  # on a line, or over
        self._settled.set()

    def open(self, input: Optional[Input], fields: Mapping[str, Any]) -> TtsStream:
        """Start the stream on the member's connection. Raises what forbids it."""
        connection = self._member.connection
        known = self.known_line = connection._line
        stood = known is not None and known.is_usable
        try:
            stream = connection._start(input, fields, 0.0, place=self)
        except SonioxConnectionError as error:
            if not (stood and _is_loss(error)):
                raise
            # it was lost between two looks at it
            stream = connection._start(input, fields, 0.0, place=self)
        if stream._line is not known:
            self._member.opened()
        return stream

    def attach(self, stream: TtsStream) -> None:
        self.stream = stream

    # -- what the stream reports -----------------------------------------------------------------

    def heard(self, chunk: AudioChunk) -> None:
        self._heard = True
        self._member.opened()

    def failed(self, error: SonioxError) -> None:
        """Note a refusal at once; the place is free when the server has terminated the stream."""
        if isinstance(error, QuotaError) and error.error_type == "limit_exceeded":
            self._pool._refused()

    def freed(self, error: Optional[SonioxError] = None) -> None:
        """Give the place back."""
        with self._lock:
            given_back, self.given_back = self.given_back, True
        if not given_back:
            self._pool._give_back(self, self._member, heard=self._heard)

    # -- moving ----------------------------------------------------------------------------------

    def drift(self, error: SonioxError) -> bool:
        record = self.stream._record
        if not _is_loss(error) or record.unheard is None or not record.phase.is_open:
            return False
        if record.phase is not TtsPhase.NEW and not self._may_blame(self.stream._line):
            return False
        with self._lock:
            self._adrift, self._seeks = True, False
            self._settled.clear()
        remember(self)  # no line will tell it of a fork
        return True

    def _may_blame(self, line: TtsLine) -> bool:
        """Tell whether another line may do better: this one may have been closed as idle."""
        stood = line is self.known_line or line.has_spoken
        return stood and self._moves < _MOST_MOVES

    def seek_line(self) -> None:
        if self.stream._record.phase is not TtsPhase.NEW:
            self._seek()  # else with its first text: an idle connection would be closed again

    def _seek(self) -> None:
        with self._lock:
            begin = self._adrift and not self._seeks
            self._seeks = True
        if begin:
            self._member.move(self)

    def await_line(self) -> None:
        self._seek()
        wait_for(self._settled, Deadline(None))

    def land(self, line: TtsLine) -> bool:
        with self._lock:
            if not self._adrift:
                return False
            self._adrift = False
            self._moves += self.stream._record.phase is not TtsPhase.NEW
            self.stream._line = line
        self._settled.set()
        forget(self)
        return True

    def give_up(self, error: Optional[SonioxError]) -> bool:
        with self._lock:
            if not self._adrift:
                return False
            self._adrift = False
            abandon(self.stream._record, error)
        self._settled.set()
        forget(self)
        self.stream._over(error)
        return True

    def _orphan(self) -> None:
        """Fail the stream in a forked child; a move goes on in the parent."""
        self.stream._forked(
            SonioxConnectionError(
                "this stream was opened before a fork and belongs to the parent process: open a "
                "new one in the child",
                code="forked",
            )
        )

    # -- while the pool closes -------------------------------------------------------------------

    def cancel_unused(self) -> None:
        """Cancel a stream that never sent text."""
        if self.stream._record.phase is TtsPhase.NEW:
            self.stream._cancel(Deadline(0))

    def is_worth_waiting(self) -> bool:
        """Tell whether the stream may still end by itself. One thread asks, again and again."""
        record = self.stream._record
        if not record.phase.is_open or self.stream._is_handler:
            return False
        if record.phase is TtsPhase.ACTIVE and record.text_bytes != self._text_bytes:
            self._text_bytes, self._silence = record.text_bytes, Deadline(_SILENT_SEC)
        return record.phase is TtsPhase.FINISHING or not self._silence.passed


def closed_error() -> SonioxConnectionError:
    """Make the error of a stream that its closing pool did not wait for."""
    return SonioxConnectionError(
        "the pool was closed by close() before the stream was terminated", code="closed"
    )


def _is_loss(error: SonioxError) -> bool:
    return isinstance(error, SonioxConnectionError) and error.code in _LOST_CODES
