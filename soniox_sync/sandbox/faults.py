"""Faults to order: what goes wrong, on which connection, at which moment.

    with Sandbox() as sandbox:
        fault = sandbox.faults.drop(kind="stt", after_audio_ms=3000)
        ...
        assert fault.fired.wait(5)

Every method takes the same selection: `kind` (`"stt"`, `"tts"`, `"rest"`; `None` = any), `times`
(how many connections it befalls; `None` = every one), `skip` (how many matching ones are spared
first; `skip=1` means the second), `path` (only paths that contain it). A WebSocket counts once,
a plain HTTP request counts by itself even on a kept-alive connection.

And one moment, counted from the end of the upgrade (REST: from the request): `after_sec` (real
seconds), `after_bytes_in`/`after_bytes_out` (exact TCP payload bytes), `after_frames_in`/
`after_frames_out` (whole data messages), `after_audio_ms` (STT: audio received, TTS: audio sent,
of the whole connection), `after_body_bytes` (REST: exact bytes of the response body). No moment
means at once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol

from ..errors import ConfigurationError
from .problems import ERROR_CODES, Problem

if TYPE_CHECKING:
    from .link import Link

__all__ = ["Fault", "Faults", "Refusal", "Target"]

COUNTERS = ("bytes_in", "bytes_out", "frames_in", "frames_out", "audio_ms", "body_bytes")
_KINDS = ("stt", "tts", "rest")


class Target(Protocol):
    """Is what a fault acts on: one WebSocket, or one HTTP exchange."""

    @property
    def link(self) -> Link:
        """Give the TCP side."""

    def set_lag(self, sec: float) -> None:
        """Let everything sent from now on leave `sec` later."""

    def set_fragments(self, size: int) -> None:
        """Send messages in WebSocket frames of at most `size` bytes."""

    def stall(self) -> None:
        """Send no more data; pings are still answered."""

    def terminate(self) -> None:
        """End the running TTS streams with a bare `terminated`."""

    def send_problem(self, problem: Problem, stream: Optional[str], close: Optional[bool]) -> None:
        """Send an error frame of the service's."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and end properly."""

    def inject(self, data: bytes) -> None:
        """Put raw bytes on the wire."""

    def inject_message(self, text: str) -> None:
        """Send a text message of the tester's."""

    def cut_body(self) -> None:
        """End a response body without its last chunk."""

    def end_body(self, trailers: Mapping[str, str]) -> None:
        """End a response body now, with trailers."""


class Refusal:
    """Is an HTTP answer that stands in for the real one; `hang` means no answer at all."""

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, *, hang: bool = False
    ) -> None:
        self.status = status
        self.headers = dict(headers)
        self.body = body
        self.hang = hang


class Fault:
    """Is a handle on one scheduled fault.

    `fired` is set when it first acts, `connections` lists the numbers of the connections that it
    befell. `cancel()` takes it back for connections that are yet to come. Thread-safe.
    """

    def __init__(
        self,
        name: str,
        action: Optional[Callable[[Target], None]],
        select: _Selection,
        moment: Optional[tuple[str, float]],
        refusal: Optional[Refusal] = None,
    ) -> None:
        self.name = name
        self.fired = threading.Event()
        self.connections: list[int] = []
        self.moment = moment
        self.refusal = refusal
        self._action = action
        self._select = select

    def cancel(self) -> None:
        """Befall no further connection."""
        self._select.times = 0

    def claim(self, kind: str, path: str) -> bool:
        """Tell whether it befalls this new connection, counting it; under the plan's lock."""
        return self._select.claim(kind, path)

    def act(self, target: Target, number: int) -> None:
        """Let it happen, now."""
        self.connections.append(number)
        if self._action is not None:
            self._action(target)
        self.fired.set()

    def __repr__(self) -> str:
        return f"<Fault {self.name} fired {len(self.connections)} times>"


class _Selection:
    def __init__(
        self, kind: Optional[str], times: Optional[int], skip: int, path: Optional[str]
    ) -> None:
        if kind is not None and kind not in _KINDS:
            raise ConfigurationError(f"kind must be one of {', '.join(_KINDS)}, not {kind!r}")
        self.kind = kind
        self.times = times
        self.skip = skip
        self.path = path

    def claim(self, kind: str, path: str) -> bool:
        if self.kind not in (None, kind) or (self.path is not None and self.path not in path):
            return False
        if self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def _moment(options: dict[str, Any]) -> Optional[tuple[str, float]]:
    """Take the one `after_*` out of the options of a fault."""
    found = []
    for name in [*COUNTERS, "sec"]:
        value = options.pop(f"after_{name}", None)
        if value is not None:
            found.append((name, float(value)))
    if options:
        raise ConfigurationError(f"unknown fault options: {', '.join(sorted(options))}")
    if len(found) > 1:
        raise ConfigurationError("a fault has one moment: give a single after_* option")
    return found[0] if found else None


def _check_moment(kind: Optional[str], moment: Optional[tuple[str, float]]) -> None:
    """Refuse a moment that never comes on this kind of connection."""
    counter = moment[0] if moment is not None else ""
    never = ("frames_in", "frames_out", "audio_ms") if kind == "rest" else ("body_bytes",)
    if kind is not None and counter in never:
        raise ConfigurationError(f"after_{counter} never comes on a {kind} connection")


