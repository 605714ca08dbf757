"""The rows of the table: their workloads, metrics and goals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple

OFFICIAL, FLOOR, VALUE = "/ official", "above floor", ""


@dataclass(frozen=True)
class Goal:
    """Upper limit of the value, of its ratio to official, or of its distance from the floor."""

    against: str
    limit: float

    def text(self, unit: str) -> str:
        """Return the goal as the table prints it."""
        if self.against == OFFICIAL:
            return f"<= {self.limit:.2f} {OFFICIAL}"
        sign = "+" if self.against == FLOOR else ""
        return f"<= {sign}{self.limit:g} {unit}".rstrip()


@dataclass(frozen=True)
class Metric:
    """One number that a workload measures."""

    key: str
    label: str
    unit: str
    plain: Optional[Goal] = None
    fast: Optional[Goal] = None

    @property
    def comparable(self) -> bool:
        """Whether ratios between clients make sense: for times, not for counts."""
        return self.unit in ("us", "us/frame", "ms")


@dataclass(frozen=True)
class Row:
    """One workload, run by every client in every round."""

    key: str
    label: str
    work: str
    metrics: Tuple[Metric, ...]
    scheme: str = "ws"
    scenario: str = ""
    count: int = 0  # frames; part of the scenario's path and of the workload's options
    size: int = 0
    interval_us: int = 0
    options: Tuple[Tuple[str, Any], ...] = ()
    rounds: int = 1_000  # at most; slow rows have fewer
    fresh: bool = False  # run in a new process
    counted: bool = True  # the workload has the option ``count``
    sized: bool = False  # the workload has the option ``size``
    also_tls: bool = False  # ``--tls`` adds the row over wss
    ours: bool = False  # only this library has what it measures

    def path(self) -> str:
        """Return the path of this row's scenario on the fake server."""
        return f"/{self.scenario}/{self.count}/{self.size}/{self.interval_us}"

    def keywords(self) -> Dict[str, Any]:
        """Return the options of the workload, without the URL."""
        options = dict(self.options)
        if self.counted:
            options["count"] = self.count
        if self.sized:
            options["size"] = self.size
        return options


def _per_frame(plain: Optional[float], fast: Optional[float]) -> Tuple[Metric, ...]:
    return (Metric("us", "", "us/frame", _ratio(plain), _ratio(fast)),)


def _ratio(limit: Optional[float]) -> Optional[Goal]:
    return None if limit is None else Goal(OFFICIAL, limit)


def _same(against: str, limit: float) -> Dict[str, Goal]:
    return {"plain": Goal(against, limit), "fast": Goal(against, limit)}


def _speech(key: str, label: str, scheme: str, size: int, count: int, *goals: float) -> Row:
    metrics = _per_frame(*goals) if goals else _per_frame(None, None)
    return Row(key, label, "speech", metrics, scheme, "tts", count, size)


def _speeches(scheme: str, plain: float, fast: float) -> Row:
    label = f"5 interleaved TTS streams, 5 consumers, {scheme}"
    metrics = _per_frame(plain, fast)
    return Row(f"multi-{scheme}", label, "speeches", metrics, scheme, "multi", 600, 9_600)


def _listening(
    key: str, label: str, every_field: bool, plain: Optional[float], fast: Optional[float]
) -> Row:
    return Row(
        key,
        label,
        "listening",
        _per_frame(plain, fast),
        scenario="stt",
        count=2_000,
        size=20,
        options=(("tokens", 20), ("every_field", every_field)),
        also_tls=not every_field,
    )


def _latency(key: str, label: str, busy: bool, interval_us: int, count: int) -> Row:
    goals = {"plain": Goal(FLOOR, 60.0), "fast": Goal(FLOOR, 50.0)} if not busy else {}
    return Row(
        key,
        label,
        "latency",
        (Metric("p50_us", "p50", "us", **goals), Metric("p99_us", "p99", "us")),
        scenario="paced",
        count=count,
        size=9_600,
        interval_us=interval_us,
        options=(("busy", busy),),
        counted=False,
        rounds=6,
        also_tls=not busy,
    )


def _connect(scheme: str) -> Row:
    metrics = (Metric("ms", "", "ms"),)
    return Row(
        f"connect-{scheme}", f"connect, {scheme}", "connect", metrics, scheme, "idle", counted=False
    )


def _idle(scheme: str, rss_kb: float) -> Row:
    metrics = (
        Metric("threads", "threads", "", **_same(VALUE, 1)),
        Metric("descriptors", "descriptors", "", **_same(VALUE, 1)),
        Metric("rss_kb", "resident memory", "KB", **_same(VALUE, rss_kb)),
    )
    label = f"idle connection, {scheme}"
    return Row(
        f"idle-{scheme}",
        label,
        "idle",
        metrics,
        scheme,
        "idle",
        counted=False,
        rounds=3,
        fresh=True,
    )


