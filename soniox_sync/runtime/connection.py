"""One WebSocket's life: opened once, read by one thread, closed once.

Lock order: Recording -> send -> state -> leaf. No thread takes a lock to the left of one it holds.
The reader takes only state and leaf locks (and, after its last byte, the send lock while holding
none). Only `Sender.send` may block under a lock, the send lock, bounded by a deadline. Under a lock
there is no other I/O, no wait, no callback.

A byte's way in: socket -> FrameReader -> `receiver.messages_received()` on the reader thread, which
decides under its state lock and puts into queues. The reader's `finally` is the only place that
closes the descriptor and reports the end; everybody else aborts and waits. The first cause wins.
"""

from __future__ import annotations

import enum
import itertools
import logging
import socket
import threading
from typing import TYPE_CHECKING, Callable, NoReturn, Optional

from .._support.locks import new_lock
from ..cancel import CancelToken
from ..errors import ConnectTimeoutError, SonioxConnectionError, SonioxError, fresh
from ..transport.connect import Target, open_socket
from ..transport.deadline import Deadline, wait_for
from ..transport.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    FrameError,
    FrameReader,
    Message,
    decode_close,
)
from ..transport.latch import Latch
from ..transport.sender import Frames, SendAfterClose, Sender
from ..transport.sockets import DuplexSocket, SendTimeout, shut_down, wrap
from . import forks
from .clock import Clock, Timer, process_clock
from .heartbeat import Heartbeat
from .log import ConnectionLog
from .receiver import CloseInfo, Receiver
from .redaction import Redactor, secrets_of_proxies
from .timeouts import CLOSE_TIMEOUT_SEC, READER_REPORT_SEC

if TYPE_CHECKING:
    from .trace.trace import Trace

_log = logging.getLogger("soniox_sync")
_numbers = itertools.count(1)

# how long the reader may take to notice that its socket was shut down; it needs microseconds
_READER_END_SEC = 2.0
# the close frame is a courtesy: a peer that reads nothing for this long does not get one
_CLOSE_FRAME_SEC = 0.5


class _Phase(enum.Enum):
    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"  # our side asked for the end
    CLOSED = "closed"