class Faults:
    """Is the plan of faults of one sandbox; thread-safe. The module says how to select."""

    def __init__(self) -> None:
        # Guards _plan and what is left of each fault's selection. Leaf.
        self._lock = threading.Lock()
        self._plan: list[Fault] = []

    # --- the line

    def drop(self, **when: Any) -> Fault:
        """Reset the connection (TCP RST)."""
        return self._add("drop", lambda target: target.link.reset(), when)

    def fin(self, **when: Any) -> Fault:
        """End the connection cleanly for TCP (FIN), without a close frame."""
        return self._add("fin", lambda target: target.link.fin(), when)

    def half_open(self, **when: Any) -> Fault:
        """Stop reading and writing but keep the socket, as when the peer's machine vanished."""
        return self._add("half_open", lambda target: target.link.freeze(), when)

    def delay(self, sec: float, **when: Any) -> Fault:
        """Let everything sent from the moment on, but pongs, arrive `sec` seconds later."""
        return self._add("delay", lambda target: target.set_lag(sec), when)

    def split(self, size: int = 1, *, pause_sec: float = 0.0, **when: Any) -> Fault:
        """Send in TCP writes of at most `size` bytes, `pause_sec` apart."""

        def act(target: Target) -> None:
            target.link.split_bytes = size
            target.link.split_pause_sec = pause_sec

        return self._add("split", act, when)

    def slow_reader(self, bytes_per_sec: float, **when: Any) -> Fault:
        """Read only so many bytes per second, so that the client's sends back up."""

        def act(target: Target) -> None:
            target.link.read_rate = bytes_per_sec
            target.link.shrink_buffers()

        return self._add("slow_reader", act, when)

    def inject(self, data: bytes, **when: Any) -> Fault:
        """Put raw bytes between two frames."""
        return self._add("inject", lambda target: target.inject(data), when)

    # --- the WebSocket

    def fragment(self, size: int = 1, **when: Any) -> Fault:
        """Send each message as WebSocket fragments of at most `size` bytes."""
        return self._add("fragment", lambda target: target.set_fragments(size), when, ws=True)

    def message(self, text: str, **when: Any) -> Fault:
        """Send a text message of your own, such as broken JSON or fields from the future."""
        return self._add("message", lambda target: target.inject_message(text), when, ws=True)

    def close(self, code: int = 1000, reason: str = "", **when: Any) -> Fault:
        """Close properly with this code, without an error frame."""
        return self._add("close", lambda target: target.close(code, reason), when, ws=True)

    # --- the service

    def error_frame(
        self,
        error_type: str = "service_unavailable",
        message: str = "Cannot continue request (code 1). Please restart the request.",
        *,
        code: Optional[int] = None,
        stream: Optional[str] = "active",
        close: Optional[bool] = None,
        **when: Any,
    ) -> Fault:
        """Send an error frame.

        `code` defaults to the type's documented number (500 if unknown). For TTS, `stream` is an
        id, `""` or `None` for a connection-level error with an empty or absent id, or `"active"`:
        the oldest running stream, connection-level when none runs. An error that names a stream
        ends it with `terminated`. `close` says whether close frame 1000 follows; by default after
        STT and connection-level errors.
        """
        problem = Problem(
            error_type, message, code=ERROR_CODES.get(error_type) if code is None else code
        )
        return self._add(
            "error_frame", lambda target: target.send_problem(problem, stream, close), when, ws=True
        )

    def stall(self, **when: Any) -> Fault:
        """Send no data any more, but go on reading and answering pings."""
        return self._add("stall", lambda target: target.stall(), when, ws=True)

    def terminate(self, **when: Any) -> Fault:
        """End the running TTS streams with `terminated` without `audio_end` (PROTOCOL 3.3)."""
        when.setdefault("kind", "tts")
        return self._add("terminate", lambda target: target.terminate(), when, ws=True)

    # --- HTTP

    def refuse(
        self,
        status: int = 503,
        *,
        headers: Optional[Mapping[str, str]] = None,
        body: bytes = b"refused by the sandbox",
        **when: Any,
    ) -> Fault:
        """Answer the upgrade or the request with an HTTP status instead."""
        refusal = Refusal(status, headers or {}, body)
        return self._add("refuse", None, when, refusal=refusal)

    def hang(self, **when: Any) -> Fault:
        """Accept the TCP connection and read the request, but never answer it."""
        return self._add("hang", None, when, refusal=Refusal(0, {}, b"", hang=True))

    def cut(self, **when: Any) -> Fault:
        """End a REST response's body without its last chunk, then close."""
        when.setdefault("kind", "rest")
        return self._add("cut", lambda target: target.cut_body(), when)

    def trailer(self, code: int = 500, message: str = "Internal error.", **when: Any) -> Fault:
        """End a `POST /tts` body with the trailers of a late failure (PROTOCOL 4)."""
        when.setdefault("kind", "rest")
        trailers = {"X-Tts-Error-Code": str(code), "X-Tts-Error-Message": message}
        return self._add("trailer", lambda target: target.end_body(trailers), when)

    def clear(self) -> None:
        """Forget every fault for connections to come."""
        with self._lock:
            self._plan.clear()

    # --- for the server

    def claim(self, kind: str, path: str) -> list[Fault]:
        """Take the faults that befall a new connection or request, in the order scheduled."""
        with self._lock:
            return [fault for fault in self._plan if fault.claim(kind, path)]

    def _add(
        self,
        name: str,
        action: Optional[Callable[[Target], None]],
        when: dict[str, Any],
        *,
        refusal: Optional[Refusal] = None,
        ws: bool = False,
    ) -> Fault:
        kind = when.pop("kind", None)
        if ws and kind == "rest":
            raise ConfigurationError(f"a REST exchange cannot have the fault {name}")
        select = _Selection(kind, when.pop("times", 1), when.pop("skip", 0), when.pop("path", None))
        moment = _moment(when)
        _check_moment(kind, moment)
        if refusal is not None and moment is not None:
            raise ConfigurationError(f"the fault {name} happens at the request, it has no moment")
        fault = Fault(name, action, select, moment, refusal)
        with self._lock:
            self._plan.append(fault)
        return fault
