"""Reading the body of a response as it arrives, and detecting whether it is complete.

`requests`, urllib3 and `http.client` all discard trailers, and older versions take a truncated body
for a complete one. So the framing (RFC 9112, 6 and 7.1) is parsed here, from the buffered file
below `http.client`'s response, from which urllib3 also reads chunks.

A mock library answers with a stand-in that has no such file, and only `requests` knows how to read
it. So the framing is ours only for a response of `http.client` that nobody has read yet.
"""

from __future__ import annotations

import http.client
import re
import socket
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from .._support.locks import new_lock
from ..errors import StateError

if TYPE_CHECKING:
    import requests

# at most this much at a time; the first byte is returned without waiting for the rest
_READ_BYTES = 64 * 1024
_LONGEST_LINE = 16 * 1024
_MOST_TRAILERS = 100
_GZIP = b"\x1f\x8b"
_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class BodyError(Exception):
    """Response body that is incomplete, malformed or too large."""


class Body:
    """Iterator over the bytes of a response's body, as they arrive.

    `trailers` are complete once the iterator has ended normally, with lower-case names. Raises
    `BodyError` after the last bytes of a body that is incomplete, and what the socket raises. Read
    it in one thread; `close()` may be called from any.
    """

    def __init__(self, response: requests.Response) -> None:
        self.trailers: Mapping[str, str] = {}
        # whether it was read to its end
        self.whole: bool = False
        # False: its connection must not serve another call
        self.keep_connection = True
        self._response = response
        self._unread = _unread(response)
        self._pieces = self._read()
        # Guards _reading and _closed: the last to leave, reader or closer, releases. Leaf.
        self._lock = new_lock()
        self._reading = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            if self._reading:
                raise StateError("another thread reads this body")
            if self._closed and not self.whole:
                raise BodyError("the response was closed before it was complete")
            self._reading = True
        try:
            return next(self._pieces)
        finally:
            with self._lock:
                self._reading = False
                closed = self._closed
            if closed:
                self._release()

    def close(self) -> None:
        """Release the connection, which is dropped unless the body was read completely. Idempotent.

        If a thread is reading, that thread releases it when it is done. It is not interrupted here:
        shut its socket down first.
        """
        with self._lock:
            again, self._closed = self._closed, True
            if again or self._reading:
                return
        self._release()

    def _release(self) -> None:
        self._pieces.close()  # type: ignore[attr-defined]
        self._response.close()

    def read_all(self, limit: int) -> bytes:
        """Return the rest, decompressed; raise `BodyError` for more than `limit` bytes."""
        unpack = None if self._unread is None else _unpacker(self._response)
        data = bytearray()
        for piece in self:
            data += piece if unpack is None else unpack.decompress(piece, limit + 1 - len(data))
            if len(data) > limit or (unpack is not None and unpack.unconsumed_tail):
                raise BodyError(f"the response is larger than {limit} bytes")
        if unpack is not None and not unpack.eof:
            raise BodyError("the compressed response is incomplete")
        return bytes(data) if self._unread is not None else _unpacked(data, limit)

    def _read(self) -> Iterator[bytes]:
        original = self._unread
        if original is None:
            yield from self._read_by_requests()
            self.whole = True
            return
        if original.length is not None:  # 0 after HEAD, whatever the headers say
            yield from _read_exactly(original.fp, original.length)
        elif original.chunked:
            yield from self._read_chunks(original.fp)
        else:
            yield from _read_to_the_end(original)
        self.whole = True
        original.close()
        if not self.keep_connection:
            self._response.raw.close()
        self._response.raw.release_conn()

    def _read_by_requests(self) -> Iterator[bytes]:
        """Read a stand-in, or what a hook of the user's session has read already."""
        response = self._response
        if response.request is not None and response.request.method == "HEAD":
            return  # whatever its Content-Length says
        # `_content` is False until `requests` itself has read the body; it can be read again then
        if getattr(response, "_content", False) is False and _count(response.raw, "tell"):
            raise BodyError(
                "the body was read from response.raw before this library could: in a hook of "
                "http_session, use response.content"
            )
        for piece in response.iter_content(_READ_BYTES):
            if piece:  # vcrpy ends with an empty one
                yield piece
        if _count(response.raw, "length_remaining"):  # urllib3 1.26 does not complain of it
            raise BodyError("the response was cut off")

    def _read_chunks(self, file: Any) -> Iterator[bytes]:
        while True:
            # int() alone would accept "+5", "0x5" and "1_0"
            size = _line(file).partition(b";")[0].strip(b" \t")
            if not _SIZE.fullmatch(size):
                raise BodyError("the length of a chunk of the response is malformed")
            if int(size, 16) == 0:
                self.trailers = _trailers(file)
                return
            yield from _read_exactly(file, int(size, 16))
            if file.read(2) != b"\r\n":
                raise BodyError("a chunk of the response does not end where it should")


