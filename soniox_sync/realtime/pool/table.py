"""`SlotTable`: the connections and slots of a pool, and the callers that wait for a slot.

The table's lock is taken before any other and never held across I/O; reports of streams (mostly on
reader threads) take no other lock. Waiters are served in order.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable, Optional

from ..._support.locks import new_condition, new_lock
from ...errors import SonioxTimeoutError, StateError
from ...protocol.tts import MAX_STREAMS
from ...runtime import forks
from ...runtime.timeouts import CLOSE_TIMEOUT_SEC
from ...transport.deadline import Deadline, wait_for
from ...transport.latch import Latch
from ..tts.connection import SharedConnection
from .allowance import Allowance
from .slot import PooledConnection, Slot, closed_error

# the server closes a connection after 180 s without audio, whatever is sent (PROTOCOL 3.6): no
# stream starts on one that has been idle for longer than this, since it would race with the close
_FRESH_SEC = 150.0


class _Waiter:
    """One caller that waits for a slot."""

    def __init__(self) -> None:
        self.woken = Latch()  # to look whether it was granted, or may be later than it thought
        # Under the table's lock
        self.granted = False
        self.connection: Optional[PooledConnection] = None  # granted without one: the pool closed

    def grant(self, connection: Optional[PooledConnection]) -> None:
        """End the wait, once. Under the table's lock."""
        if not self.granted:
            self.connection = connection
            self.granted = True
        self.woken.set()


