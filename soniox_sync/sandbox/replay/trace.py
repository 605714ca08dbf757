"""Traces in memory, and reading them: lines of JSON, as the client's `trace=` writes them.

Unknown kinds of lines and unknown keys are ignored; what is known must be right.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union
from urllib.parse import parse_qs, unquote, urlsplit

from ..._support import checks as _checks
from ..._support.checks import kind_of
from ...errors import ConfigurationError
from .content import Audio, Content, as_audio, audio_objects

__all__ = ["Body", "Connection", "Exchange", "Line", "Trace", "TraceInput", "read_trace"]

VERSION = 1
_TEXT_FORMS = ("json", "text", "binary")
# what a line of each kind must have
_REQUIRED: Mapping[str, Mapping[str, type]] = {
    "connect": {"connection": int, "url": str},
    "open": {"connection": int},
    "refused": {"connection": int, "status": int},
    "message": {"connection": int, "direction": str},
    "close": {"connection": int, "direction": str},
    "end": {"connection": int},
    "request": {"exchange": int, "method": str, "url": str},
    "response": {"exchange": int, "status": int},
    "body": {"exchange": int},
    "failed": {"exchange": int},
}
# bytes of the longest reason in a close frame (RFC 6455, 5.5)
_MAX_REASON = 123
# seconds: any clock of a computer, also one that counts from 1970
_MAX_CLOCK = 4_000_000_000
# levels of nesting; a client's trace has at most 50 in a message, and masks what is below
_DEEPEST = 100

TraceInput = Union[str, "os.PathLike[str]", Iterable[Union[str, bytes, Mapping[str, Any]]]]


@dataclass(frozen=True)
class Line:
    """One line of a trace: what happened to a connection."""

    number: int
    clock: float
    kind: str
    """`"sent"`, `"received"`, `"close sent"`, `"close received"` or `"end"`."""
    content: Content = None
    """Of a message; of the end its error, or `None`."""
    code: Optional[int] = None
    reason: str = ""


@dataclass
class Connection:
    """A WebSocket of a trace."""

    number: int
    path: str
    line: int
    clock: float
    refusal: Optional[Mapping[str, Any]] = None
    opened: bool = False
    lines: list[Line] = field(default_factory=list)
    error: Optional[str] = None
    """Why it could not be opened."""

    @property
    def name(self) -> str:
        """Name for the user."""
        return f"connection {self.number}, {self.path}"


@dataclass(frozen=True)
class Body:
    """One piece of the body of a response."""

    clock: float
    content: Content
    last: bool


@dataclass
class Exchange:
    """An HTTP request of a trace with its response."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    line: int
    clock: float
    body: Optional[Mapping[str, Any]]
    status: Optional[int] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answered: float = 0.0
    pieces: list[Body] = field(default_factory=list)
    error: Optional[str] = None

    @property
    def name(self) -> str:
        """Name for the user."""
        return f"{self.method} {self.path}"

    @property
    def asked(self) -> Mapping[str, Any]:
        """Fields of the request, if its body is a JSON object."""
        asked = (self.body or {}).get("json")
        return asked if isinstance(asked, dict) else {}


@dataclass
class Trace:
    """All connections and requests of a trace, in the order in which they began."""

    name: str
    connections: list[Connection] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    path: Optional[str] = None
    """Absolute path of its file, if it was read from one that has a name."""

    def is_in(self, destination: Any) -> bool:
        """Return whether a path, or a file object with a name, is the file of this trace."""
        is_path = isinstance(destination, (str, os.PathLike))
        given = destination if is_path else getattr(destination, "name", None)
        if self.path is None or not isinstance(given, (str, os.PathLike)):
            return False
        try:
            return os.path.samefile(self.path, given)
        except (OSError, ValueError):
            return False  # one of them does not exist


def read_trace(source: TraceInput) -> Trace:
    """Read a trace from a path, a file object, or an iterable of lines or mappings.

    Raises
        ConfigurationError: it is no trace, one of a newer version, or malformed; the message names
            file and line.
        InputTypeError: the source is something else.
        OSError: the file cannot be read.
    """
    if isinstance(source, (bytes, Mapping)) or not (
        isinstance(source, (str, os.PathLike)) or hasattr(source, "__iter__")
    ):
        raise _checks.wrong_type("replay", "a path, a file object or an iterable of lines", source)
    if isinstance(source, (str, os.PathLike)):
        _checks.path("replay", source)
        with open(source, "rb") as file:
            return _read_file(os.fspath(source), file)
    name = getattr(source, "name", None)
    if isinstance(name, str):
        return _read_file(name, source)
    return _Reader("replay").read(source)


