"""The loads that are compared, their sizes and goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

CLIENTS = ("plain", "fast", "official", "asyncio", "floor", "hand-off", "objects")
_LIBRARIES = CLIENTS[:4]  # the floors only have sessions
OURS = ("plain", "fast")
SIZES = (1, 20, 60, 200)


@dataclass(frozen=True)
class Case:
    """One load, as the table names it."""

    name: str
    label: str
    load: str
    clients: Tuple[str, ...] = _LIBRARIES
    bare: Optional[str] = None  # case of the same client that it is compared with
    theirs: Optional[str] = None  # case of the official SDK that it is compared with
    busy: bool = False
    traced: bool = False
    sizes: Optional[Tuple[int, ...]] = None  # where only these are of interest


@dataclass(frozen=True)
class Goal:
    """Upper limit of a metric, or of its ratio to another case or client."""

    case: str
    client: str
    size: int
    metric: str
    against: str  # "bare", "official", "asyncio", or "" for the value
    limit: float


CASES = (
    Case("stt", "live session, stt()", "stt", CLIENTS, theirs="stt"),
    Case("transcribe", "live recording, transcribe()", "transcribe", OURS, "stt", "stt"),
    Case("traced", "live session with trace= to a file", "stt", OURS, "stt", "stt", traced=True),
    Case("tts", "stream on a connection of its own, tts()", "tts", theirs="tts"),
    Case("speak", "speech, speak()", "speak", OURS, "tts", "tts"),
    Case("pool", "streams of a pool", "pool", bare="tts", theirs="pool"),
    Case("busy", "stt() beside a CPU-bound thread", "stt", theirs="busy", busy=True, sizes=(20,)),
)

# with their reasons, and what they were at first, in docs/performance.rst
GOALS = (
    Goal("transcribe", "plain", 60, "cpu_us", "bare", 1.30),
    Goal("transcribe", "fast", 60, "cpu_us", "bare", 1.30),
    Goal("stt", "plain", 60, "cpu_us", "official", 0.95),
    Goal("stt", "fast", 60, "cpu_us", "official", 0.85),
    Goal("stt", "plain", 60, "cpu_us", "asyncio", 1.20),
    Goal("stt", "fast", 60, "cpu_us", "asyncio", 0.95),
    Goal("traced", "plain", 60, "cpu_us", "bare", 1.40),
    Goal("traced", "fast", 60, "cpu_us", "bare", 1.40),
    Goal("transcribe", "fast", 200, "p99_ms", "", 20.0),
)

Numbers = Dict[str, float]
Key = Tuple[str, str, int]  # case, client, number of consumers
Round = Dict[Key, Numbers]


def keys(cases: Sequence[Case], clients: Sequence[str], size: int) -> List[Key]:
    """Return what is measured with this many consumers."""
    return [
        (case.name, client, size)
        for case in cases
        if case.sizes is None or size in case.sizes
        for client in case.clients
        if client in clients
    ]


def case(name: str) -> Case:
    """Return a case by its name."""
    return next(each for each in CASES if each.name == name)
