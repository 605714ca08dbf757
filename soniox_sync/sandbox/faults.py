"""Faults that users schedule: what goes wrong, on which connection, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from .._support import checks as _checks
from .._support.reprs import summary
from ..errors import ConfigurationError
from .problems import Problem
from .schedule import COUNTERS, Action, Fault, FaultSchedule, Moment, Refusal, Selection

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import FaultKeywords

__all__ = ["Faults"]

# Checked when a fault is scheduled: later it would fail unnoticed on a thread of the server.
_check_size = _checks.integer(1, unit="bytes")
_check_text = _checks.text(empty=True)
_check_status = _checks.integer(100, 599)
_check_body = _checks.instance_of(bytes)
_SELECTION_CHECKS = {
    "kind": _checks.one_of(("stt", "tts", "rest")),
    "path": _checks.text(),
    "skip": _checks.integer(0),
    "times": _checks.integer(0),
}


class Faults:
    """Faults of one sandbox. Thread-safe.

    Each method schedules one fault and returns its handle::

        with Sandbox() as sandbox:
            fault = sandbox.faults.drop(kind="stt", after_audio_ms=3000)
            ...
            assert fault.fired.wait(5)

    Every method takes the same keywords. They select connections: `kind` (`"stt"`, `"tts"`,
    `"rest"`; default `None`: any), `path` (only paths that contain it; default: any), `skip` (how
    many matching connections are left alone first; default 0) and `times` (how many are then hit;
    default 1; `None`: all). A WebSocket counts once; for HTTP each request counts, even on a
    connection that is kept alive.

    One more keyword sets the moment, counted from the end of the upgrade (HTTP: from the request):
    `after_sec` (real seconds), `after_bytes_in` or `after_bytes_out` (exact TCP payload bytes),
    `after_frames_in` or `after_frames_out` (whole data messages), `after_audio_ms` (milliseconds of
    audio on the whole connection; STT: received, TTS: sent) or `after_body_bytes` (HTTP: exact
    bytes of the response body). Without one the fault acts at once.

    Raises
        ConfigurationError: a keyword that does not exist, a value out of its range, two moments,
            or a moment or fault that this kind of connection does not have.
        InputTypeError: a value of the wrong type.
    """

    def __init__(self, schedule: FaultSchedule) -> None:
        self._schedule = schedule

    def __repr__(self) -> str:
        return summary(self, self._schedule.num_pending, "pending")

    # --- the socket

    def drop(self, **when: Unpack[FaultKeywords]) -> Fault:
        """Reset the connection (TCP RST)."""
        return self._add("drop", lambda target: target.link.reset(), when)

    def fin(self, **when: Unpack[FaultKeywords]) -> Fault:
        """End the TCP connection cleanly (FIN), without a close frame."""
        return self._add("fin", lambda target: target.link.fin(), when)

    def half_open(self, **when: Unpack[FaultKeywords]) -> Fault:
        """Stop reading and writing but keep the socket, as if the peer's machine had vanished."""
        return self._add("half_open", lambda target: target.link.freeze(), when)

    def delay(self, sec: float, **when: Unpack[FaultKeywords]) -> Fault:
        """Delay everything that is sent, except pongs, by `sec` seconds."""
        _checks.seconds("sec", sec)
        return self._add("delay", lambda target: target.set_lag(sec), when)

    def split(
        self, size: int = 1, *, pause_sec: float = 0.0, **when: Unpack[FaultKeywords]
    ) -> Fault:
        """Send in TCP writes of at most `size` bytes, `pause_sec` seconds apart."""
        _check_size("size", size)
        _checks.seconds("pause_sec", pause_sec)
        return self._add("split", lambda target: target.link.split(size, pause_sec), when)

    def slow_reader(self, bytes_per_sec: float, **when: Unpack[FaultKeywords]) -> Fault:
        """Read at most `bytes_per_sec` bytes per second, so that the client's sends back up."""
        _checks.number(1)("bytes_per_sec", bytes_per_sec)
        return self._add("slow_reader", lambda target: target.link.read_slowly(bytes_per_sec), when)

    def inject(self, data: bytes, **when: Unpack[FaultKeywords]) -> Fault:
        """Send raw bytes between two frames."""
        if not isinstance(data, (bytes, bytearray)):
            raise _checks.wrong_type("data", "bytes", data)
        return self._add("inject", lambda target: target.inject(data), when)

    # --- the WebSocket

    def fragment(self, size: int = 1, **when: Unpack[FaultKeywords]) -> Fault:
        """Send each message as WebSocket fragments of at most `size` bytes."""
        _check_size("size", size)
        return self._add("fragment", lambda target: target.set_fragments(size), when, ws=True)

    def message(self, text: str, **when: Unpack[FaultKeywords]) -> Fault:
        """Send `text` as a message, such as malformed JSON or fields of a future release."""
        _check_text("text", text)
        return self._add("message", lambda target: target.inject_message(text), when, ws=True)

    def close(self, code: int = 1000, reason: str = "", **when: Unpack[FaultKeywords]) -> Fault:
        """Perform the closing handshake with this code, without an error frame."""
        _checks.integer(0, 65535)("code", code)
        _check_text("reason", reason)
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
        **when: Unpack[FaultKeywords],
    ) -> Fault:
        """Send an error frame.

        `code` defaults to the documented number of `error_type` (500 if unknown). For TTS, `stream`
        is an id; `""` or `None` for an error of the connection, with an empty id or without one; or
        `"active"`, the oldest running stream (if there is none, an error of the connection). An
        error of a stream ends it with `terminated`. `close`: whether a close frame with code 1000
        follows; `None`: for STT and for errors of the connection.
        """
        _checks.text()("error_type", error_type)
        _check_text("message", message)
        if code is not None:
            _check_status("code", code)
        problem = Problem(error_type, message, code=code)
        return self._add(
            "error_frame", lambda target: target.send_problem(problem, stream, close), when, ws=True
        )

    def stall(self, **when: Unpack[FaultKeywords]) -> Fault:
        """Send no more data, but continue to read and to answer pings."""
        return self._add("stall", lambda target: target.stall(), when, ws=True)

    def terminate(self, **when: Unpack[FaultKeywords]) -> Fault:
        """End the running TTS streams with `terminated` but without `audio_end` (PROTOCOL 3.3)."""
        when.setdefault("kind", "tts")
        return self._add("terminate", lambda target: target.terminate(), when, ws=True)

    # --- HTTP

    def refuse(
        self,
        status: int = 503,
        *,
        headers: Optional[Mapping[str, str]] = None,
        body: bytes = b"refused by the sandbox",
        **when: Unpack[FaultKeywords],
    ) -> Fault:
        """Answer the upgrade or the request with this HTTP status instead."""
        _check_status("status", status)
        _checks.mapping("headers", headers or {})
        for name, value in (headers or {}).items():
            _check_text("headers", name)
            _check_text(f"headers[{name!r}]", value)
        _check_body("body", body)
        refusal = Refusal(status, dict(headers or {}), body)
        return self._add("refuse", None, when, refusal=refusal)

    def hang(self, **when: Unpack[FaultKeywords]) -> Fault:
        """Accept the TCP connection and read the request, but never answer it."""
        return self._add("hang", None, when, refusal=Refusal(0, hang=True))

    def cut(self, **when: Unpack[FaultKeywords]) -> Fault:
        """End the body of an HTTP response without its last chunk, then end the connection."""
        when.setdefault("kind", "rest")
        return self._add("cut", lambda target: target.cut_body(), when)

    def trailer(
        self, code: int = 500, message: str = "Internal error.", **when: Unpack[FaultKeywords]
    ) -> Fault:
        """End a `POST /tts` body with the trailers of a late failure (PROTOCOL 4)."""
        when.setdefault("kind", "rest")
        _check_status("code", code)
        _check_text("message", message)
        trailers = {"X-Tts-Error-Code": str(code), "X-Tts-Error-Message": message}
        return self._add("trailer", lambda target: target.end_body(trailers), when)

    def clear(self) -> None:
        """Remove every fault; connections that were hit already are still affected."""
        self._schedule.clear()

    def _add(
        self,
        name: str,
        action: Optional[Action],
        when: Mapping[str, Any],
        *,
        refusal: Optional[Refusal] = None,
        ws: bool = False,
    ) -> Fault:
        left = dict(when)
        selection = _take_selection(left)
        moment = _take_moment(left)
        _checks.refuse_unknown(left, KEYWORDS, "a fault")
        if ws and selection.kind == "rest":
            raise ConfigurationError(f"kind: expected 'stt' or 'tts' for {name}, got 'rest'")
        if refusal is not None and moment is not None:
            raise ConfigurationError(
                f"{name} replaces the answer to the request: leave out after_{moment.counter}"
            )
        _check_moment(selection.kind, moment)
        return self._schedule.add(name, selection, moment, action, refusal)


