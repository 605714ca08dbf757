"""WebSocket frames (RFC 6455): a strict reader over one buffer, and the encoder.

Reading in bulk is what keeps the library as fast as a bare socket: websocket-client's reader makes
three `recv` calls a frame, each giving the interpreter lock away (docs/performance.rst). No
I/O here.
"""

from __future__ import annotations

import os
import struct
from typing import Optional

from .._accel import mask

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_CONTINUATION = 0x0
_FIN = 0x80

Message = tuple[int, bytes]

# the service's largest documented frame is far smaller; a peer that sends more is broken
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_FIRST_BUFFER = 16 * 1024  # an idle connection keeps no more than this
_LARGEST_BUFFER = 256 * 1024  # one read may bring this much; more brings no more speed
_LEAST_ROOM = 4 * 1024  # below this much room a read is not worth its call


class FrameError(Exception):
    """Reports bytes that are no legal WebSocket frames; `code` is the close code to answer."""

    def __init__(self, message: str, code: int = 1002) -> None:
        super().__init__(message)
        self.code = code


class FrameReader:
    """Turns received bytes into whole messages. Used by one thread.

    `room()` lends the buffer for one read, `filled(n)` says how much came, `messages()` gives
    what is complete. A violation is raised by `check()` only, after the messages before it.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_message_bytes
        self._size = _FIRST_BUFFER
        self._buffer = bytearray(_FIRST_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = 0  # first byte not yet parsed
        self._end = 0  # first byte not yet filled
        self._need = 0  # size of the frame that waits for more bytes
        self._parts: list[bytes] = []  # of a fragmented message
        self._parts_size = 0
        self._parts_opcode = 0
        self._violation: Optional[FrameError] = None

    def room(self) -> memoryview:
        """Lend the free end of the buffer, made large enough for one read."""
        if self._start == self._end:
            self._start = self._end = 0
        wanted = max(self._size, min(self._need, 2 * len(self._buffer)))
        if len(self._buffer) != wanted and (self._end == 0 or wanted > len(self._buffer)):
            self._move(bytearray(wanted))
        elif len(self._buffer) - self._end < _LEAST_ROOM and self._start:
            self._move(self._buffer)
        return self._view[self._end :]

    def _move(self, target: bytearray) -> None:
        kept = bytes(self._view[self._start : self._end])
        if target is not self._buffer:
            self._buffer = target
            self._view = memoryview(target)
        self._view[: len(kept)] = kept
        self._start, self._end = 0, len(kept)

    def filled(self, count: int) -> None:
        """Note that a read wrote `count` bytes into `room()`."""
        self._end += count
        if self._end == len(self._buffer) and self._size < _LARGEST_BUFFER:
            self._size = min(2 * self._size, _LARGEST_BUFFER)

    def messages(self) -> list[Message]:
        """Give every message and control frame that is complete, in order."""
        found: list[Message] = []
        if self._violation is None:
            try:
                self._parse(found)
            except FrameError as error:
                self._violation = error
        return found

    def check(self) -> None:
        """Raise `FrameError` if the bytes after the last `messages()` broke the rules."""
        if self._violation is not None:
            raise self._violation

    def _parse(self, found: list[Message]) -> None:
        buffer, view, position, end = self._buffer, self._view, self._start, self._end
        limit = self._max
        self._need = 0
        while end - position >= 2:
            first, length = buffer[position], buffer[position + 1]
            body = position + 2
            if first != 0x81 or self._parts_opcode:
                self._judge(first)  # before its body is waited for, which may never come
            if length > 125:
                if length & 0x80:
                    raise FrameError("the server sent a masked frame")
                body += 2 if length == 126 else 8
                if body > end:
                    break
                length = int.from_bytes(view[position + 2 : body], "big")
                if length > limit:
                    raise FrameError(
                        f"the server sent a frame of {length} bytes; the limit is {limit}", 1009
                    )
                if first & 0x08:
                    raise FrameError("the server sent a control frame of more than 125 bytes")
            after = body + length
            if after > end:
                self._need = after - position
                break
            payload = bytes(view[body:after])
            self._start = position = after
            if first == 0x81 and not self._parts_opcode:  # a whole text message: the usual case
                found.append((TEXT, payload))
            else:
                self._unusual(first, payload, found)

    def _judge(self, first: int) -> None:
        """Raise for a frame whose first byte is illegal here (RFC 6455 5.2, 5.4, 5.5)."""
        opcode = first & 0x0F
        if first & 0x70:
            raise FrameError("the server set reserved bits without an extension")
        if opcode in (CLOSE, PING, PONG):
            if not first & _FIN:
                raise FrameError("the server sent a fragmented control frame")
        elif opcode == _CONTINUATION:
            if not self._parts_opcode:
                raise FrameError("the server continued a message that it had not begun")
        elif opcode not in (TEXT, BINARY):
            raise FrameError(f"the server sent a frame of unknown kind {opcode}")
        elif self._parts_opcode:
            raise FrameError("the server began a message inside another")

    def _unusual(self, first: int, payload: bytes, found: list[Message]) -> None:
        opcode, final = first & 0x0F, bool(first & _FIN)
        if opcode == _CONTINUATION:
            self._continue(final, payload, found)
        elif final:
            found.append((opcode, payload))
        else:
            self._parts_opcode = opcode
            self._parts = [payload]
            self._parts_size = len(payload)

    def _continue(self, final: bool, payload: bytes, found: list[Message]) -> None:
        self._parts.append(payload)
        self._parts_size += len(payload)
        if self._parts_size > self._max or len(self._parts) > self._max // 64:
            raise FrameError(f"the server sent a message of over {self._max} bytes", 1009)
        if final:
            found.append((self._parts_opcode, b"".join(self._parts)))
            self._parts_opcode, self._parts = 0, []


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """Build one whole masked frame: header, key and payload in one object, for one send."""
    size = len(payload)
    key = os.urandom(4)
    if size < 126:
        head = bytes((_FIN | opcode, 0x80 | size))
    elif size < 65536:
        head = struct.pack("!BBH", _FIN | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", _FIN | opcode, 0x80 | 127, size)
    return b"".join((head, key, mask(payload, key)))


def encode_close(code: int = 1000, reason: str = "") -> bytes:
    """Build a close frame; the reason is cut to what a control frame holds."""
    return encode_frame(CLOSE, struct.pack("!H", code) + reason.encode("utf-8")[:120])


# RFC 6455 7.4: codes that may travel; 1005, 1006 and 1015 are for local use only
_LEGAL_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


def decode_close(payload: bytes) -> tuple[int, str]:
    """Give code and reason of a close frame; 1005 stands for a frame without a code.

    Raises `FrameError` for half a code, a code that must not travel, or a reason not in UTF-8.
    """
    if not payload:
        return 1005, ""
    if len(payload) == 1:
        raise FrameError("the server sent a close frame with half a code")
    code = int.from_bytes(payload[:2], "big")
    if code not in _LEGAL_CODES and not 3000 <= code < 5000:
        raise FrameError(f"the server closed with the illegal code {code}")
    try:
        return code, payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError("the server closed with a reason that is not UTF-8", 1007) from None
