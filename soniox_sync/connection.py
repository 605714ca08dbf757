"""One WebSocket's life: opened once, read by one thread, closed once.

Lock order: Recording -> send -> state -> leaf. Nobody takes one to the left of what it holds. The
reader takes only state and leaf (and, after its last byte, the send lock, holding nothing).
Only `Sender.send` may block under a lock, the send lock, bounded by a deadline. Under a lock there
is no other I/O, no wait, no callback.

A byte's walk in: socket -> FrameReader -> `receiver.received(messages)` on the reader thread, which
decides under its state lock and puts into queues. The reader's `finally` is the only place that
closes the descriptor and reports the end. Everybody else cuts the line and waits. The first cause
of the end wins.
"""

from __future__ import annotations

import enum
import itertools
import logging
import socket
import threading
from dataclasses import dataclass
from typing import Callable, NoReturn, Optional, Protocol

from .cancel import CancelToken
from .censor import Censor
from .clock import Clock, Timer, process_clock
from .errors import ConnectTimeoutError, SonioxConnectionError, SonioxError, fresh
from .forks import forget, remember
from .heartbeat import Heartbeat
from .transport.connect import Target, open_socket
from .transport.deadline import Deadline, wait_for
from .transport.frames import CLOSE, PING, PONG, FrameError, FrameReader, Message, decode_close
from .transport.latch import Latch
from .transport.sender import Frames, LineClosed, Sender
from .transport.sockets import LineSocket, SendTimeout, wrap

_log = logging.getLogger("soniox_sync")
_numbers = itertools.count(1)

# how long a failed send waits for the reader to find the server's own word on it
_LAST_WORDS_SEC = 1.0
# how long the reader may take to notice that its socket was shut; it needs microseconds
_READER_END_SEC = 2.0
# the close frame is a courtesy: a peer that takes no bytes for this long does not get one
_CLOSE_FRAME_SEC = 0.5


@dataclass(frozen=True)
class LineEnd:
    """Says how a line ended: `cause` is an error, `None` after an orderly close of either side.

    `code` and `reason` are those of the peer's close frame, `None` and `""` without one.
    """

    cause: Optional[BaseException]
    code: Optional[int]
    reason: str

    def describe(self) -> str:
        """Tell in words how the peer ended the line."""
        if self.code is None:
            return "the connection was lost without a goodbye"
        why = f" {self.reason!r}" if self.reason else ""
        return f"the server closed the connection (code {self.code}{why})"


class Receiver(Protocol):
    """Is what a connection serves. All calls come from the reader thread and must not block."""

    def received(self, messages: list[Message]) -> None:
        """Take whole text and binary messages, in order. What it raises ends the line."""

    def ended(self, end: LineEnd) -> None:
        """Learn that the line is down; called exactly once, after the last message."""

    def forked(self, error: SonioxError) -> None:
        """Learn in a forked child that the line is the parent's: renew locks, fail everything."""


class _Phase(enum.Enum):
    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"  # our side asked for the end
    CLOSED = "closed"