_BLOCKED = Row(
    "hol",
    "TTS event while another stream on the socket is silent",
    "blocked",
    (
        Metric("p50_us", "p50", "us"),
        Metric("p99_us", "p99", "us", **_same(VALUE, 1_000)),
    ),
    scenario="blocked",
    count=250,
    size=9_600,
    interval_us=10_000,
    counted=False,
    rounds=3,
    also_tls=True,
)

# close() is documented to take about 2 s; the rest is for waking up
_CLOSE_SEC = 2.1

_CLOSE = Row(
    "close",
    "close on a silent server",
    "close",
    (
        Metric("tts_s", "TTS connection", "s", **_same(VALUE, _CLOSE_SEC)),
        Metric("stt_s", "STT session", "s", **_same(VALUE, _CLOSE_SEC)),
        Metric("threads", "STT, threads left", "", **_same(VALUE, 0)),
        Metric("descriptors", "STT, descriptors left", "", **_same(VALUE, 0)),
    ),
    scenario="silent",
    counted=False,
    rounds=1,
    fresh=True,
)

_IMPORT = Row(
    "import",
    "import",
    "import",
    (
        Metric("total_ms", "total", "ms"),
        Metric("own_ms", "without the standard library's part", "ms", **_same(VALUE, 15)),
        Metric("requests", "`requests` imported", "", **_same(VALUE, 0)),
        Metric("ready_ms", "and both real-time namespaces touched", "ms"),
    ),
    rounds=7,
)

_FLOOD = Row(
    "flood",
    "150 MB sent to a sleeping consumer",
    "flood",
    (
        Metric("growth_mb", "memory growth", "MiB", **_same(VALUE, 64)),
        Metric("failed", "ends in an error", ""),
    ),
    scenario="tts",
    count=15_625,
    size=9_600,
    counted=False,
    rounds=1,
    fresh=True,
)

ROWS: Tuple[Row, ...] = (
    _speech("tts-ws", "TTS frame of 9,600 B PCM, ws", "ws", 9_600, 3_000, 0.60, 0.25),
    _speech("tts-wss", "TTS frame of 9,600 B PCM, wss", "wss", 9_600, 3_000, 0.70, 0.32),
    _speech("tts-32000", "TTS frame of 32,000 B PCM, ws", "ws", 32_000, 1_000),
    _speeches("ws", 0.60, 0.30),
    _speeches("wss", 0.68, 0.38),
    _listening("stt", "STT frame of 20 tokens, to objects", False, 0.65, 0.45),
    _listening("stt-fields", "the same, every field read", True, None, None),
    Row(
        "trace",
        "STT frame of 20 tokens, traced to a file",
        "traced",
        (
            Metric("us", "", "us/frame"),
            Metric("ratio", "with / without trace", ""),
            Metric("cpu_ratio", "the same, CPU time", "", Goal(VALUE, 1.30), Goal(VALUE, 1.45)),
            Metric("cpu_floor", "copied to a file / not, CPU time", ""),
        ),
        scenario="stt",
        count=2_000,
        size=20,
        options=(("tokens", 20),),
        ours=True,
    ),
    Row(
        "uplink",
        "uplink frame of 3,840 B",
        "uplink",
        _per_frame(2.2, 1.1),
        scenario="uplink",
        count=3_000,
        size=3_840,
        sized=True,
        also_tls=True,
    ),
    _latency("latency", "latency, server to the user's loop", False, 4_000, 150),
    _latency("busy", "the same beside a CPU-bound thread", True, 20_000, 60),
    _BLOCKED,
    _connect("ws"),
    _connect("wss"),
    _CLOSE,
    _idle("ws", 45),
    _idle("wss", 85),
    _IMPORT,
    _FLOOD,
)


def choose(words: List[str], tls: bool) -> List[Row]:
    """Return the rows whose key is, or starts with, one of the words; all rows without words."""
    rows = list(ROWS)
    if tls:
        rows += [_over_tls(row) for row in ROWS if row.also_tls]
    return [
        row for row in rows if not words or any(f"{row.key}-".startswith(f"{w}-") for w in words)
    ]


def _over_tls(row: Row) -> Row:
    bare = tuple(replace(metric, plain=None, fast=None) for metric in row.metrics)
    return replace(row, key=f"{row.key}-wss", label=f"{row.label}, wss", scheme="wss", metrics=bare)


def quick(row: Row) -> Row:
    """Return a cheaper version of the row: the same workload with fewer frames and rounds."""
    light = row.work in ("speech", "speeches", "listening", "uplink", "traced", "latency")
    count = max(40, row.count // 3) if light else row.count
    return replace(row, count=count, rounds=min(row.rounds, 3))
