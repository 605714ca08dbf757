"""The workloads: each runs in the client's process and returns named numbers."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence
from unittest import mock

from tests.bench import frames, usage
from tests.bench.clients.base import MULTI_IDS, Client, Closable, Speech

Numbers = Dict[str, float]

# the first frames of a connection are slowed by cold caches and sleeping cores
_WARM_UP = 5
_CONNECTS = 10
_IDLE_CONNECTIONS = 50


@contextlib.contextmanager
def _clocked(numbers: Numbers, units: int) -> Iterator[None]:
    """Measure wall time and the process's CPU time, in microseconds per unit."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    numbers["us"] = (time.perf_counter() - wall) / units * 1e6
    numbers["cpu_us"] = (time.process_time() - cpu) / units * 1e6


def run_speech(client: Client, url: str, count: int) -> Numbers:
    """Read ``count`` frames of audio through the iterator."""
    numbers: Numbers = {}
    with client.speech(url) as stream:
        with _clocked(numbers, count):
            stream.start()
            got = _drain(stream)
    _require(got, count)
    return numbers


def run_speeches(client: Client, url: str, count: int) -> Numbers:
    """Read five interleaved streams in five threads, one of them the caller's."""
    numbers: Numbers = {}
    got: List[int] = []
    with client.speeches(url, list(MULTI_IDS)) as streams:
        with _clocked(numbers, count * len(MULTI_IDS)):
            _start(streams)
            with _threads(streams[1:], lambda stream: got.append(_drain(stream))):
                got.append(_drain(streams[0]))
    _require(sum(got), count * len(MULTI_IDS))
    return numbers


def run_listening(client: Client, url: str, count: int, tokens: int, every_field: bool) -> Numbers:
    """Read ``count`` results and all their tokens."""
    numbers: Numbers = {}
    with client.listening(url) as session:
        with _clocked(numbers, count):
            session.send(b"\0\0")
            got = session.consume(every_field)
    _require(got, count * tokens)
    return numbers


