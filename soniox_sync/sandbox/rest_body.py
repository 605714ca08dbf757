"""How a response body leaves, with the faults that only HTTP has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from .link import Link
from .problems import Problem
from .tripwire import Tripwire

__all__ = ["RestTarget"]


class RestTarget:
    """Is the `Target` of the faults of one HTTP exchange, and the sender of its body."""

    def __init__(self, link: Link) -> None:
        self.link = link
        # set when the connection cannot be used for a further request
        self.broken = False
        self._lag = 0.0
        self._cut = False
        self._trailers: Optional[Mapping[str, str]] = None

    def wait_lag(self) -> None:
        """Hold the whole answer back."""
        if self._lag:
            self.link.wait_gone(self._lag)

    def send(self, wfile: Any, body: Union[bytes, Iterable[bytes]], trip: Tripwire) -> None:
        """Send a body; raises `LinkDown` when a fault cut the line."""
        if isinstance(body, bytes):
            self._send_plain(wfile, body, trip)
        else:
            self._send_chunked(wfile, body, trip)
        if self._cut:
            self.broken = True
            self.link.fin()

    def _send_plain(self, wfile: Any, body: bytes, trip: Tripwire) -> None:
        view = memoryview(body)
        while view and not self._cut:
            size = trip.room("body_bytes", len(view))
            wfile.write(view[:size])
            view = view[size:]
            trip.advance("body_bytes", size)

    def _send_chunked(self, wfile: Any, body: Iterable[bytes], trip: Tripwire) -> None:
        pieces = iter(body)
        try:
            for piece in pieces:
                self._send_piece(wfile, memoryview(piece), trip)
                if self._cut or self._trailers is not None:
                    break
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        if not self._cut:
            lines = "".join(f"{name}: {text}\r\n" for name, text in (self._trailers or {}).items())
            wfile.write(f"0\r\n{lines}\r\n".encode("latin-1"))

    def _send_piece(self, wfile: Any, view: memoryview, trip: Tripwire) -> None:
        while view and not self._cut and self._trailers is None:
            size = trip.room("body_bytes", len(view))
            wfile.write(b"%x\r\n%b\r\n" % (size, bytes(view[:size])))
            view = view[size:]
            trip.advance("body_bytes", size)

    # --- faults

    def set_lag(self, sec: float) -> None:
        """Let the answer leave later."""
        self._lag = sec

    def cut_body(self) -> None:
        """End without the last chunk."""
        self._cut = True

    def end_body(self, trailers: Mapping[str, str]) -> None:
        """End now, properly, with trailers."""
        self._trailers = trailers

    def inject(self, data: bytes) -> None:
        """Put raw bytes between two chunks, or before the head."""
        self.broken = True
        self.link.write(data)

    def set_fragments(self, size: int) -> None:
        """Do nothing: HTTP has no fragments."""

    def stall(self) -> None:
        """Do nothing more on this connection, as HTTP has no pings."""
        self.link.freeze()

    def terminate(self) -> None:
        """End without the last chunk."""
        self._cut = True

    def send_problem(self, problem: Problem, stream: Optional[str], close: Optional[bool]) -> None:
        """End without the last chunk: an answer cannot become an error half way."""
        self._cut = True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End without the last chunk."""
        self._cut = True

    def inject_message(self, text: str) -> None:
        """Put raw text between two chunks."""
        self.inject(text.encode("utf-8"))
