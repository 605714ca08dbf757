"""Record of what a sandbox received and sent, for tests. It never contains a key."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .._support.locks import new_condition
from .._support.reprs import byte_size, counted, shortened, summary

__all__ = ["Entry", "Traffic", "TrafficLog"]

_KEPT = 5_000
# of a message in a repr: a list of entries is read, or printed by a test that fails
_SHOWN_CHARS = 120
# fields whose value is a secret, or may be one
_SECRET = frozenset({"api_key", "authorization", "x-slng-provider-key", "x-slng-key", "cookie"})


@dataclasses.dataclass(frozen=True, repr=False)
class Entry:
    """One message or event of a connection."""

    kind: str
    """`"stt"`, `"tts"` or `"rest"`."""
    connection: int
    """Number of the connection, counted from 1; 0 for a webhook."""
    direction: str
    """`"in"` (from the client), `"out"` or `"event"`."""
    message: Optional[Mapping[str, Any]]
    """Decoded JSON without keys, with audio replaced by its length in bytes.

    `None` for binary audio. The empty text frame that ends STT audio is `{"end": True}`. An event
    has its name in `message["event"]`: upgrade, open, close, close echo, end, closed, request,
    response or webhook. An upgrade has the zones and ids for a gateway under `headers`.
    """
    size: int
    """Bytes of the payload."""
    at: float
    """Seconds, on the clock of `time.monotonic()`."""

    def __repr__(self) -> str:
        message = "audio" if self.message is None else shortened(repr(self.message), _SHOWN_CHARS)
        where = f"{self.kind} {self.connection} {self.direction}:"
        return summary(self, where, message, byte_size(self.size) if self.size else "")


def without_keys(message: Any) -> Any:
    """Return a copy of a decoded message without anything that is or may be a key."""
    if isinstance(message, Mapping):
        return {
            name: without_keys(value)
            for name, value in message.items()
            if str(name).lower() not in _SECRET
        }
    if isinstance(message, list):
        return [without_keys(value) for value in message]
    return message


class Traffic:
    """Bounded record of a sandbox's traffic, with counters, written by the server. Thread-safe."""

    def __init__(self) -> None:
        # Guards everything below. Leaf.
        self.changed: threading.Condition = new_condition()
        self.entries: collections.deque[Entry] = collections.deque(maxlen=_KEPT)
        self.dropped: int = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self.peaks: collections.Counter[str] = collections.Counter()
        self.totals: collections.Counter[str] = collections.Counter()

    def add(self, kind: str, connection: int, direction: str, message: Any, size: int = 0) -> None:
        """Record one event of `size` bytes, without the keys in what was received."""
        # what the sandbox sends contains no key, and there is a lot of it
        clean = without_keys(message) if direction == "in" else message
        entry = Entry(kind, connection, direction, clean, size, time.monotonic())
        with self.changed:
            if len(self.entries) == _KEPT:
                self.dropped += 1
            self.entries.append(entry)
            self.changed.notify_all()

    def count(self, name: str, change: int) -> None:
        """Add `change` to one counter."""
        with self.changed:
            self.counts[name] += change
            self.peaks[name] = max(self.peaks[name], self.counts[name])
            if change > 0:
                self.totals[name] += change
            self.changed.notify_all()


class TrafficLog:
    """What a sandbox received and sent, and counts of what is active. Thread-safe.

    The latest 5,000 entries are kept. None of them contains a key.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def __repr__(self) -> str:
        # without the lock, under which a `predicate` is called
        entries, open_ = len(self._traffic.entries), self._traffic.counts["connections"]
        return summary(self, f"{entries} entries,", counted(open_, "open connection"))

    @property
    def counts(self) -> collections.Counter[str]:
        """How many of each are active now, by name.

        Names: `"connections"` (TCP), `"stt.connections"` and `"tts.connections"` (WebSockets),
        `"stt.streams"` and `"tts.streams"`.
        """
        return self._traffic.counts

    @property
    def peaks(self) -> collections.Counter[str]:
        """Highest values of `counts` so far, by name."""
        return self._traffic.peaks

    @property
    def totals(self) -> collections.Counter[str]:
        """How many of each there have been so far, by the names of `counts`."""
        return self._traffic.totals

    @property
    def dropped(self) -> int:
        """Number of old entries that were dropped to make room for new ones."""
        return self._traffic.dropped

    def entries(
        self,
        *,
        kind: Optional[str] = None,
        connection: Optional[int] = None,
        direction: Optional[str] = None,
    ) -> list[Entry]:
        """Return the entries that match, oldest first; `None` matches all."""
        with self._traffic.changed:
            return [
                entry
                for entry in self._traffic.entries
                if (kind is None or entry.kind == kind)
                and (connection is None or entry.connection == connection)
                and (direction is None or entry.direction == direction)
            ]

    def messages(
        self,
        *,
        kind: Optional[str] = None,
        connection: Optional[int] = None,
        direction: Optional[str] = "in",
    ) -> list[Mapping[str, Any]]:
        """Return the decoded messages that match, by default those received, oldest first."""
        found = self.entries(kind=kind, connection=connection, direction=direction)
        return [entry.message for entry in found if entry.message is not None]

    def audio_bytes(self, *, connection: Optional[int] = None) -> int:
        """Return how many bytes of audio were received in binary frames."""
        found = self.entries(connection=connection, direction="in")
        return sum(entry.size for entry in found if entry.message is None)

    def wait_for(
        self, predicate: Callable[[Entry], bool], *, timeout_sec: float = 10.0
    ) -> Optional[Entry]:
        """Wait for an entry, old or new, for which `predicate` is true, and return it.

        Returns `None` if there is none after `timeout_sec` seconds. `predicate` is called with the
        lock of the log held: it must not use the log.
        """

        def first() -> Optional[Entry]:
            return next((entry for entry in self._traffic.entries if predicate(entry)), None)

        with self._traffic.changed:
            return self._traffic.changed.wait_for(first, timeout_sec)

    def wait_until_idle(self, *, timeout_sec: float = 10.0) -> bool:
        """Wait until no connection is open; return False if some are after `timeout_sec` seconds.

        All kinds of connections count, including those kept alive for further requests.
        """

        def idle() -> bool:
            counts = self._traffic.counts.items()
            return not any(count for name, count in counts if name.endswith("connections"))

        with self._traffic.changed:
            return self._traffic.changed.wait_for(idle, timeout_sec)

    def clear(self) -> None:
        """Remove all entries; the counters are kept."""
        with self._traffic.changed:
            self._traffic.entries.clear()
            self._traffic.dropped = 0

    def __len__(self) -> int:
        with self._traffic.changed:
            return len(self._traffic.entries)