_MOMENTS = (*COUNTERS, "sec")
KEYWORDS = (*_SELECTION_CHECKS, *(f"after_{name}" for name in _MOMENTS))


def _take_selection(when: dict[str, Any]) -> Selection:
    """Take the keywords that select connections out of `when`."""
    _checks.run_checks(when, _SELECTION_CHECKS)
    return Selection(
        when.pop("kind", None), when.pop("path", None), when.pop("skip", 0), when.pop("times", 1)
    )


def _take_moment(when: dict[str, Any]) -> Optional[Moment]:
    """Take the one `after_*` out of `when`."""
    found = []
    for counter in _MOMENTS:
        mark = when.pop(f"after_{counter}", None)
        if mark is not None:
            _checks.number(0)(f"after_{counter}", mark)
            found.append(Moment(counter, float(mark)))
    if len(found) > 1:
        names = ", ".join(f"after_{moment.counter}" for moment in found)
        raise ConfigurationError(f"a fault has one moment: give one of {names}")
    return found[0] if found else None


def _check_moment(kind: Optional[str], moment: Optional[Moment]) -> None:
    """Refuse a moment that does not exist on this kind of connection."""
    never = ("frames_in", "frames_out", "audio_ms") if kind == "rest" else ("body_bytes",)
    if kind is not None and moment is not None and moment.counter in never:
        raise ConfigurationError(f"after_{moment.counter} does not exist for {kind} connections")
