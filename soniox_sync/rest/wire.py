"""Reading a response's body as it comes, and knowing whether it came whole.

`requests`, urllib3 and `http.client` all throw trailers away, and the older ones take a body that
was cut for a complete one. So the framing (RFC 9112, 6 and 7.1) is read here, from the buffered
file below `http.client`'s response, which is where urllib3 reads chunks from, too.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from ..errors import StateError

if TYPE_CHECKING:
    import requests

# what one read may give; the first byte of a chunk is handed out without waiting for the rest
_PIECE = 64 * 1024
_LONGEST_LINE = 16 * 1024
_MOST_TRAILERS = 100
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class CutBody(Exception):
    """Reports a body that ended, or went wrong, before its end was told."""


class Body:
    """Is an iterator over a response's body; pieces are handed out as they arrive.

    `trailers` are complete once the iterator ended normally, with lower-case names. Raises
    `CutBody` after the last bytes of a body that is not whole, and what the socket raises. Read in
    one thread; `close()` is legal from any.
    """

    def __init__(self, response: requests.Response) -> None:
        self.trailers: Mapping[str, str] = {}
        # whether it was read to its end
        self.whole = False
        # False: its connection is of no use to the next call
        self.keeps_line = True
        self._response = response
        self._pieces = self._read()
        # Guards _reading and _closed: who sees both ends gives the connection up. Leaf.
        self._lock = threading.Lock()
        self._reading = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            if self._reading:
                raise StateError("another thread reads this body")
            if self._closed and not self.whole:
                raise CutBody("the answer was closed before its end")
            self._reading = True
        try:
            return next(self._pieces)
        finally:
            with self._lock:
                self._reading = False
                doomed = self._closed
            if doomed:
                self._give_up()

    def close(self) -> None:
        """Give the connection up unless the body was read to its end; idempotent.

        A thread that reads at the moment does it on its way out. It is not woken here: shut its
        socket first.
        """
        with self._lock:
            again, self._closed = self._closed, True
            if again or self._reading:
                return
        self._give_up()

    def _give_up(self) -> None:
        self._pieces.close()  # type: ignore[attr-defined]
        self._response.close()

    def read_all(self, limit: int) -> bytes:
        """Read the rest, decompressed; more than `limit` bytes raise `CutBody`."""
        unpack = _unpacker(self._response)
        data = bytearray()
        for piece in self:
            data += piece if unpack is None else unpack.decompress(piece, limit + 1 - len(data))
            if len(data) > limit or (unpack is not None and unpack.unconsumed_tail):
                raise CutBody(f"the answer is larger than {limit} bytes")
        if unpack is not None and not unpack.eof:
            raise CutBody("the compressed answer is incomplete")
        return bytes(data)

    def _read(self) -> Iterator[bytes]:
        # `requests` itself relies on this attribute to find the cookies
        original: Any = getattr(self._response.raw, "_original_response", None)
        if getattr(original, "fp", None) is None:
            yield from self._read_without_wire(original)
            self.whole = True
            return
        if original.chunked:
            yield from self._read_chunks(original.fp)
        elif original.length is not None:
            yield from _read_exactly(original.fp, original.length)
        else:
            yield from _read_to_the_end(original)
        self.whole = True
        original.close()
        if not self.keeps_line:
            self._response.raw.close()
        self._response.raw.release_conn()

    def _read_without_wire(self, original: Any) -> Iterator[bytes]:
        """Read a response that did not come over a socket of `http.client` (an adapter's own)."""
        if original is None:
            yield from self._response.iter_content(_PIECE)

    def _read_chunks(self, file: Any) -> Iterator[bytes]:
        while True:
            size = _chunk_size(_line(file))
            if size == 0:
                self.trailers = _trailers(file)
                return
            yield from _read_exactly(file, size)
            if file.read(2) != b"\r\n":
                raise CutBody("a chunk of the answer does not end where it should")


def socket_of(response: requests.Response) -> Any:
    """Give the socket that a response comes over, `None` if there is none to be found."""
    sock = getattr(getattr(response.raw, "_connection", None), "sock", None)
    if sock is not None:
        return sock
    # when the server said that it will close, http.client has left the socket to the file alone
    original = getattr(response.raw, "_original_response", None)
    return getattr(getattr(getattr(original, "fp", None), "raw", None), "_sock", None)


def _line(file: Any) -> bytes:
    line: bytes = file.readline(_LONGEST_LINE + 1)
    if not line.endswith(b"\n"):
        raise CutBody("the answer was cut off" if len(line) <= _LONGEST_LINE else "a line too long")
    return line.rstrip(b"\r\n")


def _chunk_size(line: bytes) -> int:
    # int() alone would take "+5", "0x5" and "1_0"
    size = line.partition(b";")[0].strip(b" \t")
    if not _SIZE.fullmatch(size):
        raise CutBody("the length of a chunk of the answer is malformed")
    return int(size, 16)


def _trailers(file: Any) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for _ in range(_MOST_TRAILERS):
        line = _line(file)
        if not line:
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    raise CutBody("the answer has too many trailers")


def _read_exactly(file: Any, size: int) -> Iterator[bytes]:
    while size:
        piece: bytes = file.read1(min(size, _PIECE))
        if not piece:
            raise CutBody(f"the answer was cut off, at least {size} bytes are missing")
        size -= len(piece)
        yield piece


def _read_to_the_end(original: Any) -> Iterator[bytes]:
    """Read a body that ends with its connection, which only HTTP/1.0 has no other way to do."""
    while True:
        piece: bytes = original.fp.read1(_PIECE)
        if piece:
            yield piece
            continue
        if original.version != 10:
            raise CutBody("the answer had neither length nor chunks: it may have been cut off")
        return


def _unpacker(response: requests.Response) -> Optional[Any]:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return None
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise CutBody("the answer is compressed in a way that was not asked for")
    if getattr(response.raw, "_original_response", None) is None:
        return None  # iter_content() has unpacked it
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is