def run_uplink(client: Client, url: str, count: int, size: int) -> Numbers:
    """Send ``count`` chunks of audio and wait until the server has counted them."""
    numbers: Numbers = {}
    audio = bytes(range(256)) * (size // 256)
    with client.listening(url) as session:
        with _clocked(numbers, count):
            for _ in range(count):
                session.send(audio)
            session.consume()
    return numbers


def run_traced(client: Client, url: str, count: int, tokens: int) -> Numbers:
    """Read ``count`` results with a trace to a file, without, and with a mere copy of them.

    Each twice, in turns. The copy is the floor of a trace: bytes to a file, unparsed.
    """
    from tests.bench.clients.ours import OurClient

    assert isinstance(client, OurClient)
    wall, cpu = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace.jsonl")
        for turn in ("off", "on", "copied", "copied", "on", "off"):
            numbers: Numbers = {}
            with (
                copying(turn == "copied"),
                client.listening(url, trace * (turn != "off")) as session,
            ):
                with _clocked(numbers, count):
                    session.send(b"\0\0")
                    got = session.consume()
            _require(got, count * tokens)
            wall[turn] += numbers["us"] / 2
            cpu[turn] += numbers["cpu_us"] / 2
        lines = Path(trace).read_bytes().count(b"\n")
    _require(int(lines > 2 * count), 1)
    return {
        "us": wall["on"],
        "cpu_us": cpu["on"],
        "ratio": wall["on"] / wall["off"],
        "cpu_ratio": cpu["on"] / cpu["off"],
        "cpu_floor": cpu["copied"] / cpu["off"],
    }


@contextlib.contextmanager
def copying(on: bool) -> Iterator[None]:
    """Have traces only append what was received to their file, and nothing of what is sent."""
    from soniox_sync.runtime.trace.trace import ConnectionTrace

    def received(self: Any, messages: List[Any]) -> Iterator[List[Any]]:
        descriptor = self.trace._output._open()
        os.write(descriptor, b"".join([payload for _, payload in messages]))
        yield messages

    with contextlib.ExitStack() as stack:
        if on:
            stack.enter_context(mock.patch.object(ConnectionTrace, "received", received))
            stack.enter_context(mock.patch.object(ConnectionTrace, "sent", lambda *_: None))
        yield


def run_latency(client: Client, url: str, busy: bool) -> Numbers:
    """Measure the time from the server's send to the loop's body, for frames on a schedule."""
    with spinning(busy), client.speech(url) as stream:
        gc.collect()
        stream.start()
        return _quantiles(_ages(stream))


def run_blocked(client: Client, url: str) -> Numbers:
    """Measure the same for one stream while another thread waits for a silent one."""
    with client.speeches(url, list(MULTI_IDS[:2])) as streams:
        gc.collect()
        _start(streams)
        with _threads(streams[:-1], _drain):
            return _quantiles(_ages(streams[-1]))


def run_connect(client: Client, url: str) -> Numbers:
    """Open connections one after the other."""
    client.tts_connection(url).close()
    times = []
    for _ in range(_CONNECTS):
        started = time.perf_counter()
        connection = client.tts_connection(url)
        times.append(time.perf_counter() - started)
        connection.close()
    return {"ms": sorted(times)[len(times) // 2] * 1e3}


def run_close(client: Client, url: str, polite_url: str) -> Numbers:
    """Close on a server that does not answer; count what a closed session leaves behind."""
    client.tts_connection(polite_url).close()
    numbers = {"tts_s": _close_sec(client.tts_connection(url))}
    before = usage.snapshot()
    numbers["stt_s"] = _close_sec(client.stt_connection(url))
    after = usage.settled(before)
    numbers["threads"] = after.threads - before.threads
    numbers["descriptors"] = after.descriptors - before.descriptors
    return numbers


def run_idle(client: Client, url: str) -> Numbers:
    """Open many idle connections; return the resources that each takes."""
    held = [client.tts_connection(url)]
    before = usage.snapshot()
    held += [client.tts_connection(url) for _ in range(_IDLE_CONNECTIONS)]
    after = usage.snapshot()
    for connection in held:
        connection.close()
    return {
        "threads": (after.threads - before.threads) / _IDLE_CONNECTIONS,
        "descriptors": (after.descriptors - before.descriptors) / _IDLE_CONNECTIONS,
        "rss_kb": (after.rss_kb - before.rss_kb) / _IDLE_CONNECTIONS,
    }


def run_flood(client: Client, url: str) -> Numbers:
    """Let the server send 150 MB to a stream that nobody reads; return the peak memory growth."""
    with client.speech(url) as stream:
        before = usage.snapshot()
        stream.start()
        peak = usage.peak_rss_kb()
        ended = _outcome(stream)
    return {"growth_mb": (peak - before.rss_kb) / 1024, "failed": ended}


def _outcome(stream: Speech) -> float:
    """Read the rest; return 1 if it ends with an error, as an overflow should."""
    try:
        _drain(stream)
    except Exception as exc:  # noqa: BLE001 - each client has its own error class
        print(f"the unread stream ended with {type(exc).__name__}: {exc}")
        return 1.0
    return 0.0


def _close_sec(connection: Closable) -> float:
    started = time.perf_counter()
    connection.close()
    return time.perf_counter() - started


def _start(streams: Sequence[Speech]) -> None:
    for stream in streams:
        stream.start()


def _drain(stream: Speech) -> int:
    count = 0
    for chunk in stream.chunks():
        if chunk:
            count += 1
    return count


def _ages(stream: Speech) -> List[int]:
    ages = []
    for chunk in stream.chunks():
        if chunk:
            ages.append(frames.age_ns(chunk))
    return ages[_WARM_UP:]


def _quantiles(ages: List[int]) -> Numbers:
    ages.sort()
    return {"p50_us": ages[len(ages) // 2] / 1e3, "p99_us": ages[int(len(ages) * 0.99)] / 1e3}


@contextlib.contextmanager
def _threads(streams: Sequence[Speech], target: Callable[[Speech], Any]) -> Iterator[None]:
    threads = [threading.Thread(target=target, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


@contextlib.contextmanager
def spinning(busy: bool) -> Iterator[Callable[[], float]]:
    """Keep a CPU-bound thread of pure Python running, if ``busy``.

    Yields a function that returns the CPU seconds it has taken.
    """
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(200))

    thread = threading.Thread(target=spin)
    if busy:
        thread.start()
    try:
        yield lambda: _cpu_sec(thread)
    finally:
        stop.set()
        if busy:
            thread.join()


def _cpu_sec(thread: threading.Thread) -> float:
    if thread.ident is None:
        return 0.0
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def _require(got: int, wanted: int) -> None:
    if got != wanted:
        raise RuntimeError(f"the client delivered {got} of {wanted}")


WORK: Dict[str, Callable[..., Numbers]] = {
    "speech": run_speech,
    "speeches": run_speeches,
    "listening": run_listening,
    "uplink": run_uplink,
    "traced": run_traced,
    "latency": run_latency,
    "blocked": run_blocked,
    "connect": run_connect,
    "close": run_close,
    "idle": run_idle,
    "flood": run_flood,
}
