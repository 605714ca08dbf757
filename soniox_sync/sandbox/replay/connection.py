"""One WebSocket of a trace, played to a client: the cues of a `Script` with their times."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ..clock import Timer
from ..problems import Problem, new_request_id
from ..server.wire_json import read_json
from .client import Mismatch
from .content import Audio
from .differences import Difference, Differs, Findings, Kind
from .script import Cue, Script
from .trace import Connection

if TYPE_CHECKING:
    from ..server.ws import WsPeer

__all__ = ["PlayedConnection"]


class PlayedConnection:
    """Service behind one WebSocket (`server.ws.Service`) that plays a connection of a trace.

    `lock` guards the scripts of all connections to its path. `speed`: of the trace's time; `None`:
    no waiting. `patience_sec`: how much longer than in the trace the client may take before it is
    told that something of it is missing.

    Lock order: `lock` -> queue lock of the peer, findings.
    """

    def __init__(
        self,
        peer: WsPeer,
        connection: Connection,
        script: Script,
        findings: Findings,
        *,
        lock: threading.Lock,
        speed: Optional[float],
        patience_sec: float,
    ) -> None:
        self._peer = peer
        self._connection = connection
        self._findings = findings
        self._speed = speed
        self._patience_sec = patience_sec
        # Guards everything below. Called by the reader and the clock; queues messages, never waits.
        self._lock = lock
        self._script = script
        self._over = False
        self._timer: Optional[Timer] = None
        self._active = time.monotonic()  # when the client or the service last did something

    # --- the service

    def opened(self) -> None:
        """Play what comes before any message of the client."""
        with self._lock:
            # on the clock's thread, because the lock is held by another connection then
            self._script.released = partial(self._peer.clock.after, 0, self._wake)
            self._play()
        self._findings.tell()

    def text(self, text: str) -> None:
        """Handle one text message."""
        try:
            content = read_json(text) if text else ""
        except ValueError:
            content = text
        self._peer.received(content if text else {"end": True}, len(text.encode()))
        self._take(content)

    def binary(self, data: bytes) -> None:
        """Handle one binary message."""
        self._take(Audio(len(data), ""))

    def closed(self) -> None:
        """Stop playing; a client that ended before it had sent everything is a difference."""
        with self._lock:
            over, self._over = self._over, True
            if self._timer is not None:
                self._timer.cancel()
            heads = [] if over else self._script.heads()
            missing = next((each.missing for each in heads if each.missing), None)
            if missing is not None and missing.kind == "message":
                got = "the end of the connection"
                found = self._difference("connection", missing.line, missing.expected, got)
                self._findings.add(found)
        self._findings.tell()

    def terminate(self) -> None:
        """Do nothing: the trace says what ends when."""

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame for a fault, of the connection, and close."""
        with self._lock:
            self._fail(problem)

    @property
    def unplayed(self) -> Optional[int]:
        """First line of the trace that is still to be played, `None` if there is none.

        An end that the client came before is not.
        """
        with self._lock:
            ends = ("wait", "close", "cut", "freeze") if self._over else ("wait",)
            lines = [cue.line.number for cue in self._script.heads() if cue.act not in ends]
        return min(lines, default=None)

    # --- under the lock, but for `_take` and `_wake`

    def _take(self, content: Any) -> None:
        with self._lock:
            if self._over:
                return
            try:
                if self._script.take(content):
                    self._active = time.monotonic()
                    self._play()
            except Mismatch as found:
                self._differ(found.kind, found.line, found.expected, found.got, found.field)
        self._findings.tell()

    def _wake(self) -> None:
        with self._lock:
            if not self._over:
                self._play()
        self._findings.tell()

    def _play(self) -> None:
        """Play every cue that is due, and set the timer for the next one."""
        now = time.monotonic()
        since = now
        while not self._over:
            heads = self._script.heads()
            for cue in heads:
                if cue.due is None and cue.ready:
                    cue.due = since + self._delay(cue)
            due = [cue for cue in heads if cue.due is not None and cue.due <= now]
            if not due:
                self._wait(heads, now)
                return
            for cue in due:
                # a successor's delay counts from when this one was due, or delays would add up
                since = cue.due or now
                self._perform(cue)
                self._active = now

    def _delay(self, cue: Cue) -> float:
        if self._speed is None:
            return 0.0
        return max(0.0, cue.line.clock - cue.after) / self._speed

    def _wait(self, heads: list[Cue], now: float) -> None:
        """Set the timer for the next cue; if the client is to act, for the end of patience."""
        times = [cue.due for cue in heads if cue.due is not None]
        if not times and heads:
            waited_in_trace = max(0.0, heads[0].line.clock - self._script.clock)
            times = [self._active + waited_in_trace + self._patience_sec]
            if times[0] <= now:
                self._give_up(heads[0])
                return
        if self._timer is not None:
            self._timer.cancel()
        if times:
            self._timer = self._peer.clock.after(max(0.0, min(times) - now), self._wake)

    def _perform(self, cue: Cue) -> None:
        peer, act = self._peer, cue.act
        self._script.played(cue)
        if act == "send":
            message = self._script.message(cue)
            if self._silent_next():
                # the writer freezes after it has sent this, and the client may ping before that
                peer.mute()
            self._send(message)
            return
        self._over = True
        if act == "close":
            peer.close(cue.line.code, cue.line.reason)
        elif act == "cut":
            peer.after_sent(peer.link.fin)
        else:
            peer.after_sent(peer.link.freeze)

    def _silent_next(self) -> bool:
        """Return whether the service goes silent now, without a delay."""
        return any(
            cue.act == "freeze" and cue.ready and not self._delay(cue)
            for cue in self._script.heads()
        )

    def _send(self, message: Any) -> None:
        if isinstance(message, bytes):
            self._peer.send_binary(message)
        elif isinstance(message, Mapping):
            self._peer.send(message)
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            self._peer.inject_message(text)

    # --- differences

    def _give_up(self, cue: Cue) -> None:
        missing = cue.missing
        if missing is None:
            self._differ("silence", cue.line.number, "the client to end the connection", None)
        else:
            self._differ("silence", missing.line, missing.expected, missing.got, missing.field)

    def _differ(
        self,
        kind: Kind,
        line: Optional[int],
        expected: Optional[str],
        got: Optional[str],
        field: Optional[str] = None,
    ) -> None:
        found = Differs(self._difference(kind, line, expected, got, field))
        self._findings.add(found.difference)
        self._fail(found.problem)

    def _difference(
        self,
        kind: Kind,
        line: Optional[int],
        expected: Optional[str],
        got: Optional[str],
        field: Optional[str] = None,
    ) -> Difference:
        return Difference(kind, self._connection.name, line, field, expected, got)

    def _fail(self, problem: Problem) -> None:
        """Send an error that every client of this path understands, and close."""
        self._over = True
        frame = problem.frame(new_request_id())
        if self._connection.path.startswith("/v1/"):  # a gateway's
            frame = {
                "type": "error",
                "code": problem.error_type,
                "message": problem.message,
                **frame,
            }
        self._peer.send(frame)
        self._peer.close(1000)
