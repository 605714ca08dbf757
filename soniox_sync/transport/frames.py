"""WebSocket frames (RFC 6455): a strict reader over one buffer, and an encoder. No I/O.

Reading in bulk keeps the library as fast as a bare socket: websocket-client's reader calls `recv`
three times per frame, and each call releases the interpreter lock (docs/performance.rst).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Optional

from .._support.accel import mask

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_CONTINUATION = 0x0
_FIN = 0x80

Message = tuple[int, bytes]

# the service's largest documented frame is far smaller: a peer that sends more is broken
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_FIRST_BUFFER = 4 * 1024  # what an idle connection keeps; a result of 20 tokens fits into it
_LARGEST_BUFFER = 256 * 1024  # measured: larger reads are no faster
# of one read. More results of 20 tokens than these (40 objects each) in the hands of reader and
# consumer start the garbage collector again and again, which takes up to a third of their time.
_ENOUGH_MESSAGES = 12
_LEAST_ROOM = 4 * 1024  # with less room than this a read is not worth its call


class FrameError(Exception):
    """Received bytes are not legal WebSocket frames; `code` is the close code to answer with."""

    def __init__(self, message: str, code: int = 1002) -> None:
        super().__init__(message)
        self.code = code


class FrameReader:
    """Parser of received bytes into whole messages. For one thread.

    `room()` returns the buffer for one read, `filled(n)` says how much was read, `messages()`
    returns what is complete. A violation is raised by `check()` only, after the messages before it.
    """

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_message_bytes
        self._size = _FIRST_BUFFER
        self._buffer = bytearray(_FIRST_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = 0  # first byte not yet parsed
        self._end = 0  # first byte not yet filled
        self._found = 0  # messages in the last read
        self._need = 0  # size of the frame that is still incomplete
        self._parts: list[bytes] = []  # of a fragmented message
        self._parts_size = 0
        self._parts_opcode = 0
        self._violation: Optional[FrameError] = None

    def room(self) -> memoryview:
        """Return the free end of the buffer, made large enough for one read."""
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
        """Record that a read wrote `count` bytes into `room()`."""
        self._end += count
        is_full = self._end == len(self._buffer)
        if is_full and self._size < _LARGEST_BUFFER and self._found < _ENOUGH_MESSAGES:
            self._size = min(2 * self._size, _LARGEST_BUFFER)

    def messages(self) -> list[Message]:
        """Return every message and control frame that is complete, in order."""
        found: list[Message] = []
        if self._violation is None:
            try:
                self._parse(found)
            except FrameError as error:
                self._violation = error
        self._found = len(found)
        return found

    def check(self) -> None:
        """Raise `FrameError` if the bytes after the last `messages()` are not legal frames."""
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
                self._check_first_byte(first)  # at once: the body may never arrive
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
            # a whole text message, as the service sends
            if first == 0x81 and not self._parts_opcode:
                found.append((TEXT, payload))
            else:
                self._add_frame(first, payload, found)

    def _check_first_byte(self, first: int) -> None:
        """Raise for a frame whose first byte is illegal here (RFC 6455 5.2, 5.4, 5.5)."""
        opcode = first & 0x0F
        if first & 0x70:
            raise FrameError("the server set reserved bits without an extension")
        if opcode in (CLOSE, PING, PONG):
            if not first & _FIN:
                raise FrameError("the server sent a fragmented control frame")
        elif opcode == _CONTINUATION:
            if not self._parts_opcode:
                raise FrameError("the server continued a message that it had not started")
        elif opcode not in (TEXT, BINARY):
            raise FrameError(f"the server sent a frame with the unknown opcode {opcode}")
        elif self._parts_opcode:
            raise FrameError("the server started a message inside another")

    def _add_frame(self, first: int, payload: bytes, found: list[Message]) -> None:
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
    """Return a masked frame: header, masking key and payload in one object, for one send."""
    size = len(payload)
    key = os.urandom(4)
    if size < 126:
        head = bytes((_FIN | opcode, 0x80 | size))
    elif size < 65536:
        head = struct.pack("!BBH", _FIN | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", _FIN | opcode, 0x80 | 127, size)
    return b"".join((head, key, mask(payload, key)))


def decode_frames(frames: bytes) -> Iterator[Message]:
    """Yield opcode and payload of each frame in what `encode_frame` returned."""
    start = 0
    while start < len(frames):
        size, body = frames[start + 1] & 0x7F, start + 2
        if size > 125:
            body += 2 if size == 126 else 8
            size = int.from_bytes(frames[start + 2 : body], "big")
        key, end = frames[body : body + 4], body + 4 + size
        yield frames[start] & 0x0F, mask(frames[body + 4 : end], key)
        start = end


def encode_close(code: int) -> bytes:
    """Return a close frame without a reason, which no server of this service reads."""
    return encode_frame(CLOSE, struct.pack("!H", code))


# RFC 6455 7.4: codes that may be sent; 1005, 1006 and 1015 are for local use only
_LEGAL_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


def decode_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame; the code is 1005 for a frame without one.

    Raises
        FrameError: half a code, a code that must not be sent, or a reason that is not UTF-8.
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
