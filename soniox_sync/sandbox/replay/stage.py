"""Endpoints of a sandbox that replays a trace: which connection or request is played to whom."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import unquote

from ..._support.locks import new_lock
from ..._support.reprs import counted
from ..problems import new_request_id
from ..schedule import Refusal
from ..server.link import LinkDown
from ..server.routes import Answer, Handler, Handshake, Request, Routes, SocketRoute
from .connection import PlayedConnection
from .content import FieldDifference, compare
from .differences import Difference, Differs, Findings, Kind, Replay
from .http import answer, compare_request, playable_headers
from .notes import notes_of
from .script import Script
from .trace import Connection, Exchange, TraceInput, read_trace

if TYPE_CHECKING:
    from ..server.ws import Service, WsPeer

__all__ = ["ReplayRoutes"]

# beyond what the client took in the trace: a debugger or a loaded machine may delay it, but a
# program that waits for something the trace does not have must not wait forever
PATIENCE_SEC = 30.0
_PLAYED_ONCE = "a trace is played once: start the sandbox again to play it again"


class ReplayRoutes(Routes):
    """Endpoints that play a trace, read at once.

    `speed`: of the trace's time; `None`: no waiting.

    Raises
        ConfigurationError, InputTypeError, OSError: as `read_trace`.
    """

    def __init__(
        self, source: TraceInput, speed: Optional[float], patience_sec: float = PATIENCE_SEC
    ) -> None:
        super().__init__()
        self._trace = read_trace(source)
        self._speed = speed
        self._patience_sec = patience_sec
        self._findings = Findings(self._trace.name)
        self.replay: Replay = Replay(self._findings, notes_of(self._trace), self._remaining)
        # Guards the lists below. Leaf.
        self._lock = new_lock()
        self._connections = list(self._trace.connections)  # not yet requested
        self._opening: list[Connection] = []  # accepted, and not yet played
        self._exchanges = list(self._trace.exchanges)
        self._played: list[tuple[Connection, PlayedConnection]] = []
        # by path: what streams of several connections share, and the lock that guards it
        self._paths: dict[str, tuple[threading.Lock, list[Script]]] = {}
        self._scripts: dict[int, Script] = {}
        for each in self._connections:
            # Guards the scripts of one path. Taken by its connections, never across I/O.
            _, siblings = self._paths.setdefault(each.path, (new_lock(), []))
            self._scripts[each.number] = Script(each, siblings)

    def is_in(self, destination: Any) -> bool:
        """Return whether a path, or a file object, is the file of the trace that is played."""
        return self._trace.is_in(destination)

    # --- WebSockets

    def socket(self, path: str) -> Optional[SocketRoute]:
        """Return the endpoint for one upgrade request: the next connection of this path."""
        upgrade = _Upgrade(self, unquote(path))
        kind = "tts" if "tts" in path else "stt"
        return SocketRoute(kind, upgrade.serve, upgrade.check)

    def claim(self, path: str) -> Connection:
        """Return the next connection of a path.

        Raises
            Differs: there is none.
        """
        with self._lock:
            found = next((each for each in self._connections if each.path == path), None)
            if found is not None:
                self._connections.remove(found)
                if found.refusal is None and found.error is None:
                    self._opening.append(found)
                return found
        number = sum(each.path == path for each in self._trace.connections)
        raise self._differs("connection", path, None, _one_more("connection", number), number)

    def play(self, connection: Connection, peer: WsPeer) -> Service:
        """Return the service that plays a connection."""
        played = PlayedConnection(
            peer,
            connection,
            self._scripts[connection.number],
            self._findings,
            lock=self._paths[connection.path][0],
            speed=self._speed,
            patience_sec=self._patience_sec,
        )
        with self._lock:
            self._opening.remove(connection)
            self._played.append((connection, played))
        return played

    # --- HTTP

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """Return the handler that plays the next such request of the trace."""
        return partial(self._respond, unquote(path)), {}

    def _respond(self, path: str, request: Request) -> Answer:
        try:
            exchange = self._claim_exchange(path, request)
        except Differs as differs:
            raise differs.problem from None
        if exchange.status is None and exchange.error is None:
            end = FieldDifference("", "the end of the trace before the response", "a request")
            raise self._differs("request", exchange.name, exchange.line, end).problem
        return answer(exchange, request, self._speed)

    def _claim_exchange(self, path: str, request: Request) -> Exchange:
        where = f"{request.method} {path}"
        with self._lock:
            waiting = [each for each in self._exchanges if each.name == where]
            differs = [_compare(each, request) for each in waiting]
            if None in differs:
                found = waiting[differs.index(None)]
                self._exchanges.remove(found)
                return found
        if differs and differs[0] is not None:
            raise self._differs("request", where, waiting[0].line, differs[0])
        number = sum(each.name == where for each in self._trace.exchanges)
        raise self._differs("request", where, None, _one_more("request", number), number)

    # --- both

    def _differs(
        self, kind: Kind, where: str, line: Optional[int], found: FieldDifference, played: int = 0
    ) -> Differs:
        """Record a difference; `played`: how many such connections or requests were played."""
        field, hint = found.path or None, _PLAYED_ONCE if played else None
        differs = Differs(Difference(kind, where, line, field, found.expected, found.got, hint))
        self._findings.add(differs.difference)
        self._findings.tell()
        return differs

    def _remaining(self) -> tuple[str, ...]:
        with self._lock:
            opening, begun = list(self._opening), list(self._played)
            unopened: list[Any] = [*self._connections, *self._exchanges]
        found = [
            (each.line, f"{each.name} (line {each.line}): never requested") for each in unopened
        ]
        lines = [(each, played.unplayed) for each, played in begun]
        for connection, line in [*((each, each.line) for each in opening), *lines]:
            if line is not None:
                found.append(
                    (connection.line, f"{connection.name}: not played from line {line} on")
                )
        return tuple(text for _, text in sorted(found))


class _Upgrade:
    """One upgrade request: answered as in the trace, then the connection is played."""

    def __init__(self, routes: ReplayRoutes, path: str) -> None:
        self._routes = routes
        self._path = path
        self._connection: Optional[Connection] = None

    def check(self, handshake: Handshake) -> Optional[Refusal]:
        """Return the refusal of the trace, or one that says how the client differs.

        Raises
            LinkDown: in the trace the connection could not be opened.
        """
        try:
            connection = self._routes.claim(self._path)
        except Differs as differs:
            problem = differs.problem
            return Refusal(problem.code, body=_json(problem.frame(new_request_id())))
        if connection.refusal is not None:
            return _refusal(connection.refusal)
        if connection.error is not None:
            if "Timeout" in connection.error:
                return Refusal(0, hang=True)
            raise LinkDown("the trace has no answer to this upgrade")
        self._connection = connection
        return None

    def serve(self, peer: WsPeer, handshake: Handshake) -> Service:
        """Return the service that plays the connection."""
        assert self._connection is not None  # `check` is called first
        return self._routes.play(self._connection, peer)


def _one_more(what: str, number: int) -> FieldDifference:
    """Return the difference of a connection or request beyond the `number` of the trace."""
    if not number:
        return FieldDifference("", None, f"a {what}")
    return FieldDifference("", counted(number, what), f"{what} {number + 1}")


def _compare(exchange: Exchange, request: Request) -> Optional[FieldDifference]:
    in_query = compare(exchange.query, request.query, "query")
    return in_query or compare_request(exchange, request)


def _refusal(line: Mapping[str, Any]) -> Refusal:
    headers, body = line.get("headers"), line.get("body")
    usable = playable_headers(headers) if isinstance(headers, dict) else {}
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    return Refusal(line["status"], usable, text.encode("utf-8"))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8")
