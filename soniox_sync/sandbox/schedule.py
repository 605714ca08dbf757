"""Schedule of faults: which connections each one hits, when, and what it does there.

Users schedule through `Faults`; the server claims the faults of each new connection or request.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Protocol

from .._support.locks import new_lock
from .._support.reprs import counted, summary
from .problems import Problem

if TYPE_CHECKING:
    from .server.link import Link

__all__ = [
    "COUNTERS",
    "Action",
    "Fault",
    "FaultSchedule",
    "Moment",
    "Refusal",
    "ScheduledFault",
    "Selection",
    "Target",
]

# what a moment can count, besides seconds
COUNTERS = ("bytes_in", "bytes_out", "frames_in", "frames_out", "audio_ms", "body_bytes")


class Target(Protocol):
    """Target of a fault: one WebSocket connection or one HTTP exchange."""

    @property
    def link(self) -> Link:
        """Socket under it."""

    def set_lag(self, sec: float) -> None:
        """Delay everything sent from now on by `sec` seconds."""

    def set_fragments(self, size: int) -> None:
        """Send messages in WebSocket frames of at most `size` bytes."""

    def stall(self) -> None:
        """Send no more data; pings are still answered."""

    def terminate(self) -> None:
        """End the running TTS streams with a bare `terminated`."""

    def send_problem(self, problem: Problem, stream: Optional[str], close: Optional[bool]) -> None:
        """Send an error frame as the service does."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame and perform the closing handshake."""

    def inject(self, data: bytes) -> None:
        """Send raw bytes."""

    def inject_message(self, text: str) -> None:
        """Send a text message that the service would not send."""

    def cut_body(self) -> None:
        """End a response body without its last chunk."""

    def end_body(self, trailers: Mapping[str, str]) -> None:
        """End a response body now, with trailers."""


Action = Callable[[Target], None]


class Moment(NamedTuple):
    """When a fault acts: at `mark` on a counter, one of `COUNTERS` or `"sec"`."""

    counter: str
    mark: float


@dataclasses.dataclass(frozen=True)
class Refusal:
    """HTTP response in place of the real one; `hang` means no response at all."""

    status: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    hang: bool = False


class Fault:
    """Handle on one scheduled fault, returned by the methods of `Faults`. Thread-safe.

    `name` is the method that scheduled it. `fired` is a `threading.Event`, set right before the
    fault first acts, so that it is set when the effect is visible. `connections` lists the numbers
    of the connections that it hit, in order.
    """

    def __init__(self, name: str, cancel: Callable[[Fault], None]) -> None:
        self.name = name
        self.fired: threading.Event = threading.Event()
        self.connections: list[int] = []
        self._cancel = cancel

    def cancel(self) -> None:
        """Hit no further connection; one that was hit already is still affected. Idempotent."""
        self._cancel(self)

    def __repr__(self) -> str:
        return summary(self, self.name, "fired", counted(len(self.connections), "time"))


@dataclasses.dataclass
class Selection:
    """Which connections a fault hits: `skip` matching ones pass first, then `times` are hit."""

    kind: Optional[str] = None
    path: Optional[str] = None
    skip: int = 0
    times: Optional[int] = 1

    def claim(self, kind: str, path: str) -> bool:
        """Return whether a new connection is hit, and count it if it matches."""
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


@dataclasses.dataclass(frozen=True)
class ScheduledFault:
    """Fault as the server sees it. `moment=None` means at once; a refusal has no action."""

    handle: Fault
    selection: Selection
    moment: Optional[Moment]
    action: Optional[Action]
    refusal: Optional[Refusal]

    def act(self, number: int, target: Optional[Target] = None) -> None:
        """Record that it hit connection `number`, and act on `target`, if it has an action."""
        self.handle.connections.append(number)
        self.handle.fired.set()
        if self.action is not None and target is not None:
            self.action(target)


class FaultSchedule:
    """Faults of one sandbox, in the order scheduled. Thread-safe."""

    def __init__(self) -> None:
        # Guards _faults and the counts of each selection. Leaf.
        self._lock = new_lock()
        self._faults: list[ScheduledFault] = []

    def add(
        self,
        name: str,
        selection: Selection,
        moment: Optional[Moment],
        action: Optional[Action] = None,
        refusal: Optional[Refusal] = None,
    ) -> Fault:
        """Schedule a fault, after the existing ones."""
        handle = Fault(name, self.cancel)
        with self._lock:
            self._faults.append(ScheduledFault(handle, selection, moment, action, refusal))
        return handle

    def cancel(self, handle: Fault) -> None:
        """Remove a fault, if it is still scheduled."""
        with self._lock:
            self._faults = [fault for fault in self._faults if fault.handle is not handle]

    def clear(self) -> None:
        """Remove every fault."""
        with self._lock:
            self._faults.clear()

    @property
    def num_pending(self) -> int:
        """Number of faults that may still hit a connection."""
        return sum(fault.selection.times != 0 for fault in self._faults)

    def claim(self, kind: str, path: str) -> list[ScheduledFault]:
        """Return the faults that hit a new connection or request, in the order scheduled."""
        with self._lock:
            return [fault for fault in self._faults if fault.selection.claim(kind, path)]