def _read_file(name: str, file: Iterable[Any]) -> Trace:
    trace = _Reader(name).read(file)
    trace.path = os.path.abspath(name)
    return trace


class _Reader:
    """Reads the lines of one trace."""

    def __init__(self, name: str) -> None:
        self._trace = Trace(name)
        self._number = 0
        self._started = False
        # by process and number; a process id may be used again, its numbers then begin anew
        self._connections: dict[tuple[int, int], Connection] = {}
        self._exchanges: dict[tuple[int, int], Exchange] = {}

    def read(self, lines: Iterable[Any]) -> Trace:
        """Read all lines."""
        for self._number, given in enumerate(lines, 1):
            for line in self._decode(given):
                self._take(line)
        if not self._started:
            raise ConfigurationError(f"{self._trace.name}: expected a trace, got an empty file")
        return self._trace

    def _decode(self, given: Any) -> Iterator[Mapping[str, Any]]:
        if isinstance(given, Mapping):
            yield given
            return
        if not isinstance(given, (str, bytes)):
            raise self._wrong(f"expected a line of JSON or a mapping, got {kind_of(given)}")
        if not given.strip():
            return
        try:
            line = json.loads(given)
        except (ValueError, RecursionError):
            raise self._wrong("expected JSON, got something else; was the line cut off?") from None
        if not isinstance(line, dict):
            raise self._wrong(f"expected a JSON object, got {kind_of(line)}")
        yield line

    def _take(self, line: Mapping[str, Any]) -> None:
        kind = line.get("kind")
        if not isinstance(kind, str):
            raise self._wrong("'kind' is missing: is this a trace?")
        if kind == "trace":
            self._check_version(line.get("version"))
        if not self._started:
            raise self._wrong("a trace begins with a line of kind 'trace'")
        if kind not in _REQUIRED:
            return
        if _is_deeper(line, _DEEPEST):
            raise self._wrong(f"{kind!r} is nested deeper than {_DEEPEST} levels")
        clock = line.get("clock")
        if not isinstance(clock, (int, float)) or isinstance(clock, bool):
            raise self._wrong(f"{kind!r} needs 'clock', a number of seconds")
        if not -_MAX_CLOCK <= clock <= _MAX_CLOCK:  # nor is NaN
            raise self._wrong(f"expected 'clock' from {-_MAX_CLOCK} to {_MAX_CLOCK} seconds")
        for name, expected in {**_REQUIRED[kind], "pid": int}.items():
            value = line.get(name, 0 if name == "pid" else None)
            if not isinstance(value, expected) or isinstance(value, bool):
                what = "an int" if expected is int else "a str"
                raise self._wrong(f"{kind!r} needs {name!r}, {what}")
        if "exchange" in line:
            self._take_exchange(kind, line)
        else:
            self._take_connection(kind, line)

    def _check_version(self, version: Any) -> None:
        if version != VERSION or type(version) is not int:
            raise self._wrong(
                f"the trace is of version {version!r}, this release reads version {VERSION}: "
                "update soniox-sync"
            )
        self._started = True

    # -- WebSockets

    def _take_connection(self, kind: str, line: Mapping[str, Any]) -> None:
        key = (line.get("pid", 0), line["connection"])
        if kind == "connect":
            number = len(self._trace.connections) + 1
            path = self._path(line["url"])[0]
            found = Connection(number, path, self._number, line["clock"])
            self._connections[key] = found
            self._trace.connections.append(found)
            return
        connection = self._connections.get(key)
        if connection is None:
            if kind in ("close", "end"):
                return  # of a connection that a forked child inherited
            raise self._wrong(f"connection {key[1]} of process {key[0]} has no 'connect' line")
        if kind == "open":
            connection.opened = True
        elif kind == "refused":
            connection.refusal = line
        elif kind == "end" and not connection.opened:
            connection.error = _error(line)
        else:
            connection.lines.append(self._event(kind, line))

    def _event(self, kind: str, line: Mapping[str, Any]) -> Line:
        number, clock = self._number, line["clock"]
        if kind == "end":
            return Line(number, clock, "end", _error(line))
        direction = line["direction"]
        if direction not in ("sent", "received"):
            raise self._wrong(f"expected 'sent' or 'received' in 'direction', got {direction!r}")
        if kind == "message":
            content = self._content(line)
            return Line(number, clock, direction, content)
        code, reason = line.get("code"), line.get("reason") or ""
        if not isinstance(reason, str) or not (code is None or isinstance(code, int)):
            raise self._wrong("a 'close' has a number or null as 'code', and a str as 'reason'")
        if code is not None and not 1000 <= code < 5000:
            raise self._wrong(f"expected a code from 1000 to 4999 in 'close', got {code}")
        shown = reason.encode("utf-8", "replace")[:_MAX_REASON].decode("utf-8", "ignore")
        return Line(number, clock, f"close {direction}", code=code, reason=shown)

    # -- HTTP

    def _take_exchange(self, kind: str, line: Mapping[str, Any]) -> None:
        key = (line.get("pid", 0), line["exchange"])
        clock = line["clock"]
        if kind == "request":
            path, query = self._path(line["url"])
            body = line.get("body")
            if body is not None and not isinstance(body, dict):
                raise self._wrong("'body' of a request is an object or null")
            self._check_body(body or {})
            found = Exchange(line["method"], path, query, self._number, clock, body)
            self._exchanges[key] = found
            self._trace.exchanges.append(found)
            return
        exchange = self._exchanges.get(key)
        if exchange is None:
            raise self._wrong(f"exchange {key[1]} of process {key[0]} has no 'request' line")
        if kind == "response":
            headers = line.get("headers") or {}
            if not isinstance(headers, dict):
                raise self._wrong("'headers' is an object")
            exchange.status, exchange.headers, exchange.answered = line["status"], headers, clock
        elif kind == "body":
            content = self._content(line, empty=True)
            exchange.pieces.append(Body(clock, content, line.get("last") is True))
        else:
            exchange.error = _error(line) or "failed"

    def _check_body(self, body: Mapping[str, Any]) -> None:
        parts = body.get("form", [])
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise self._wrong("'form' is a list of objects")
        binary = body.get("binary")
        if isinstance(binary, dict) and binary.get("bytes") is not None:
            self._audio(binary)

    # -- parts

    def _content(self, line: Mapping[str, Any], *, empty: bool = False) -> Content:
        """Return the message or the piece of a body that a line contains."""
        forms = [form for form in _TEXT_FORMS if form in line]
        if not forms and empty:
            return b""
        if len(forms) != 1:
            raise self._wrong("a message has exactly one of 'json', 'text' and 'binary'")
        value = line[forms[0]]
        if forms[0] == "binary":
            return self._audio(value)
        if forms[0] == "text" and not isinstance(value, str):
            raise self._wrong("'text' is a str")
        try:
            list(audio_objects(value))  # checks them
        except ValueError as error:
            raise self._wrong(str(error)) from None
        # a str is a text as it was on the wire
        return json.dumps(value) if forms[0] == "json" and isinstance(value, str) else value

    def _audio(self, value: Any) -> Audio:
        try:
            audio = as_audio(value)
        except ValueError as error:
            raise self._wrong(str(error)) from None
        if audio is None:
            raise self._wrong("'binary' is an audio object, with 'bytes' and 'sha256'")
        return audio

    def _path(self, url: str) -> tuple[str, Mapping[str, list[str]]]:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise self._wrong("'url' is no URL") from None
        return unquote(parts.path) or "/", parse_qs(parts.query, keep_blank_values=True)

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self._trace.name}, line {self._number}: {what}")


def _is_deeper(value: Any, most: int) -> bool:
    """Return whether a value has more than `most` levels of nesting. Not recursive."""
    level = [value]
    for _ in range(most + 1):
        inner = []
        for each in level:
            if isinstance(each, Mapping):
                inner += [item for item in each.values() if isinstance(item, (Mapping, list))]
            elif isinstance(each, list):
                inner += [item for item in each if isinstance(item, (Mapping, list))]
        if not inner:
            return False
        level = inner
    return True


def _error(line: Mapping[str, Any]) -> Optional[str]:
    error = line.get("error")
    return None if error is None else str(error)