class SlotTable:
    """Connections and slots of one pool, and the queue of waiting callers. Thread-safe."""

    def __init__(
        self,
        open_connection: Callable[[], SharedConnection],
        max_connections: int,
        max_streams: int,
        now: Callable[[], float],
    ) -> None:
        # Immutable
        self._open_connection = open_connection
        self._max_connections = max_connections
        self._max_streams = max_streams
        self._now = now
        self._reset()
        forks.register(self._invalidate)

    def _reset(self) -> None:
        # Guards the fields below. Never held across I/O.
        self._lock = new_lock()
        self.connections: list[PooledConnection] = []
        self._waiters: deque[_Waiter] = deque()
        self.active: int = 0  # slots taken
        self._slots: dict[Slot, None] = {}  # those whose stream has started, in that order
        self._released = new_condition(self._lock)  # notified when a stream ends
        self.closed: bool = False
        self._allowance = Allowance(self._max_streams)

    def _invalidate(self) -> None:
        """Start over empty in a forked child: connections and streams belong to the parent."""
        closed = self.closed
        self._reset()
        self.closed = closed

    # -- taking and releasing --------------------------------------------------------------------

    def take(self, wait_sec: Optional[float]) -> tuple[PooledConnection, list[PooledConnection]]:
        """Wait in turn for a slot; return its connection, and connections retired meanwhile."""
        deadline = Deadline(wait_sec)
        waiter = _Waiter()
        retired: list[PooledConnection] = []
        with self._lock:
            self._check_open()
            self._waiters.append(waiter)
            pause_sec = self._look(retired)
        try:
            while not waiter.granted:
                if deadline.passed:
                    raise SonioxTimeoutError(f"no slot became free in the pool {deadline.within}")
                known = [sec for sec in (deadline.remaining(), pause_sec) if sec is not None]
                wait_for(waiter.woken, Deadline(min(known, default=None)))
                with self._lock:
                    waiter.woken.clear()
                    pause_sec = self._look(retired)  # the pause after a refusal may be over
        except BaseException:
            self._stop_waiting(waiter)
            raise
        if waiter.connection is None:
            raise closed_pool_error()
        return waiter.connection, retired

    def _look(self, retired: list[PooledConnection]) -> Optional[float]:
        """Serve the waiters; return how much longer the pause after a refusal lasts.

        Under the lock. `None`: there is none. One look at the clock for both: a pause that ended
        in between would be the end of nobody's wait.
        """
        now = self._now()
        retired += self._serve(now)
        pause_sec = self._allowance.pause_until - now
        return pause_sec if pause_sec > 0 else None

    def _stop_waiting(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            granted = waiter.connection
        if granted is not None:  # it was granted at the same moment
            self.release(None, granted, received=False)

    def keep(self, slot: Slot) -> bool:
        """Keep a slot until its stream ends; return False if the pool is closed by now."""
        with self._lock:
            if not slot.is_free:
                self._slots[slot] = None
            return not self.closed

    def release(self, slot: Optional[Slot], connection: PooledConnection, received: bool) -> None:
        """Free a slot and serve waiters; `received`: the server had answered its stream."""
        with self._lock:
            connection.taken -= 1
            self.active -= 1
            if slot is not None:
                self._slots.pop(slot, None)
            if received:
                self._allowance.accepted()
            retired = self._serve(self._now())
            self._released.notify_all()
        close_aside(retired)

    def limit_exceeded(self) -> None:
        """Record that the account allows no more streams than there are."""
        with self._lock:
            self._allowance.refused(self.active, self._now())
            for waiter in self._waiters:
                waiter.woken.set()  # they wait for a slot alone, and must also wait for the pause

    def _serve(self, now: float) -> list[PooledConnection]:
        """Grant slots to waiters, in order; return retired connections. Under the lock."""
        retired: list[PooledConnection] = []
        while self._waiters and self._allowance.permits(self.active, now):
            if self._waiters[0].granted:  # Ctrl-C struck before it was removed
                self._waiters.popleft()
                continue
            retired += self._prune()
            connection = self._choose()
            if connection is None:
                break
            connection.taken += 1
            self.active += 1
            self._waiters[0].grant(connection)
            self._waiters.popleft()
        return retired

    def _choose(self) -> Optional[PooledConnection]:
        """Return the least used connection with room, or add one. Under the lock."""
        with_room = [c for c in self.connections if c.taken < MAX_STREAMS and self._is_fresh(c)]
        if with_room:
            return min(with_room, key=lambda connection: connection.taken)
        if len(self.connections) < self._max_connections:
            return self._add()
        return None

    def _add(self) -> PooledConnection:
        connection = PooledConnection(self._open_connection(), self._now)
        self.connections.append(connection)
        return connection

    def _is_fresh(self, connection: PooledConnection) -> bool:
        return self._now() - connection.fresh_at < _FRESH_SEC

    def _prune(self) -> list[PooledConnection]:
        """Remove unused connections that are too old, and return them. Under the lock."""
        old = [c for c in self.connections if not c.taken and not self._is_fresh(c)]
        self.connections = [each for each in self.connections if each not in old]
        return old

    def at_least(self, count: int) -> list[PooledConnection]:
        """Return `count` connections, adding missing ones up to the pool's limit."""
        count = min(count, self._max_connections)
        with self._lock:
            self._check_open()
            self._prune()
            while len(self.connections) < count:
                self._add()
            return self.connections[:count]

    def connected(self) -> int:
        """Return the number of open connections."""
        with self._lock:
            return sum(each.shared.is_connected for each in self.connections)

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open. Takes no lock: the garbage collector asks in any thread."""
        return any(each.shared.is_connected for each in self.connections)

    def _check_open(self) -> None:
        if self.closed:
            raise closed_pool_error()

    # -- end -------------------------------------------------------------------------------------

    def close(self, drain_sec: float, close_sec: float) -> None:
        """Drain for `drain_sec`, then close the connections within about `close_sec`."""
        try:
            with self._lock:
                self._close_to_callers()
                slots = list(self._slots)
            for slot in slots:
                slot.cancel_unused()
            self._drain(Deadline(drain_sec))
            self._close_connections(close_sec)
        except BaseException:  # Ctrl-C at any point: no connection must outlive the call
            self._close_connections(0.0)
            raise

    def _close_connections(self, close_sec: float) -> None:
        with self._lock:
            self._close_to_callers()  # again, if Ctrl-C struck in it
            slots, connections = list(self._slots), list(self.connections)
        for slot in slots:
            slot.give_up(closed_error())
        _close_all(connections, close_sec)
        with self._lock:
            self.connections = []  # not before: those that Ctrl-C left open are closed at once

    def _close_to_callers(self) -> None:
        """Start no more streams, and let the waiting callers know. Under the lock."""
        self.closed = True
        while self._waiters:
            self._waiters[0].grant(None)
            self._waiters.popleft()

    def _drain(self, deadline: Deadline) -> None:
        with self._lock:
            while sum(slot.is_worth_waiting() for slot in self._slots):  # not any(): updates all
                if deadline.passed:
                    return
                # in slices: to notice a silent writer, and because Ctrl-C may not end a wait
                self._released.wait(deadline.at_most(0.2))


def closed_pool_error() -> StateError:
    """Return the error for using a closed pool."""
    return StateError("the pool was closed by close(): make a new one")


def close_aside(connections: list[PooledConnection]) -> None:
    """Close retired connections on a separate thread: it takes 2 s if the peer is dead."""

    def close() -> None:
        for each in connections:
            each.shared.close(CLOSE_TIMEOUT_SEC)

    if connections:
        threading.Thread(target=close, name="soniox-pool-retire", daemon=True).start()


def _close_all(connections: list[PooledConnection], wait_sec: float) -> None:
    """Close connections in parallel, so that the waits for dead peers do not add up."""
    deadline = Deadline(wait_sec)
    threads: list[threading.Thread] = []
    here: list[SharedConnection] = []
    for each in connections:
        shared = each.shared
        # a connection whose handler is the caller must be closed by this thread, as it recognises
        # it; without a wait there is nothing to do in parallel
        if not wait_sec or len(connections) == 1 or shared.runs_caller:
            here.append(shared)
            continue
        thread = threading.Thread(
            target=shared.close, args=(wait_sec,), name="soniox-pool-close", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no more threads
            here.append(shared)
        else:
            threads.append(thread)
    for shared in here:
        shared.close(deadline.at_most(wait_sec))
    for thread in threads:
        thread.join(deadline.remaining())