def _unread(response: requests.Response) -> Any:
    """Return the response of `http.client` behind one of `requests`; `None`: a stand-in, or read.

    Stand-ins have something under that name, too, because `requests` looks for cookies there.
    """
    original: Any = getattr(response.raw, "_original_response", None)
    if not isinstance(original, http.client.HTTPResponse) or original.fp is None:
        return None
    return None if _count(response.raw, "tell") else original


def _count(raw: Any, name: str) -> int:
    """Return a number that urllib3's responses have, 0 where it is missing."""
    found = getattr(raw, name, 0)
    try:
        found = found() if callable(found) else found
    except (OSError, ValueError, TypeError):  # a closed or unseekable file
        return 0
    return found if isinstance(found, int) else 0


def socket_of(response: requests.Response) -> Any:
    """Return the socket of a response, `None` if there is none to be found."""
    sock = getattr(getattr(response.raw, "_connection", None), "sock", None)
    if sock is None:
        # if the server has announced that it will close, http.client has left it to the file
        original = getattr(response.raw, "_original_response", None)
        sock = getattr(getattr(getattr(original, "fp", None), "raw", None), "_sock", None)
    # TLS inside TLS is not a socket, but has one; a cassette of vcrpy has something else
    return sock if isinstance(getattr(sock, "socket", sock), socket.socket) else None


def _line(file: Any) -> bytes:
    line: bytes = file.readline(_LONGEST_LINE + 1)
    if len(line) > _LONGEST_LINE and not line.endswith(b"\n"):
        raise BodyError("the response has a line that is too long")
    if not line.endswith(b"\n"):
        raise BodyError("the response was cut off")
    return line.rstrip(b"\r\n")


def _trailers(file: Any) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for _ in range(_MOST_TRAILERS):
        line = _line(file)
        if not line:
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    raise BodyError("the response has too many trailers")


def _read_exactly(file: Any, size: int) -> Iterator[bytes]:
    while size:
        piece: bytes = file.read1(min(size, _READ_BYTES))
        if not piece:
            raise BodyError(f"the response was cut off, at least {size} bytes are missing")
        size -= len(piece)
        yield piece


def _read_to_the_end(original: Any) -> Iterator[bytes]:
    """Read a body that ends with its connection, which is normal only for HTTP/1.0."""
    while True:
        piece: bytes = original.fp.read1(_READ_BYTES)
        if piece:
            yield piece
            continue
        if original.version != 10:
            raise BodyError("the response had neither length nor chunks: it may have been cut off")
        return


def _unpacked(data: bytearray, limit: int) -> bytes:
    """Return the body of a stand-in that `requests` could not decompress, as of old cassettes."""
    if not data.startswith(_GZIP):
        return bytes(data)
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    whole = unpack.decompress(data, limit + 1)
    if len(whole) > limit:
        raise BodyError(f"the response is larger than {limit} bytes")
    if not unpack.eof:
        raise BodyError("the compressed response is incomplete")
    return whole


def _unpacker(response: requests.Response) -> Optional[Any]:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("identity", ""):
        return None
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BodyError("the response has a compression that was not requested")
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever it is
