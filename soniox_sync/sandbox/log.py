"""What a sandbox received and sent, kept for tests to look at. No key is ever in it."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable, Optional

__all__ = ["Entry", "TrafficLog"]

_KEPT = 5_000
# fields whose value is a secret, or may be one
_SECRET = frozenset({"api_key", "authorization", "x-slng-provider-key", "x-slng-key", "cookie"})


@dataclasses.dataclass(frozen=True)
class Entry:
    """Is one event of a connection; the empty text frame that ends STT audio is `{"end": True}`.

    `kind`: `"stt"`, `"tts"` or `"rest"`. `connection` counts the sandbox's connections from 1.
    `direction`: `"in"` (from the client), `"out"`, or `"event"`, of which `message["event"]` says
    what: upgrade, open, close, end, closed, request, response. `message` is the decoded JSON
    without keys, with audio replaced by its length in bytes; `None` for binary audio. `size` is
    the payload's length in bytes, `at` the monotonic time in seconds.
    """

    kind: str
    connection: int
    direction: str
    message: Optional[Mapping[str, Any]]
    size: int
    at: float


def without_keys(message: Any) -> Any:
    """Copy a decoded message, leaving out everything that is or may be a key."""
    if isinstance(message, Mapping):
        return {
            name: without_keys(value)
            for name, value in message.items()
            if str(name).lower() not in _SECRET
        }
    if isinstance(message, list):
        return [without_keys(value) for value in message]
    return message


class TrafficLog:
    """Is the bounded record of a sandbox's traffic, and its counters. Thread-safe.

    The newest 5,000 entries are kept; `dropped` counts the older ones that made room.
    Counters: `counts["stt.connections"]`, `counts["stt.streams"]` and so on are those active
    now; `peaks` their highest values; `totals` how many there ever were.
    """

    def __init__(self) -> None:
        # Guards everything below. Leaf.
        self._changed = threading.Condition()
        self._entries: collections.deque[Entry] = collections.deque(maxlen=_KEPT)
        self.dropped = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self.peaks: collections.Counter[str] = collections.Counter()
        self.totals: collections.Counter[str] = collections.Counter()

    def add(self, kind: str, connection: int, direction: str, message: Any, size: int = 0) -> None:
        """Record one event of `size` bytes; keys are taken out here, whoever calls."""
        # what the sandbox itself says holds no key, and it says much
        clean = without_keys(message) if direction == "in" else message
        entry = Entry(kind, connection, direction, clean, size, time.monotonic())
        with self._changed:
            if len(self._entries) == _KEPT:
                self.dropped += 1
            self._entries.append(entry)
            self._changed.notify_all()

    def count(self, name: str, change: int) -> None:
        """Move one counter up or down."""
        with self._changed:
            self.counts[name] += change
            self.peaks[name] = max(self.peaks[name], self.counts[name])
            if change > 0:
                self.totals[name] += change
            self._changed.notify_all()

    def entries(
        self,
        *,
        kind: Optional[str] = None,
        connection: Optional[int] = None,
        direction: Optional[str] = None,
    ) -> list[Entry]:
        """Give the entries that match, oldest first."""
        with self._changed:
            return self._matching(kind, connection, direction)

    def messages(
        self,
        *,
        kind: Optional[str] = None,
        connection: Optional[int] = None,
        direction: Optional[str] = "in",
    ) -> list[Mapping[str, Any]]:
        """Give the decoded messages that match, by default those received, oldest first."""
        found = self.entries(kind=kind, connection=connection, direction=direction)
        return [entry.message for entry in found if entry.message is not None]

    def audio_bytes(self, *, connection: Optional[int] = None) -> int:
        """Add up the audio received in binary frames."""
        found = self.entries(connection=connection, direction="in")
        return sum(entry.size for entry in found if entry.message is None)

    def wait_for(
        self, predicate: Callable[[Entry], bool], *, timeout_sec: float = 10.0
    ) -> Optional[Entry]:
        """Wait for an entry, old or new, that fulfils `predicate`; `None` when none came.

        At most `timeout_sec` seconds.
        """
        found: list[Entry] = []

        def look() -> bool:
            found[:] = [entry for entry in self._entries if predicate(entry)][:1]
            return bool(found)

        with self._changed:
            self._changed.wait_for(look, timeout_sec)
        return found[0] if found else None

    def wait_until_idle(self, *, timeout_sec: float = 10.0) -> bool:
        """Wait until no connection is open; False when some still are after `timeout_sec`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: (
                    not any(
                        value for name, value in self.counts.items() if name.endswith("connections")
                    )
                ),
                timeout_sec,
            )

    def clear(self) -> None:
        """Forget the entries; the counters go on."""
        with self._changed:
            self._entries.clear()
            self.dropped = 0

    def __len__(self) -> int:
        with self._changed:
            return len(self._entries)

    def _matching(
        self, kind: Optional[str], connection: Optional[int], direction: Optional[str]
    ) -> list[Entry]:
        return [
            entry
            for entry in self._entries
            if (kind is None or entry.kind == kind)
            and (connection is None or entry.connection == connection)
            and (direction is None or entry.direction == direction)
        ]
