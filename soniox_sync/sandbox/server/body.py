"""Sending the body of an HTTP response, with the faults that only HTTP has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from ..problems import Problem
from .link import Link
from .tripwire import Tripwire

__all__ = ["HttpTarget"]


class HttpTarget:
    """One HTTP exchange: sends the body of the response, and is the `Target` of its faults."""

    def __init__(self, link: Link) -> None:
        self.link = link
        # set when the connection cannot be used for a further request
        self.broken: bool = False
        self._lag = 0.0
        self._cut = False
        self._trailers: Optional[Mapping[str, str]] = None

    def wait_lag(self) -> None:
        """Wait if the response is to be delayed."""
        if self._lag:
            self.link.wait_gone(self._lag)

    def send(self, wfile: Any, body: Union[bytes, Iterable[bytes]], trip: Tripwire) -> None:
        """Send a body: bytes as they are, an iterable in chunks as it yields them.

        Raises
            LinkDown: the connection was cut, by a fault or by the client.
        """
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
                view = memoryview(piece)
                while view and not self._cut and self._trailers is None:
                    size = trip.room("body_bytes", len(view))
                    wfile.write(b"%x\r\n%b\r\n" % (size, bytes(view[:size])))
                    view = view[size:]
                    trip.advance("body_bytes", size)
                if self._cut or self._trailers is not None:
                    break
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        if not self._cut:
            lines = "".join(f"{name}: {text}\r\n" for name, text in (self._trailers or {}).items())
            wfile.write(f"0\r\n{lines}\r\n".encode("latin-1"))

    # --- faults

    def set_lag(self, sec: float) -> None:
        """Delay the response."""
        self._lag = sec

    def cut_body(self) -> None:
        """End without the last chunk."""
        self._cut = True

    def end_body(self, trailers: Mapping[str, str]) -> None:
        """End the body now, with its last chunk and trailers."""
        self._trailers = trailers

    def inject(self, data: bytes) -> None:
        """Send raw bytes between two chunks, or before the head."""
        self.broken = True
        self.link.write(data)

    # Faults for WebSockets: one that is for any kind of connection may also hit an HTTP exchange.
    # What would end a WebSocket cuts the body, as a response cannot turn into an error half way.

    def set_fragments(self, size: int) -> None:
        """Do nothing: HTTP has no fragments."""

    def stall(self) -> None:
        """Send nothing more on this connection; HTTP has no pings to answer."""
        self.link.freeze()

    def terminate(self) -> None:
        """End without the last chunk."""
        self._cut = True

    def send_problem(self, problem: Problem, stream: Optional[str], close: Optional[bool]) -> None:
        """End without the last chunk."""
        self._cut = True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End without the last chunk."""
        self._cut = True

    def inject_message(self, text: str) -> None:
        """Send raw text between two chunks."""
        self.inject(text.encode("utf-8"))