class Connection:
    """One WebSocket: its socket and the thread that reads it. Thread-safe."""

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
        trace: Optional[Trace] = None,
    ) -> None:
        # Immutable
        self.number: int = next(_numbers)
        self.clock = clock
        # a proxy may repeat what it was sent
        secrets = (*target.secrets, *secrets_of_proxies(target.proxy))
        self.redactor: Redactor = Redactor(secrets)
        self.log: ConnectionLog = ConnectionLog(self.number, self.redactor)
        self._target = target
        self._receiver = receiver
        self._ping_interval = ping_interval_sec
        self._ping_timeout = ping_timeout_sec
        self._send_timeout = send_timeout_sec
        self._opener = opener
        self._trace = None if trace is None else trace.connection(self.number, target)
        self._thread = threading.Thread(
            target=self._run, name=f"soniox-reader-{self.number}", daemon=True
        )
        self._opened = Latch()  # open, or failed to open
        self.closed: Latch = Latch()  # the reader has ended
        # Guards writes to the fields below; a single one may be read without it. Leaf.
        self._lock = new_lock()
        self._phase = _Phase.NEW
        self._cause: Optional[BaseException] = None
        self._close_expected = False
        self._close_timer: Optional[Timer] = None  # aborts if the server does not close in time
        self._raw_socket: Optional[socket.socket] = None  # while connecting
        self._socket: Optional[DuplexSocket] = None  # once connected
        self._sender: Optional[Sender] = None
        # Set by open(), before the reader starts
        self._deadline = Deadline(None)
        # Reader only
        self._close_code: Optional[int] = None
        self._close_reason = ""
        self._heartbeat: Optional[Heartbeat] = None

    # -- opening ---------------------------------------------------------------------------------

    def open(self, timeout_sec: Optional[float], cancel: Optional[CancelToken] = None) -> None:
        """Connect, upgrade and start reading, all within `timeout_sec`.

        The reader thread connects, so that a hanging name look-up neither outlives the deadline nor
        blocks Ctrl-C.

        Raises
            SonioxConnectionError: the connection could not be opened (`ConnectTimeoutError`: not
                within `connect_timeout_sec`), or `close()` came first.
            AbortError: `cancel` was cancelled.
        """
        forks.check()
        deadline = Deadline(timeout_sec)
        with self._lock:
            if self._phase is not _Phase.NEW:  # close() came first
                raise self._closed_error()
            self._phase = _Phase.CONNECTING
        self._deadline = deadline
        stop_watching: Optional[Callable[[], None]] = None
        try:
            forks.register(self._invalidate)
            self._thread.start()
            if cancel is not None:
                token = cancel
                stop_watching = token.on_cancel(lambda: self.fail(token.error()))
            if not wait_for(self._opened, deadline):
                self.fail(
                    ConnectTimeoutError(
                        f"no connection to {self._target.address} {deadline.within}: check the "
                        "network and the region, or raise connect_timeout_sec"
                    )
                )
        except BaseException:  # Ctrl-C: the reader must not outlive the call
            self.fail(SonioxConnectionError("connecting was interrupted"))
            raise
        finally:
            if stop_watching is not None:
                stop_watching()
        self.raise_cause()

    def _keep_raw_socket(self, sock: socket.socket) -> None:
        with self._lock:
            self._raw_socket = sock
            failed = self._cause is not None
        if failed:  # shutting down a socket that is not connecting yet has no effect: stop here
            raise SonioxConnectionError("the connection attempt was abandoned", code="closed")

    def _connect(self) -> None:
        target = self._target if self._trace is None else self._trace.connecting(self._target)
        sock = wrap(self._opener(target, self._deadline, self._keep_raw_socket))
        with self._lock:
            self._raw_socket = None
            self._socket = sock
            self._sender = Sender(sock, self._trace)
            opened = self._cause is None and self._phase is _Phase.CONNECTING
            if opened:
                self._phase = _Phase.OPEN
        if not opened:
            sock.shutdown()
            return
        self._heartbeat = Heartbeat(
            self.clock, self._ping_interval, self._ping_timeout, self._ping, self._ping_timed_out
        )
        self.log("= open to %s", self._target.address)
        self._opened.set()

    # -- state -----------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._phase is _Phase.OPEN

    @property
    def is_traced(self) -> bool:
        """Whether a trace records this connection."""
        return self._trace is not None

    @property
    def is_behind(self) -> bool:
        """Whether a part of what was accepted still waits for room to be sent."""
        return self._sender is not None and self._sender.is_behind

    @property
    def cause(self) -> Optional[BaseException]:
        """First error that ended the connection, `None` if none did."""
        return self._cause

    @property
    def in_reader_thread(self) -> bool:
        """Whether the caller runs on this connection's reader thread."""
        return threading.current_thread() is self._thread

    def raise_cause(self) -> None:
        """Raise a fresh copy of the error that ended the connection, if one did."""
        if self._cause is not None:
            raise fresh(self._cause)

    # -- sending ---------------------------------------------------------------------------------

    def send(self, make: Callable[[], Frames], deadline: Optional[Deadline] = None) -> None:
        """Write the frames that `make` returns; `make` decides under the caller's state lock.

        Waits for room until `deadline` (default: the connection's send timeout). What `make` raises
        passes through, and the connection goes on.

        Raises
            SonioxError: what ended the connection: the server's own error when there is one.
        """
        forks.check()
        sender = self._sender
        if sender is None:
            raise self._closed_error()
        limit = deadline or Deadline(self._send_timeout)
        try:
            sender.send(make, limit)
        except SendAfterClose:
            self._raise_closed()
        except SendTimeout:
            self.fail(
                SonioxConnectionError(
                    f"send timed out: the server is not reading (not sent {limit.within})",
                    code="send_timeout",
                )
            )
            self._raise_closed()
        except OSError as error:
            if isinstance(error, SonioxError):
                raise  # raised by `make`, which decided not to send
            self.log("! send failed: %s", error)
            # the server's error frame may still be unread: let the reader report the reason first
            if not self.in_reader_thread:
                wait_for(self.closed, Deadline(READER_REPORT_SEC))
            self.fail(SonioxConnectionError(f"connection lost while sending ({error})"))
            self._raise_closed()

    def _closed_error(self) -> BaseException:
        if self._cause is not None:
            return fresh(self._cause)
        return SonioxConnectionError("the connection is closed", code="closed")

    def _raise_closed(self) -> NoReturn:
        error = self._closed_error()
        raise error from error.__cause__  # chained to the first cause, not to the error of the send

    def try_send(self, make: Callable[[], Frames], deadline: Optional[Deadline] = None) -> bool:
        """Write without waiting for room; return whether the frames were accepted.

        They are not when the socket has no room, or another thread is still sending at `deadline`
        (default: now, because the clock thread must not wait).
        """
        sender = self._sender
        if sender is None:
            return False
        try:
            return sender.try_send(make, deadline)
        except OSError:
            return False  # the reader gets the same error and reports it once

    def _ping(self, payload: bytes) -> None:
        if self._sender is not None:
            self._sender.ping(payload)

    def _ping_timed_out(self, silence_sec: float) -> None:
        if self.is_open:  # while closing, the deadline of the close applies
            self.fail(
                SonioxConnectionError(
                    f"no data from the server for {silence_sec:.3g} s (ping timed out)",
                    code="ping_timeout",
                )
            )

    # -- ending ----------------------------------------------------------------------------------

    def fail(self, cause: BaseException) -> None:
        """End the connection at once because of `cause`; the first cause is kept. Never blocks."""
        with self._lock:
            if self._phase is _Phase.CLOSED:
                return
            if self._cause is None and self._phase is not _Phase.CLOSING:
                self._cause = cause
        self.abort()
        # while connecting, the caller of open() need not wait for a hanging name look-up
        self._opened.set()

    def abort(self) -> None:
        """Shut the socket down without a cause. Never blocks."""
        with self._lock:
            raw, sock = self._raw_socket, self._socket
        if raw is not None:
            shut_down(raw)
        if sock is not None:
            sock.shutdown()

    def close(self, timeout_sec: float = CLOSE_TIMEOUT_SEC, code: int = 1000) -> None:
        """Perform the closing handshake within `timeout_sec`; data in flight is still delivered.

        Idempotent; on the reader thread and in a forked child it does not wait.
        """
        forks.check()
        try:
            self._close(timeout_sec, code)
        except BaseException:  # Ctrl-C at any point: the connection must not outlive the call
            self.abort()
            raise

    def _close(self, timeout_sec: float, code: int) -> None:
        with self._lock:
            if self._phase is _Phase.NEW:
                self._phase = _Phase.CLOSED
                self._opened.set()
                self.closed.set()
                return
            connecting = self._phase is _Phase.CONNECTING
            if self._phase in (_Phase.CONNECTING, _Phase.OPEN):
                self._phase = _Phase.CLOSING
            sender = self._sender
            if connecting and self._cause is None:
                self._cause = SonioxConnectionError("closed while connecting", code="closed")
        if self.closed.is_set():
            return
        if connecting or sender is None:
            self.abort()
            self._opened.set()
            return  # the thread ends by itself when its connection attempt does
        self._closing_handshake(sender, code, Deadline(timeout_sec))

    def _closing_handshake(self, sender: Sender, code: int, deadline: Deadline) -> None:
        try:
            sent = sender.send_close(code, Deadline(deadline.at_most(_CLOSE_FRAME_SEC)))
            if sent and not self.in_reader_thread:
                wait_for(self.closed, deadline)
        finally:  # also after Ctrl-C, when nobody waits for the peer
            if not self.closed.is_set():
                self.abort()
        if not self.in_reader_thread:
            wait_for(self.closed, Deadline(_READER_END_SEC))

    def expect_close(self, seconds: float) -> None:
        """Abort unless the server closes the connection within `seconds`. Never blocks."""
        with self._lock:
            if self._phase is _Phase.CLOSED or self._close_expected:
                return
            self._close_expected = True
            if self._phase is _Phase.OPEN:
                self._phase = _Phase.CLOSING
        timer = self.clock.call_later(seconds, self.abort)
        with self._lock:
            self._close_timer = timer
            ended = self._phase is _Phase.CLOSED
        if ended:  # in the meantime: the reader had no timer to cancel
            timer.cancel()

    # -- the reader ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._connect()
            self._read()
        except Exception as error:  # noqa: BLE001 - top of a thread: reported
            self._reading_failed(error)
        finally:
            self._finish()

    def _reading_failed(self, error: Exception) -> None:
        """Record `error`, as an exception that users can catch, as the cause if there is none."""
        self.redactor.error(error)
        if isinstance(error, FrameError):
            cause: BaseException = SonioxConnectionError(
                f"{error}; a proxy or gateway may have altered the data", code="protocol_error"
            )
            self._reply_close(error.code)
        elif isinstance(error, SonioxError):
            cause = error
        elif isinstance(error, OSError):
            cause = SonioxConnectionError(f"connection lost ({error})")
        else:
            _log.exception("! the reader of connection %d failed", self.number)
            cause = SonioxConnectionError(f"reading failed: {error!r}", code="internal_error")
            cause.__cause__ = error
        with self._lock:
            if self._cause is None and self._phase is not _Phase.CLOSING:
                self._cause = cause

    def _reply_close(self, code: int) -> None:
        assert self._sender is not None  # only what was read is answered
        self._sender.reply_close(code)

    def _read(self) -> None:
        sock, heartbeat = self._socket, self._heartbeat
        if sock is None or heartbeat is None:
            return  # it was closed before it was open
        frames, now, receiver = FrameReader(), self.clock.now, self._receiver
        trace = self._trace
        while True:
            count = sock.recv_into(frames.room())
            if count == 0:
                return
            heartbeat.last_received = now()
            frames.filled(count)
            messages = frames.messages()
            for batch in (messages,) if trace is None else trace.received(messages):
                for opcode, _ in batch:
                    if opcode > BINARY:
                        if self._handle_control(batch):
                            return
                        break
                else:
                    if batch:
                        receiver.messages_received(batch)
            frames.check()

    def _handle_control(self, messages: list[Message]) -> bool:
        """Handle a batch that holds control frames; return whether the peer closed."""
        data: list[Message] = []
        for opcode, payload in messages:
            if opcode == CLOSE:
                self._deliver(data)
                self._close_code, reason = decode_close(payload)
                self._close_reason = self.redactor.text(reason)
                self.log("< close %s %s", self._close_code, self._close_reason)
                self._reply_close(self._close_code)
                return True
            if opcode == PING:
                assert self._sender is not None
                self._sender.pong(payload)
            elif opcode != PONG:  # only the arrival of a pong matters, and that was recorded
                data.append((opcode, payload))
        self._deliver(data)
        return False

    def _deliver(self, messages: list[Message]) -> None:
        if messages:
            self._receiver.messages_received(messages)

    def _finish(self) -> None:
        with self._lock:
            self._phase = _Phase.CLOSED
            cause, close_timer = self._cause, self._close_timer
        if self._socket is not None:
            self._socket.shutdown()
        if self._sender is not None:
            self._sender.retire()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if close_timer is not None:
            close_timer.cancel()
        self.log("= closed: %s", cause or self._close_code)
        end = CloseInfo(cause, self._close_code, self._close_reason)
        if self._trace is not None:
            self._trace.ended(end)
        try:
            self._receiver.connection_ended(end)
        except Exception:  # noqa: BLE001 - top of a thread: logged
            _log.exception("! connection %d: handling its end failed", self.number)
        finally:
            self._opened.set()
            self.closed.set()
            forks.unregister(self._invalidate)  # last: until here a child would wait for this

    # -- fork ------------------------------------------------------------------------------------

    def _invalidate(self) -> None:
        """Make a forked child's copy of this connection unusable; the parent's goes on."""
        error = forks.fork_error("connection")
        self._phase, self._cause = _Phase.CLOSED, error
        if self._sender is not None:
            self._sender.invalidate()
        if self._socket is not None:
            self._socket.invalidate()
        if self._raw_socket is not None:
            self._raw_socket.close()
        self._opened.set()
        self.closed.set()
        self._receiver.connection_forked(error)
