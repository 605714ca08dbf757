"""`SocketAudio`: source and sink in one, over the blocking WebSocket of any web framework."""

from __future__ import annotations

import json
import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Callable, Optional, TypeVar, Union

from .._support.checks import function, object_with, refuse_async, refused
from .._support.locks import new_condition, new_lock
from .._support.reprs import summary
from ..errors import SonioxConnectionError, StateError
from .base import AudioSourceHandlers, SourceAudio, describe_audio

__all__ = ["SocketAudio"]

_log = logging.getLogger("soniox_sync")
_is_socket = object_with("a WebSocket with receive() and send()", "receive", "send")

# audio is kept from the first message on, until somebody listens: a client connects faster
_KEPT_BYTES = 480_000
# a handler of a live source does not block: one that takes longer hangs
_HANDLER_SEC = 5.0

Key = TypeVar("Key", bound=Callable[[str], object])
Self = TypeVar("Self", bound="SocketAudio")


class SocketAudio(ABC):
    """Base of sources and sinks over a WebSocket; subclasses read and write its messages.

    A thread reads the WebSocket from the first use on. It ends when the connection does, which is
    a hang-up: the web framework closes it when its handler returns.
    """

    is_live = True
    echo_free = True  # telephones and browsers cancel the echo
    audio: SourceAudio
    _thread_name = "soniox-source-socket"

    def __init__(self, socket: Any) -> None:
        _is_socket("socket", socket)
        for method in (socket.receive, socket.send):
            refuse_async("socket", method)
        self._socket = socket
        # Serialises sending, and is held meanwhile. Order: _sending -> _lock.
        self._sending = new_lock()
        # messages that wait for nobody: whoever sends passes them on first. append and popleft are
        # atomic
        self._urgent: deque[str] = deque()
        # Guards the fields below, and those of subclasses. Never held during I/O or handlers. Leaf.
        self._lock = new_lock()
        self._changed = new_condition(self._lock)
        self._thread: Optional[threading.Thread] = None
        self._handlers: Optional[AudioSourceHandlers] = None
        self._busy: Optional[threading.Thread] = None  # calls a handler now
        self._early: Optional[deque[bytes]] = deque()  # audio before the first start()
        self._early_bytes = 0
        self._paused = False
        self._over = False  # the other side has gone
        self._error: Optional[BaseException] = None  # why
        self._reported = False  # to the handlers
        self._clears = 0  # calls of `clear()`
        self._on_dtmf: Optional[Callable[[str], object]] = None

    def __repr__(self) -> str:
        handlers = self._handlers
        state = "ended" if self._over else "idle" if handlers is None else "running"
        return summary(self, describe_audio(self.audio), state)

    # -- the source -------------------------------------------------------------------------------

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Deliver the audio that arrives, beginning with what arrived before; see `AudioSource`.

        Raises
            StateError: it is running, or the end of the call has been reported.
        """
        with self._lock:
            if self._handlers is not None:
                raise StateError("cannot start: the source is running")
            if self._reported:
                raise StateError("cannot start: the other side has hung up")
            self._handlers = handlers
            self._paused = False
            if not self._over:
                self._start_reading()
                return
            self._thread = self._new_thread(self._report_end)
            self._thread.start()

    def stop(self) -> None:
        """Stop delivering; no handler is called after this has returned. Idempotent.

        The WebSocket stays open: the handler of the web framework closes it by returning.
        """
        with self._lock:
            self._handlers = None
            self._changed.wait_for(self._is_quiet, _HANDLER_SEC)

    def pause(self) -> None:
        """Drop what arrives until `resume()`. Idempotent."""
        self._paused = True

    def resume(self) -> None:
        """Continue to deliver what arrives. Idempotent."""
        self._paused = False

    def on_dtmf(self, handler: Key) -> Key:
        """Set the function that gets each key that is pressed, such as `"5"`; return it."""
        function("handler", handler)
        self._on_dtmf = handler
        return handler

    # -- the sink ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def played_ms(self) -> float:
        """Milliseconds of the written audio that have been played."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send audio to be played after what was sent before."""

    @abstractmethod
    def clear(self) -> None:
        """Drop what was sent and not yet played."""

    def close(self) -> None:
        """Close the WebSocket, which hangs up. Idempotent, thread-safe."""
        with self._lock:
            over, self._over = self._over, True
            self._changed.notify_all()
        close = getattr(self._socket, "close", None)
        if close is None or over:
            return
        try:
            close()
        except Exception as error:  # noqa: BLE001 - of any framework: it may be closed already
            _log.debug("! closing a WebSocket failed: %r", error)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # -- for subclasses ---------------------------------------------------------------------------

    @abstractmethod
    def _receive(self, message: dict[str, Any]) -> bool:
        """Handle a message in JSON; return False if it ends the call."""

    def _receive_bytes(self, data: bytes) -> bool:
        """Handle a binary message; return False if it ends the call."""
        return self._receive(_parsed(data))

    def _deliver(self, data: bytes) -> None:
        """Pass audio to the handlers, or keep it until there are some."""
        with self._lock:
            if self._handlers is None and self._early is not None:
                self._early.append(data)
                self._early_bytes += len(data)
                while self._early_bytes > _KEPT_BYTES:
                    self._early_bytes -= len(self._early.popleft())
                return
        self._deliver_early()
        if data and not self._paused:
            self._pass(data)

    def _press(self, digit: object) -> None:
        """Report a key; nothing, if the message has none."""
        key = digit if isinstance(digit, str) else str(digit) if type(digit) is int else ""
        handler = self._on_dtmf
        if handler is not None and key:
            self._call(lambda _: handler(key))

    @contextmanager
    def _turn_to_send(self) -> Generator[None, None, None]:
        """Hold `_sending` in the block; what is urgent is sent before and after it."""
        with self._sending:
            self._send_all_urgent()
            yield
        self._send_urgent()

    def _send_urgent(self, *messages: str) -> None:
        """Send messages before any other, but do not wait for one that is being sent."""
        self._urgent.extend(messages)
        # the thread that holds the lock looks again when it has released it
        while self._urgent and self._sending.acquire(blocking=False):
            try:
                self._send_all_urgent()
            finally:
                self._sending.release()

    def _send_all_urgent(self) -> None:
        while self._urgent:
            self._send(self._urgent.popleft())

    def _send(self, message: Union[str, bytes]) -> None:
        """Send a message; the caller holds `_sending`.

        Raises
            SonioxConnectionError: the other side has hung up.
        """
        if self._over:
            raise SonioxConnectionError("the other side has hung up")
        try:
            self._socket.send(message)
        except Exception as error:  # of any framework: it cannot send
            raise SonioxConnectionError(f"the other side has hung up ({error!r})") from error

    def _start_reading(self) -> None:
        """Start the thread that reads the WebSocket, unless it has started; under `_lock`."""
        if self._thread is None and not self._over:
            self._thread = self._new_thread(self._main)
            self._thread.start()

    def _new_thread(self, main: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=main, name=self._thread_name, daemon=True)

    # -- the reading thread -----------------------------------------------------------------------

    def _main(self) -> None:
        error: Optional[BaseException] = None
        try:
            while self._read_one():
                self._deliver_early()
        except BaseException as raised:  # noqa: BLE001 - top of a thread, may be the user's
            error = raised
        with self._lock:
            self._over, self._error = True, error
            self._changed.notify_all()
            if self._handlers is None:
                return
        self._report_end()

    def _read_one(self) -> bool:
        try:
            data = self._socket.receive()
        except Exception as error:  # of any framework
            if not self._over and not _is_end(error):
                raise
            _log.debug("! a WebSocket ended: %r", error)
            return False
        if data is None or self._over:  # how some frameworks report the end
            return False
        if isinstance(data, (bytes, bytearray, memoryview)):
            return self._receive_bytes(bytes(data))
        return self._receive(_parsed(data))

    def _deliver_early(self) -> None:
        with self._lock:
            if self._handlers is None or not self._early:
                if self._handlers is not None:
                    self._early = None
                return
            early, self._early = self._early, None
        for data in early:
            self._pass(data)

    def _report_end(self) -> None:
        error = self._error
        self._reported = True

        def report(handlers: AudioSourceHandlers) -> None:
            if error is not None:
                handlers.on_error(error)
            elif handlers.on_end is not None:
                handlers.on_end()

        try:
            self._deliver_early()
            self._call(report)
        except Exception:  # noqa: BLE001 - top of a thread: logged
            _log.exception("! the on_end or on_error handler of a source failed")
        with self._lock:
            self._handlers = None

    def _pass(self, data: bytes) -> None:
        self._call(lambda handlers: handlers.on_data(data))

    def _call(self, call: Callable[[AudioSourceHandlers], object]) -> None:
        """Call a handler, unless the source is stopped."""
        with self._lock:
            handlers = self._handlers
            if handlers is None:
                return
            self._busy = threading.current_thread()
        try:
            call(handlers)
        finally:
            with self._lock:
                self._busy = None
                self._changed.notify_all()

    def _is_quiet(self) -> bool:
        return self._busy is None or self._busy is threading.current_thread()


def _parsed(data: Union[str, bytes]) -> dict[str, Any]:
    """Return a message.

    Raises
        ConfigurationError: it is no JSON object.
    """
    try:
        message = json.loads(data)
    except (TypeError, ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise refused("socket", "messages that are JSON objects", "another message")
    return message


def _is_end(error: Exception) -> bool:
    """Return whether an error of a WebSocket means that its connection has ended.

    Every framework has its own: `ConnectionClosed`, `WebSocketDisconnect`, `WebSocketError`.
    """
    names = " ".join(base.__name__.lower() for base in type(error).__mro__)
    ended = any(word in names for word in ("clos", "disconnect", "websocketerror"))
    return ended or isinstance(error, (OSError, EOFError))
