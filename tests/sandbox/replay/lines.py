"""Traces written by hand: the lines that a client's `trace=` would write."""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import Any, Optional

from soniox_sync.sandbox import Sandbox

STT, TTS = "/transcribe-websocket", "/tts-websocket"


def audio(data: bytes, keep: bool = True) -> dict[str, Any]:
    """Return the audio object of some bytes, with or without the bytes."""
    found: dict[str, Any] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()[:16]}
    return {**found, "data": base64.b64encode(data).decode()} if keep else found


class Trace:
    """Lines of a trace, one process after another; `clock` is the time of the next line."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.clock = 1000.0
        self.pid = 0
        self._numbers = itertools.count(1)
        self.process()

    def process(self) -> None:
        """Begin the lines of another process."""
        self.pid += 1
        self.add("trace", version=1, library="0", python="3", platform="linux", audio=True)

    def add(self, kind: str, **fields: Any) -> None:
        """Add a line."""
        self.lines.append({"kind": kind, "clock": self.clock, "pid": self.pid, **fields})

    def socket(self, path: str, *, opened: bool = True) -> Socket:
        """Add a WebSocket."""
        number = next(self._numbers)
        url = f"wss://service.example{path}"
        self.add("connect", connection=number, url=url, headers={}, subprotocols=[])
        if opened:
            self.add("open", connection=number, status=101, headers={}, subprotocol=None)
        return Socket(self, number)

    def exchange(
        self,
        method: str,
        path: str,
        body: Optional[dict[str, Any]] = None,
        *,
        status: Optional[int] = 200,
        headers: Optional[dict[str, str]] = None,
        answer: Any = None,
        pieces: tuple[Any, ...] = (),
    ) -> int:
        """Add an HTTP exchange with a JSON answer, or with pieces of a body."""
        number = next(self._numbers)
        url = f"https://service.example{path}"
        self.add("request", exchange=number, method=method, url=url, headers={}, body=body)
        if status is None:
            return number
        kind = {"Content-Type": "application/json", **(headers or {})}
        self.add("response", exchange=number, status=status, headers=kind)
        for index, piece in enumerate(pieces):
            self.add("body", exchange=number, last=index == len(pieces) - 1, binary=piece)
        if answer is not None:
            self.add("body", exchange=number, last=True, json=answer)
        return number

    def sandbox(self, **options: Any) -> Sandbox:
        """Return a sandbox that replays these lines, by default without waiting."""
        return Sandbox(replay=self.lines, **{"replay_speed": None, **options})


class Socket:
    """One WebSocket of a trace."""

    def __init__(self, trace: Trace, number: int) -> None:
        self._trace = trace
        self._number = number

    def sent(self, *contents: Any) -> Socket:
        """Add messages of the client: bytes are audio, a str is a text, anything else JSON."""
        return self._messages("sent", contents)

    def received(self, *contents: Any) -> Socket:
        """Add messages of the service."""
        return self._messages("received", contents)

    def close(self, direction: str, code: Optional[int] = 1000, reason: str = "") -> Socket:
        """Add a close frame."""
        return self.add("close", direction=direction, code=code, reason=reason)

    def end(self, error: Optional[str] = None) -> Socket:
        """Add the end."""
        return self.add("end", error=error)

    def add(self, kind: str, **fields: Any) -> Socket:
        """Add a line of this connection."""
        self._trace.add(kind, connection=self._number, **fields)
        return self

    def _messages(self, direction: str, contents: tuple[Any, ...]) -> Socket:
        for content in contents:
            if isinstance(content, bytes):
                form, value = "binary", audio(content)
            elif isinstance(content, str):
                form, value = "text", content
            else:
                form, value = "json", content
            self.add("message", direction=direction, **{form: value})
        return self