class Connection:
    """Owns one socket and its reader thread. Safe from any thread."""

    def __init__(
        self,
        target: Target,
        receiver: Receiver,
        *,
        ping_interval_sec: Optional[float] = 20.0,
        ping_timeout_sec: Optional[float] = 20.0,
        send_timeout_sec: float = 30.0,
        clock: Clock = process_clock,
        opener: Callable[..., socket.socket] = open_socket,
    ) -> None:
        # Immutable
        self.name = f"{next(_numbers)}"
        self.clock = clock
        self.censor = Censor(target.secrets)
        self._target = target
        self._receiver = receiver
        self._ping_interval = ping_interval_sec
        self._ping_timeout = ping_timeout_sec
        self._send_timeout = send_timeout_sec
        self._opener = opener
        self._thread = threading.Thread(
            target=self._run, name=f"soniox-reader-{self.name}", daemon=True
        )
        self.settled = Latch()  # open, or failed to open
        self.done = Latch()  # the reader has ended
        # Guards _phase, _cause, _raw, _line, _sender. Leaf; held for assignments only.
        self._lock = threading.Lock()
        self._phase = _Phase.NEW
        self._cause: Optional[BaseException] = None
        self._last_call: Optional[Timer] = None
        self._raw: Optional[socket.socket] = None  # while connecting
        self._line: Optional[LineSocket] = None
        self._sender: Optional[Sender] = None
        # Reader only
        self._close_code: Optional[int] = None
        self._close_reason = ""
        self._heartbeat: Optional[Heartbeat] = None

    # -- opening ---------------------------------------------------------------------------------

    def open(self, timeout_sec: Optional[float], cancel: Optional[CancelToken] = None) -> None:
        """Connect, upgrade and start reading, within `timeout_sec` for everything.

        The reader thread does it, so that a hanging name look-up neither outlives the deadline
        nor blocks Ctrl-C. Raises the `SonioxError` of what went wrong, `AbortError` on cancel.
        """
        deadline = Deadline(timeout_sec)
        with self._lock:
            if self._phase is not _Phase.NEW:  # close() was faster
                raise self._gone()
            self._phase = _Phase.CONNECTING
        self._deadline = deadline
        forget: Optional[Callable[[], None]] = None
        try:
            remember(self)
            self._thread.start()
            if cancel is not None:
                token = cancel
                forget = token.on_cancel(lambda: self.fail(token.error()))
            if not wait_for(self.settled, deadline):
                self.fail(
                    ConnectTimeoutError(
                        f"no connection to {self._target.place} within {timeout_sec:g} s: check "
                        "the network and the region, or raise connect_timeout_sec"
                    )
                )
        except BaseException:  # Ctrl-C: the reader must not go on without anybody waiting
            self.fail(SonioxConnectionError("connecting was interrupted"))
            raise
        finally:
            if forget is not None:
                forget()
        self.raise_cause()

    def _watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._raw = sock
            doomed = self._cause is not None
        if doomed:  # a socket that does not connect yet cannot be shut: go no further
            raise SonioxConnectionError("the attempt to connect was given up", code="closed")

    def _connect(self) -> None:
        sock = self._opener(self._target, self._deadline, self._watch)
        line = wrap(sock)
        with self._lock:
            self._raw = None
            self._line = line
            self._sender = Sender(line)
            if self._cause is None and self._phase is _Phase.CONNECTING:
                self._phase = _Phase.OPEN
                opened = True
            else:
                opened = False
        if not opened:
            line.shutdown()
            return
        self._heartbeat = Heartbeat(
            self.clock, self._ping_interval, self._ping_timeout, self._ping, self._is_dead
        )
        _log.debug("= connection %s open to %s", self.name, self._target.place)
        self.settled.set()

    # -- state -----------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Tell whether messages can be sent."""
        return self._phase is _Phase.OPEN

    @property
    def cause(self) -> Optional[BaseException]:
        """Give the first error that ended the line, `None` if none did."""
        return self._cause

    @property
    def is_reader(self) -> bool:
        """Tell whether the caller runs on this connection's reader thread."""
        return threading.current_thread() is self._thread

    def raise_cause(self) -> None:
        """Raise a fresh copy of the error that ended the line, if one did."""
        if self._cause is not None:
            raise fresh(self._cause)

    # -- sending ---------------------------------------------------------------------------------

    def send(self, make: Callable[[], Frames], deadline: Optional[Deadline] = None) -> None:
        """Write the frames that `make` returns; `make` decides under the caller's state lock.

        Waits for room at most until `deadline` (default: the connection's send timeout). Raises
        what ended the line if it has failed: the server's own error when there is one.
        """
        sender = self._sender
        if sender is None:
            raise self._gone()
        try:
            sender.send(make, deadline or Deadline(self._send_timeout))
        except LineClosed:
            self._raise_gone()
        except SendTimeout:
            self.fail(
                SonioxConnectionError(
                    "the server took no data for too long: the line is dead or far too slow",
                    code="send_timeout",
                )
            )
            self._raise_gone()
        except OSError as error:
            if isinstance(error, SonioxError):
                raise  # `make` forbids it for a reason of its own; the line is well
            self._send_failed(error)
            self._raise_gone()

    def _send_failed(self, error: OSError) -> None:
        _log.debug("! connection %s send failed: %s", self.name, error)
        # the server's error frame may lie unread: let the reader find the true reason first
        if not self.is_reader:
            wait_for(self.done, Deadline(_LAST_WORDS_SEC))
        self.fail(SonioxConnectionError(f"the connection was lost while sending ({error})"))

    def _raise_gone(self) -> NoReturn:
        gone = self._gone()
        raise gone from gone.__cause__  # chained to the first cause, not to how it was met

    def _gone(self) -> BaseException:
        if self._cause is not None:
            return fresh(self._cause)
        return SonioxConnectionError("the connection is closed", code="closed")

    def try_send(self, make: Callable[[], Frames], deadline: Optional[Deadline] = None) -> bool:
        """Write without waiting for room; False when the line has none, or is busy until
        `deadline` (default: now, as the clock needs it)."""
        sender = self._sender
        if sender is None:
            return False
        try:
            return sender.try_send(make, deadline)
        except OSError:
            return False  # the reader meets the same failure and reports it once

    def _ping(self, payload: bytes) -> None:
        if self._sender is not None:
            self._sender.ping(payload)

    def _is_dead(self, silence_sec: float) -> None:
        if self.is_open:  # while closing the deadline of the close decides
            self.fail(
                SonioxConnectionError(
                    f"no sign of life from the server for {silence_sec:.3g} s: the line is dead",
                    code="ping_timeout",
                )
            )

    # -- ending ----------------------------------------------------------------------------------

    def fail(self, cause: BaseException) -> None:
        """End the line at once because of `cause`; the first cause stays. Never blocks."""
        with self._lock:
            if self._phase is _Phase.CLOSED:
                return
            if self._cause is None and self._phase is not _Phase.CLOSING:
                self._cause = cause
            raw, line = self._raw, self._line
        if raw is not None:
            _shut(raw)
        if line is not None:
            line.shutdown()
        # while connecting the caller need not wait until a name look-up gives up
        self.settled.set()

    def cut(self) -> None:
        """Shut the socket, giving no cause. Never blocks."""
        with self._lock:
            raw, line = self._raw, self._line
        if raw is not None:
            _shut(raw)
        if line is not None:
            line.shutdown()

    def close(self, timeout_sec: float = 2.0, code: int = 1000) -> None:
        """Say goodbye, let the reader take in what is in flight, end after `timeout_sec` at most.

        Idempotent; from the reader or a forked child it does not wait.
        """
        try:
            self._close(timeout_sec, code)
        except BaseException:  # Ctrl-C anywhere in it: the line must not outlive the call
            self.cut()
            raise

    def _close(self, timeout_sec: float, code: int) -> None:
        with self._lock:
            if self._phase is _Phase.NEW:
                self._phase = _Phase.CLOSED
                self.settled.set()
                self.done.set()
                return
            connecting = self._phase is _Phase.CONNECTING
            if self._phase in (_Phase.CONNECTING, _Phase.OPEN):
                self._phase = _Phase.CLOSING
            sender = self._sender
            if connecting and self._cause is None:
                self._cause = SonioxConnectionError("closed while connecting", code="closed")
        if self.done.is_set():
            return
        if connecting or sender is None:
            self.cut()
            self.settled.set()
            return  # the thread ends by itself when its connection attempt does
        self._say_goodbye(sender, code, Deadline(timeout_sec))

    def _say_goodbye(self, sender: Sender, code: int, deadline: Deadline) -> None:
        try:
            told = sender.send_close(code, "", Deadline(deadline.at_most(_CLOSE_FRAME_SEC)))
            if told and not self.is_reader:
                wait_for(self.done, deadline)
        finally:  # also after Ctrl-C: nobody is left to wait for the peer
            if not self.done.is_set():
                self.cut()
        if not self.is_reader:
            wait_for(self.done, Deadline(_READER_END_SEC))

    def expect_close(self, seconds: float) -> None:
        """Give the server `seconds` to close the line by itself, then cut it. Never blocks."""
        with self._lock:
            if self._phase is _Phase.CLOSED:
                return
            if self._phase is _Phase.OPEN:
                self._phase = _Phase.CLOSING
            if self._last_call is None:
                self._last_call = self.clock.call_later(seconds, self.cut)

    # -- the reader ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._connect()
            self._read()
        except Exception as error:  # noqa: BLE001 - a thread's top: reported
            self._note(error)
        finally:
            self._finish()

    def _note(self, error: Exception) -> None:
        """Keep the first cause; whatever is not ours is turned into what users can catch."""
        self.censor.error(error)
        if isinstance(error, FrameError):
            cause: BaseException = SonioxConnectionError(
                f"{error}; a gateway between may have changed it", code="protocol_error"
            )
            self._farewell(error.code)
        elif isinstance(error, SonioxError):
            cause = error
        elif isinstance(error, OSError):
            cause = SonioxConnectionError(f"the connection was lost ({error})")
        else:
            _log.exception("! the reader of connection %s failed", self.name)
            cause = SonioxConnectionError(f"reading failed: {error!r}", code="internal_error")
            cause.__cause__ = error
        with self._lock:
            if self._cause is None and self._phase is not _Phase.CLOSING:
                self._cause = cause

    def _farewell(self, code: int) -> None:
        if self._sender is not None:
            self._sender.reply_close(code)

    def _read(self) -> None:
        line, heartbeat = self._line, self._heartbeat
        if line is None or heartbeat is None:
            return  # the end was faster than the opening
        frames, clock_now, receiver = FrameReader(), self.clock.now, self._receiver
        while True:
            count = line.recv_into(frames.room())
            if count == 0:
                return
            heartbeat.heard = clock_now()
            frames.filled(count)
            messages = frames.messages()
            for opcode, _ in messages:
                if opcode > 2:
                    if self._with_control(messages):
                        return
                    break
            else:
                if messages:
                    receiver.received(messages)
            frames.check()

    def _with_control(self, messages: list[Message]) -> bool:
        """Deliver a batch that holds control frames; True when the peer closed."""
        data: list[Message] = []
        for opcode, payload in messages:
            if opcode == CLOSE:
                self._deliver(data)
                self._closed_by_peer(payload)
                return True
            if opcode == PING:
                assert self._sender is not None
                self._sender.pong(payload)
            elif opcode != PONG:  # a pong has done its work by being heard
                data.append((opcode, payload))
        self._deliver(data)
        return False

    def _deliver(self, messages: list[Message]) -> None:
        if messages:
            self._receiver.received(messages)

    def _closed_by_peer(self, payload: bytes) -> None:
        self._close_code, reason = decode_close(payload)
        self._close_reason = self.censor.text(reason)
        _log.debug("< close %s %s", self._close_code, self._close_reason)
        self._farewell(self._close_code)

    def _finish(self) -> None:
        with self._lock:
            self._phase = _Phase.CLOSED
            line, sender, cause = self._line, self._sender, self._cause
            heartbeat, last_call = self._heartbeat, self._last_call
        if line is not None:
            line.shutdown()
        if sender is not None:
            sender.retire()
        if heartbeat is not None:
            heartbeat.stop()
        if last_call is not None:
            last_call.cancel()
        _log.debug("= connection %s closed: %s", self.name, cause or self._close_code)
        try:
            self._receiver.ended(LineEnd(cause, self._close_code, self._close_reason))
        except Exception:  # noqa: BLE001 - a thread's top: logged
            _log.exception("! the end of connection %s was not taken well", self.name)
        finally:
            forget(self)
            self.settled.set()
            self.done.set()

    # -- fork ------------------------------------------------------------------------------------

    def _orphan(self) -> None:
        """Make a forked child's copy of this connection dead, leaving the parent's alone."""
        error = SonioxConnectionError(
            "this connection was opened before a fork and belongs to the parent process: open a "
            "new one in the child",
            code="forked",
        )
        self._lock = threading.Lock()
        self._phase, self._cause = _Phase.CLOSED, error
        self.settled, self.done = Latch(), Latch()
        if self._sender is not None:
            self._sender.renew_locks()
        if self._line is not None:
            self._line.abandon()
        if self._raw is not None:
            self._raw.close()
        self.settled.set()
        self.done.set()
        self._receiver.forked(error)


def _shut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass  # not connected yet, or closed already
