"""Known races, planted in the library's source in memory: the simulation must find each.

The first ones are faults of the kinds that threads invite: a lock left out or taken against the
order, a check outside its lock, a notification left out, a close without the reader's end, two
owners of a field. The others are what the simulation itself found; planting them again is their
regression test.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from . import loading
from .loading import Patch
from .runner import Result, prepare, run_one
from .scenarios import scenario

# each is found within so many seeds
WITHIN = 1000


class Race(NamedTuple):
    """A race: where it shows, and a seed that shows it."""

    name: str
    scenario: str
    seed: int
    patches: tuple[Patch, ...]


def _race(name: str, where: str, seed: int, module: str, *changes: str) -> Race:
    """Make a race of texts in one module and what replaces them, in turn."""
    pairs = zip(changes[::2], changes[1::2])
    patches = tuple(Patch(f"{loading.PACKAGE}.{module}", old, new) for old, new in pairs)
    return Race(name, where, seed, patches)


RACES = (
    _race(
        "two owners of what is left over: a send without the send lock",
        "session",
        48,
        "transport.sender",
        "        if not (self._lock.acquire(blocking=False) or acquire(self._lock, deadline)):\n",
        "        self._lock = threading.Lock()\n"
        "        if not (self._lock.acquire(blocking=False) or acquire(self._lock, deadline)):\n",
    ),
    _race(
        "a session whose state is decided outside its lock",
        "ends",
        36,
        "realtime.stt.core",
        "        with self._lock:\n            if self.state.is_over:\n                return\n"
        "            self.error = error\n",
        "        if self.state.is_over:\n            return\n        with self._lock:\n"
        "            self.error = error\n",
    ),
    _race(
        "a close that only the reader's peer could notice",
        "session",
        419,
        "runtime.connection",
        "        finally:  # also after Ctrl-C, when nobody waits for the peer\n"
        "            if not self.closed.is_set():\n                self.abort()\n",
        "        finally:\n            pass\n",
    ),
    _race(
        "a reader that closes the descriptor without shutting it down",
        "session",
        50,
        "transport.sockets",
        "        with self._fd_lock:\n            shut_down(self._sock)\n",
        "        with self._fd_lock:\n            self._sock.close()\n",
    ),
    _race(
        "a clock thread that is not woken for an earlier timer",
        "clock",
        0,
        "runtime.clock",
        "                changed.notify()\n            heapq.heappush",
        "                pass\n            heapq.heappush",
    ),
    _race(
        "a clock whose last timer is counted outside its lock",
        "clock",
        32,
        "runtime.clock",
        "            self._heap.clear()\n            self._thread = None\n"
        "            return None\n",
        "            pass\n        self._heap.clear()\n        self._thread = None\n"
        "        return None\n",
    ),
    _race(
        "a callback thread that ends before what was posted has run",
        "callbacks",
        15,
        "runtime.delivery",
        "                with self._lock:\n                    if self._jobs.empty():"
        "  # what was posted after stop() has run, too\n"
        "                        self._thread = None\n                        return\n",
        "                self._thread = None\n                return\n",
    ),
    _race(
        "a lock taken against the order",
        "session",
        16,
        "realtime.stt.core",
        "        self._send(what, lambda: self._make_control(what, message))\n",
        "        with self._lock:\n"
        "            self.connection.send(lambda: encode_frame(TEXT, message.encode()))\n",
    ),
    _race(
        "a lock that stays held in a forked child",
        "forking",
        1,
        "runtime.delivery",
        "        # Guards the fields below. Held for assignments and puts only. Leaf.\n"
        "        self._lock = new_lock()\n",
        "        self._lock = threading.Lock()\n",
    ),
    # found by the simulation
    _race(
        "a stream that ends between its connection and its reader, and never in a forked child",
        "forking",
        1,
        "realtime.tts.stream",
        "        self.carrier: Carrier\n        forks.register(self._invalidate)\n",
        "        self.carrier: Carrier\n",
    ),
    _race(
        "a transcription that a thread of the parent's was about to start",
        "forking",
        70,
        "realtime.recording.transcription",
        "        self._is_started = self._recording.state is not RecordingState.IDLE\n",
        "        pass\n",
    ),
    _race(
        "an end that Ctrl-C keeps from the consumer of a session",
        "session",
        3209,
        "realtime.stt.session",
        "        self._outlet.delivery.end(error)  # does nothing after an earlier end\n"
        "        self._outlet.events",
        "        self._outlet.events",
    ),
    _race(
        "ends of streams that Ctrl-C keeps from their consumers",
        "connection",
        206,
        "realtime.tts.multiplexer",
        "        self._report_ends()\n",
        "",
    ),
    _race(
        "a chunk that is heard although those before it were discarded",
        "connection",
        950,
        "runtime.delivery",
        "                if not self._dropped:  # else drop() has discarded those before it:"
        " the end follows\n",
        "                if True:\n",
    ),
    _race(
        "callers that do not know of the pause after a refusal",
        "pool",
        31,
        "realtime.pool.table",
        "                waiter.woken.set()  # they wait for a slot alone, and must also wait for"
        " the pause\n",
        "                pass\n",
    ),
    _race(
        "an event that Ctrl-C leaves locked",
        "speech",
        168,
        "realtime.speech.texts",
        "        self._stopped = Latch()\n",
        "        self._stopped = threading.Event()\n",
    ),
    _race(
        "what a thread of the parent's was about to have done by a recording's pump",
        "forking",
        502,
        "realtime.recording.pump",
        "        self.is_enabled = False\n        self._handed = None\n",
        "        self.is_enabled = False\n",
    ),
    _race(
        "a stop that does not wait for the handler that runs",
        "sources",
        44,
        "sources.duplex",
        "            self._changed.wait_for(self._is_quiet, _HANDLER_SEC)\n",
        "",
    ),
    _race(
        "a start after the end that makes stop() forget the last handler",
        "sources",
        303,
        "sources.threaded",
        "        if before is not None:\n            _join(before)\n",
        "",
    ),
)


def found_by(race: Race, seed: int) -> Optional[Result]:
    """Run one seed with a race planted, which `load()` has done; return the failure or `None`."""
    result = run_one(race.scenario, scenario(race.scenario), seed, reload=False)
    return result if result.failure is not None else None


def report(anew: bool) -> int:
    """Look for every race, from its seed on or anew from 0; return 1 if one is missed.

    A change of the library moves its schedules: then a race is found later than at its seed.
    """
    loading.load()
    prepare()
    missed = 0
    for race in RACES:
        first = 0 if anew else race.seed
        loading.load(race.patches)
        tries = (found_by(race, seed) for seed in range(first, first + WITHIN))
        result = next(filter(None, tries), None)
        if result is None or result.failure is None:
            missed += 1
            print(f"NOT FOUND within {WITHIN} seeds: {race.name}")
        else:
            print(f"{race.name}: {race.scenario} seed {result.seed}, {result.failure.kind}")
    print(f"{len(RACES) - missed} of {len(RACES)} races found")
    return 1 if missed else 0
