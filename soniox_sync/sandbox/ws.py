"""The server's end of one WebSocket: a reader, one writer that owns all writes, a proper close.

Frames are built and taken apart by websocket-client's public framing classes. Nothing here knows
speech: a `Service` gets messages and sends messages.
"""

from __future__ import annotations

import collections
import json
import logging
import struct
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, NoReturn, Optional, Protocol

import websocket
from websocket import ABNF

from .clock import Clock, Timer
from .limits import Limits
from .link import Link, LinkDown
from .log import TrafficLog
from .problems import Problem
from .tripwire import Tripwire

__all__ = ["PeerGone", "Service", "WsPeer"]

log = logging.getLogger(__name__)

# bytes waiting for a client that does not read, before whoever produces them has to wait
_BACKLOG = 4 * 1024 * 1024


class PeerGone(Exception):
    """Ends the reader: the other side closed, vanished or broke the protocol."""


class Service(Protocol):
    """Is what speaks over a WebSocket; called on the connection's thread, except `terminate`."""

    def opened(self) -> None:
        """Begin: the upgrade is done."""

    def text(self, text: str) -> None:
        """Take one text message."""

    def binary(self, data: bytes) -> None:
        """Take one binary message."""

    def closed(self) -> None:
        """Stop everything; nothing can be sent any more."""

    def terminate(self) -> None:
        """End running streams without an explanation (a fault)."""

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame on behalf of a fault."""


class _Item(NamedTuple):
    due: float
    data: bytes
    message: Optional[Mapping[str, Any]]
    size: int
    audio_ms: float
    closes: bool = False
    stream: Optional[str] = None


class WsPeer:
    """Is one WebSocket of a client's, after the upgrade. It is the `Target` of its faults.

    `send()` never blocks and may be called from any thread; order is kept. Lock order: a
    service's own lock -> `_ready`.
    """

    def __init__(
        self,
        link: Link,
        read: Callable[[int], bytes],
        *,
        kind: str,
        number: int,
        traffic: TrafficLog,
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
        # Guards all below. Held for queue work only, never across I/O.
        self._ready = threading.Condition()
        self._control: collections.deque[_Item] = collections.deque()
        self._data: collections.deque[_Item] = collections.deque()
        self._backlog = 0
        self._closing = False
        self._ended = False
        self._stalled = False
        self._lag = 0.0
        self._fragment: Optional[int] = None
        self._close_timer: Optional[Timer] = None
        self._writer = threading.Thread(
            target=self._write_all, name=f"soniox-sandbox-writer-{number}", daemon=True
        )

    # --- sending

    def send(
        self, message: Mapping[str, Any], *, audio_ms: float = 0.0, stream: Optional[str] = None
    ) -> bool:
        """Queue one JSON message; False when the connection is closing and it was not taken.

        `stream` says of which stream it tells, for `withdraw()`; the message need not name it.
        """
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        return self._put(text.encode("utf-8"), _summary(message), audio_ms, stream)

    def inject_message(self, text: str) -> None:
        """Queue a text message as it is."""
        self._put(text.encode("utf-8"), {"injected": text}, 0.0)

    def inject(self, data: bytes) -> None:
        """Queue raw bytes."""
        with self._ready:
            self._data.append(_Item(time.monotonic() + self._lag, data, None, 0, 0.0))
            self._backlog += len(data)
            self._ready.notify_all()

    def waiting_streams(self) -> list[str]:
        """Give the ids of the streams of which messages wait to be sent, in their order."""
        with self._ready:
            found = [item.stream for item in self._data]
        return list(dict.fromkeys(each for each in found if each is not None))

    def withdraw(self, stream_id: str) -> None:
        """Take back what waits of one stream: a fault overtakes it."""
        with self._ready:
            self._keep(lambda item: item.stream != stream_id)

    def reopen(self) -> bool:
        """Take back a close frame that waits to be sent; False when none does."""
        with self._ready:
            found = any(item.closes for item in self._data)
            if found:
                self._keep(lambda item: not item.closes)
                self._closing = False
        return found

    def _keep(self, wanted: Callable[[_Item], bool]) -> None:
        self._data = collections.deque(item for item in self._data if wanted(item))
        self._backlog = sum(len(item.data) for item in self._data)
        self._ready.notify_all()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Queue a close frame behind what was queued before; the first call wins."""
        payload = struct.pack("!H", code) + reason.encode("utf-8")
        data = _frame(payload, ABNF.OPCODE_CLOSE)
        message = {"event": "close", "code": code, "reason": reason}
        with self._ready:
            if self._closing:
                return
            self._closing = True
            self._data.append(_Item(time.monotonic() + self._lag, data, message, 0, 0.0, True))
            self._backlog += len(data)
            self._ready.notify_all()

    def wait_room(self) -> None:
        """Block a producer while the client is far behind; returns when it may go on."""
        with self._ready:
            self._ready.wait_for(lambda: self._ended or self._backlog < _BACKLOG)

    def count_audio(self, ms: float) -> None:
        """Count received audio for faults that wait for it."""
        if self.trip is not None:
            self.trip.advance("audio_ms", ms)

    # --- faults

    def set_lag(self, sec: float) -> None:
        """Let everything queued from now on leave `sec` later."""
        self._lag = sec

    def set_fragments(self, size: int) -> None:
        """Send messages in frames of at most `size` bytes from now on."""
        self._fragment = size

    def stall(self) -> None:
        """Hold back all data from now on; pongs still leave."""
        with self._ready:
            self._stalled = True

    def terminate(self) -> None:
        """End running streams without an explanation."""
        if self.service is not None:
            self.service.terminate()

    def send_problem(self, problem: Problem, stream: Optional[str], close: Optional[bool]) -> None:
        """Send an error frame the way the service words it."""
        if self.service is not None:
            self.service.inject_problem(problem, stream, close)

    def cut_body(self) -> None:
        """Cut the line: a WebSocket has no body."""
        self.link.fin()

    def end_body(self, trailers: Mapping[str, str]) -> None:
        """Cut the line: a WebSocket has no trailers."""
        self.link.fin()

    # --- life

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
        except Exception:  # the client deserves a word on it, too
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
        # the echo of the client's close frame may still be on its way out
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
        # releases of websocket-client disagree about the type of this callable
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
        # a frame longer than the cap is refused before a byte of it is stored
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
        """Record a decoded text message; the service calls it, as only it can decode."""
        known = _summary(message) if isinstance(message, Mapping) else message
        self._traffic.add(self.kind, self.number, "in", known, size)

    def _control_frame(self, frame: ABNF) -> None:
        payload = frame.data.encode("utf-8") if isinstance(frame.data, str) else frame.data
        if frame.opcode == ABNF.OPCODE_PING:
            pong = _frame(payload, ABNF.OPCODE_PONG)
            with self._ready:
                self._control.append(_Item(0.0, pong, None, 0, 0.0))
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
            self._control.append(
                _Item(
                    0.0, _frame(payload, ABNF.OPCODE_CLOSE), {"event": "close echo"}, 0, 0.0, True
                )
            )
            self._ready.notify_all()

    def _refuse(self, code: int, reason: str) -> NoReturn:
        self.close(code, reason)
        self._writer.join(self.limits.close_timeout_sec)
        # unread bytes would turn our FIN into a reset, and that would swallow the close frame
        self.link.fin()
        while self._read(65536):
            pass
        raise PeerGone(f"refused ({code}): {reason}")

    # --- the writer

    def _put(
        self,
        payload: bytes,
        message: Mapping[str, Any],
        audio_ms: float,
        stream: Optional[str] = None,
    ) -> bool:
        data = _frame(payload, ABNF.OPCODE_TEXT, self._fragment)
        with self._ready:
            if self._closing or self._ended:
                return False
            due = time.monotonic() + self._lag
            self._data.append(_Item(due, data, message, len(payload), audio_ms, stream=stream))
            self._backlog += len(data)
            self._ready.notify_all()
        return True

    def _write_all(self) -> None:
        try:
            while True:
                item = self._next()
                if item is None:
                    return
                self.link.write(item.data)
                self._wrote(item)
                if item.closes:
                    return
        except LinkDown as down:
            log.debug("= connection %d down: %s", self.number, down)
        finally:
            with self._ready:
                self._ended = True
                self._ready.notify_all()

    def _next(self) -> Optional[_Item]:
        with self._ready:
            while True:
                if self._control:
                    return self._control.popleft()
                pause = None
                if self._data and not self._stalled:
                    pause = self._data[0].due - time.monotonic()
                    if pause <= 0:
                        return self._taken(self._data.popleft())
                if self._ended and (pause is None or self.link.mode != "open"):
                    return None
                self._ready.wait(pause)

    def _taken(self, item: _Item) -> _Item:
        self._backlog -= len(item.data)
        self._ready.notify_all()
        return item

    def _wrote(self, item: _Item) -> None:
        if item.message is not None:
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
    """Reads a client's frames; one without a mask breaks the protocol (RFC 6455, 5.1)."""

    def recv_mask(self) -> None:
        if not self.has_mask():
            raise websocket.WebSocketProtocolException("unmasked frame")
        super().recv_mask()


def _frame(payload: bytes, opcode: int, fragment: Optional[int] = None) -> bytes:
    """Build the unmasked frame or frames of one message."""
    if fragment is None or len(payload) <= fragment:
        return bytes(ABNF(1, 0, 0, 0, opcode, 0, payload).format())
    pieces = [payload[at : at + fragment] for at in range(0, len(payload), fragment)]
    last = len(pieces) - 1
    return b"".join(
        ABNF(int(at == last), 0, 0, 0, ABNF.OPCODE_CONT if at else opcode, 0, piece).format()
        for at, piece in enumerate(pieces)
    )


def _summary(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace base64 audio by its length: the log is for people."""
    for name in ("audio", "data"):  # the service's name, and that of the gateway
        audio = message.get(name)
        if isinstance(audio, str):
            return {**message, name: len(audio) * 3 // 4 - audio[-2:].count("=")}
    return message
