"""Server side of one WebSocket: a reader, one writer for all writes, and the closing handshake.

Frames are built and parsed by the public framing classes of websocket-client. Nothing here depends
on speech: a `Service` receives messages and sends messages.
"""

from __future__ import annotations

import collections
import json
import logging
import struct
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, NoReturn, Optional, Protocol, Union

import websocket
from websocket import ABNF

from ..._support.locks import new_condition
from ..clock import Clock, Timer
from ..limits import Limits
from ..log import Traffic
from ..problems import Problem
from .link import Link, LinkDown
from .tripwire import Tripwire

__all__ = ["PeerGone", "Service", "WsPeer"]

log: logging.Logger = logging.getLogger(__name__)

# bytes queued for a client that does not read, before the producer has to wait
_BACKLOG = 4 * 1024 * 1024


class PeerGone(Exception):
    """Ends the reader: the peer closed the connection, vanished, or violated the protocol."""


class Service(Protocol):
    """Service behind a WebSocket.

    Called on the connection's thread, except by faults, which may act on any thread.
    """

    def opened(self) -> None:
        """Handle the end of the upgrade."""

    def text(self, text: str) -> None:
        """Handle one text message."""

    def binary(self, data: bytes) -> None:
        """Handle one binary message."""

    def closed(self) -> None:
        """Stop everything; nothing more can be sent."""

    def terminate(self) -> None:
        """End the running streams without an explanation, for a fault."""

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame for a fault; see `Faults.error_frame` for the arguments."""


class _Item(NamedTuple):
    """Frames in the queue of the writer; `due` is the monotonic time at which they may be sent."""

    due: float
    data: bytes
    message: Optional[Mapping[str, Any]] = None  # for the log; None: binary, or bytes of a fault
    size: int = 0  # bytes of the message's payload; 0: not logged without a message
    audio_ms: float = 0.0
    closes: bool = False
    stream: Optional[str] = None
    act: Optional[Callable[[], None]] = None  # called after it was sent, by the writer


class WsPeer:
    """Server side of one WebSocket connection, and the `Target` of its faults.

    `send()` never blocks, keeps the order, and is thread-safe. Lock order: a service's own lock ->
    `_ready`.
    """

    def __init__(
        self,
        link: Link,
        read: Callable[[int], bytes],
        *,
        kind: str,
        number: int,
        traffic: Traffic,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self.link = link
        self.kind = kind
        self.number = number
        self.clock = clock
        self.limits = limits
        self.service: Optional[Service] = None
        self.trip: Optional[Tripwire] = None
        self._traffic = traffic
        self._read = read
        # Set by faults, in one assignment.
        self._lag = 0.0
        self._fragment: Optional[int] = None
        # Guards the queues and flags below. Held only for queue operations, never across I/O.
        self._ready = new_condition()
        self._control: collections.deque[_Item] = collections.deque()
        self._data: collections.deque[_Item] = collections.deque()
        self._backlog = 0
        self._closing = False
        self._ended = False
        self._stalled = False
        self._mute = False
        # Writer only, until it has ended
        self._close_timer: Optional[Timer] = None
        self._writer = threading.Thread(
            target=self._write_all, name=f"soniox-sandbox-writer-{number}", daemon=True
        )

    # --- sending

    def send(
        self,
        message: Union[Mapping[str, Any], bytes],
        *,
        audio_ms: float = 0.0,
        stream: Optional[str] = None,
    ) -> bool:
        """Queue one message, as JSON or, `bytes`, as binary audio.

        Return False if the connection is closing and it was dropped. `audio_ms` is the audio in it,
        in milliseconds. `stream` is the stream that it belongs to, for `withdraw()`, even if the
        message does not contain its id.
        """
        if isinstance(message, bytes):
            return self._put(message, None, audio_ms, stream, ABNF.OPCODE_BINARY)
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        return self._put(text.encode("utf-8"), _summary(message), audio_ms, stream)

    def send_binary(self, data: bytes) -> None:
        """Queue one binary message."""
        with self._ready:
            if not self._closing and not self._ended:
                frames = _frame(data, ABNF.OPCODE_BINARY, self._fragment)
                self._append(frames, message={"binary": len(data)}, size=len(data))

    def after_sent(self, act: Callable[[], None]) -> None:
        """Call `act` on the writer's thread once everything queued before has been sent."""
        with self._ready:
            self._append(b"", act=act)

    def mute(self) -> None:
        """Answer no ping from now on; messages are still sent."""
        with self._ready:
            self._mute = True
            self._control.clear()

    def inject_message(self, text: str) -> None:
        """Queue a text message."""
        self._put(text.encode("utf-8"), {"injected": text}, 0.0)

    def inject(self, data: bytes) -> None:
        """Queue raw bytes."""
        with self._ready:
            self._append(data)

    def waiting_streams(self) -> list[str]:
        """Return the ids of the streams that have messages in the queue, in order."""
        with self._ready:
            found = [item.stream for item in self._data]
        return list(dict.fromkeys(each for each in found if each is not None))

    def withdraw(self, stream_id: str) -> None:
        """Drop the queued messages of one stream, for a fault that overtakes them."""
        with self._ready:
            self._keep(lambda item: item.stream != stream_id)

    def reopen(self) -> bool:
        """Drop a close frame from the queue; return False if there is none."""
        with self._ready:
            found = any(item.closes for item in self._data)
            if found:
                self._keep(lambda item: not item.closes)
                self._closing = False
        return found

    def _keep(self, wanted: Callable[[_Item], bool]) -> None:
        """Keep only the wanted items of the queue; under the lock."""
        self._data = collections.deque(item for item in self._data if wanted(item))
        self._backlog = sum(len(item.data) for item in self._data)
        self._ready.notify_all()

    def close(self, code: Optional[int] = 1000, reason: str = "") -> None:
        """Queue a close frame after what was queued before; further calls do nothing.

        With `code=None` it contains neither code nor reason.
        """
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode("utf-8")
        data = _frame(payload, ABNF.OPCODE_CLOSE)
        message = {"event": "close", "code": code, "reason": reason}
        with self._ready:
            if self._closing:
                return
            self._closing = True
            self._append(data, message=message, closes=True)

    def wait_room(self) -> None:
        """Wait until the client is no longer far behind, or the connection has ended."""
        with self._ready:
            self._ready.wait_for(lambda: self._ended or self._backlog < _BACKLOG)

    def count_audio(self, ms: float) -> None:
        """Count received audio, in milliseconds, for faults that are due at some amount."""
        if self.trip is not None:
            self.trip.advance("audio_ms", ms)

    # --- faults

    def set_lag(self, sec: float) -> None:
        """Delay everything that is queued from now on by `sec` seconds."""
        self._lag = sec

    def set_fragments(self, size: int) -> None:
        """Send messages in frames of at most `size` bytes from now on."""
        self._fragment = size

    def stall(self) -> None:
        """Send no more data from now on; pings are still answered."""
        with self._ready:
            self._stalled = True

    def terminate(self) -> None:
        """End the running streams without an explanation."""
        if self.service is not None:
            self.service.terminate()

    def send_problem(self, problem: Problem, stream: Optional[str], close: Optional[bool]) -> None:
        """Send an error frame as the service does."""
        if self.service is not None:
            self.service.inject_problem(problem, stream, close)

    def cut_body(self) -> None:
        """End the TCP connection: a WebSocket has no body."""
        self.link.fin()

    def end_body(self, trailers: Mapping[str, str]) -> None:
        """End the TCP connection: a WebSocket has no trailers."""
        self.link.fin()

    # --- the connection

    def run(self, service: Service) -> None:
        """Serve until the connection ends; blocks the connection's thread."""
        self.service = service
        self._writer.start()
        self._event("open")
        try:
            if self.trip is not None:
                self.trip.start()
            service.opened()
            self._receive_all(service)
        except PeerGone as gone:
            self._event("end", reason=str(gone))
        except Exception:  # the client must be told, or the connection would hang
            log.exception("sandbox connection %d failed", self.number)
            failure = Problem("internal_error", "The sandbox failed; see its log.")
            service.inject_problem(failure, None, True)
        finally:
            self._finish(service)

    def _finish(self, service: Service) -> None:
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        service.closed()
        # the echo of the client's close frame may still be waiting to be sent
        self._writer.join(self.limits.close_timeout_sec)
        self.link.abort()
        with self._ready:
            self._ready.notify_all()
        self._writer.join()
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._event("closed")

    # --- the reader

    def _receive_all(self, service: Service) -> None:
        # releases of websocket-client differ in the type of this callable
        read: Any = self._read_some
        buffer = _MaskedFrames(read, skip_utf8_validation=True)
        self._frames = buffer
        joined = websocket.continuous_frame(fire_cont_frame=False, skip_utf8_validation=True)
        while True:
            try:
                frame = buffer.recv_frame()
                joined.validate(frame)
            except websocket.WebSocketProtocolException as error:
                self._refuse(1002, str(error))
            if not frame.opcode & 8:
                joined.add(frame)
                if len((joined.cont_data or [0, b""])[1]) > self.limits.max_message_bytes:
                    self._refuse(1009, "message too big")
                if joined.is_fire(frame):
                    opcode, whole = joined.extract(frame)
                    self._deliver(service, opcode, whole.data)
            else:
                self._control_frame(frame)

    def _read_some(self, size: int) -> bytes:
        # a frame above the limit is refused before a byte of it is stored
        if (self._frames.length or 0) > self.limits.max_message_bytes:
            self._refuse(1009, "message too big")
        data = self._read(size)
        if not data:
            raise PeerGone("eof")
        return data

    def _deliver(self, service: Service, opcode: int, data: bytes) -> None:
        if self.trip is not None:
            self.trip.advance("frames_in", 1)
        if self._closing or self.link.mode != "open":
            return
        if opcode == ABNF.OPCODE_BINARY:
            self._traffic.add(self.kind, self.number, "in", None, len(data))
            service.binary(bytes(data))
            return
        try:
            text = bytes(data).decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(1007, "invalid UTF-8")
        service.text(text)

    def received(self, message: Any, size: int) -> None:
        """Record a decoded text message; called by the service, because only it can decode it."""
        known = _summary(message) if isinstance(message, Mapping) else message
        self._traffic.add(self.kind, self.number, "in", known, size)

    def _control_frame(self, frame: ABNF) -> None:
        payload = frame.data.encode("utf-8") if isinstance(frame.data, str) else frame.data
        if frame.opcode == ABNF.OPCODE_PING:
            pong = _frame(payload, ABNF.OPCODE_PONG)
            with self._ready:
                if not self._mute:
                    self._control.append(_Item(0.0, pong))
                    self._ready.notify_all()
        elif frame.opcode == ABNF.OPCODE_CLOSE:
            code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
            self._echo_close(payload[:2])
            raise PeerGone(f"closed by client ({code})")

    def _echo_close(self, payload: bytes) -> None:
        with self._ready:
            if self._closing:
                return
            self._closing = True
            self._data.clear()
            self._backlog = 0
            echo = _frame(payload, ABNF.OPCODE_CLOSE)
            self._control.append(_Item(0.0, echo, {"event": "close echo"}, closes=True))
            self._ready.notify_all()

    def _refuse(self, code: int, reason: str) -> NoReturn:
        """Close because of what the client sent, and end the reader."""
        self.close(code, reason)
        self._writer.join(self.limits.close_timeout_sec)
        # unread bytes would turn our FIN into a reset, and the close frame would be lost
        self.link.fin()
        while self._read(65536):
            pass
        raise PeerGone(f"refused ({code}): {reason}")

    # --- the writer

    def _put(
        self,
        payload: bytes,
        message: Optional[Mapping[str, Any]],
        audio_ms: float,
        stream: Optional[str] = None,
        opcode: int = ABNF.OPCODE_TEXT,
    ) -> bool:
        data = _frame(payload, opcode, self._fragment)
        with self._ready:
            if self._closing or self._ended:
                return False
            size = len(payload)
            self._append(data, message=message, size=size, audio_ms=audio_ms, stream=stream)
        return True

    def _append(self, data: bytes, **more: Any) -> None:
        """Queue frames; under the lock."""
        self._data.append(_Item(time.monotonic() + self._lag, data, **more))
        self._backlog += len(data)
        self._ready.notify_all()

    def _write_all(self) -> None:
        try:
            while True:
                item = self._next()
                if item is None:
                    return
                self.link.write(item.data)
                if item.act is not None:
                    item.act()
                self._record_sent(item)
                if item.closes:
                    return
        except LinkDown as down:
            log.debug("= connection %d down: %s", self.number, down)
        finally:
            with self._ready:
                self._ended = True
                self._ready.notify_all()

    def _next(self) -> Optional[_Item]:
        """Wait for the next frames to send; `None` when there will be none."""
        with self._ready:
            while True:
                if self._control:
                    return self._control.popleft()
                pause = None
                if self._data and not self._stalled:
                    pause = self._data[0].due - time.monotonic()
                    if pause <= 0:
                        item = self._data.popleft()
                        self._backlog -= len(item.data)
                        self._ready.notify_all()
                        return item
                if self._ended and (pause is None or self.link.mode != "open"):
                    return None
                self._ready.wait(pause)

    def _record_sent(self, item: _Item) -> None:
        if item.message is not None or item.size:
            direction = "event" if item.closes else "out"
            self._traffic.add(self.kind, self.number, direction, item.message, item.size)
        if item.closes:
            self._close_timer = self.clock.after(self.limits.close_timeout_sec, self.link.abort)
        elif self.trip is not None and item.size:
            self.trip.advance("frames_out", 1)
            if item.audio_ms:
                self.trip.advance("audio_ms", item.audio_ms)

    def _event(self, name: str, **more: Any) -> None:
        self._traffic.add(self.kind, self.number, "event", {"event": name, **more})


class _MaskedFrames(websocket.frame_buffer):
    """Parser of a client's frames; an unmasked one is a violation (RFC 6455, 5.1)."""

    def recv_mask(self) -> None:
        if not self.has_mask():
            raise websocket.WebSocketProtocolException("unmasked frame")
        super().recv_mask()


def _frame(payload: bytes, opcode: int, fragment: Optional[int] = None) -> bytes:
    """Return the unmasked frame or frames of one message."""
    if fragment is None or len(payload) <= fragment:
        return bytes(ABNF(1, 0, 0, 0, opcode, 0, payload).format())
    pieces = [payload[at : at + fragment] for at in range(0, len(payload), fragment)]
    last = len(pieces) - 1
    return b"".join(
        ABNF(int(at == last), 0, 0, 0, ABNF.OPCODE_CONT if at else opcode, 0, piece).format()
        for at, piece in enumerate(pieces)
    )


def _summary(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message for the log, with its base64 audio replaced by the length in bytes."""
    for name in ("audio", "data"):  # the service's name, and the gateway's
        audio = message.get(name)
        if isinstance(audio, str):
            return {**message, name: len(audio) * 3 // 4 - audio[-2:].count("=")}
    return message
