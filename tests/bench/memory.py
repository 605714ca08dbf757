"""Measures the bytes that each object takes, and what long recordings hold.

Run as ``python -m tests.bench memory [--hours N] [--recordings N] [--quick]``. Bytes are those of
Python's allocators (``tracemalloc``), the difference that some dozens more of an object make;
resident memory also has threads' stacks and buffers of the system. Then a recording of ten hours is
sent as fast as it can be, with a result of 20 tokens for each quarter of a second, five of them
final, and after that sixty of an hour at once, these without ``tracemalloc``. What they hold is
printed at several points, with and without the final tokens that their transcripts keep.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
import tracemalloc
from typing import Any, Callable, Iterator, List, NamedTuple, Sequence

from soniox_sync import SonioxClient
from soniox_sync.protocol.stt import SttReceiver
from soniox_sync.protocol.tts import read_frame
from soniox_sync.transcript import Transcript
from tests.bench import frames, report, usage
from tests.bench.clients.ours import STT, TTS
from tests.bench.fleet import Child

_SECOND = bytes(32_000)  # of 16-bit audio at 16 kHz
_PERIOD_MS = 250  # the longest that a recording sends in one message
_HEAD = ("object", "bytes", "resident")


class Cost(NamedTuple):
    """Bytes of one object."""

    what: str
    traced: float
    resident: float


def cost(what: str, many: int, make: Callable[[], Any]) -> Cost:
    """Return what each of ``many`` objects takes, one of which exists before."""
    held = [make()]
    before, traced = usage.snapshot(), _traced()
    held += [make() for _ in range(many)]
    after, now = usage.snapshot(), _traced()
    del held
    return Cost(what, (now - traced) / many, (after.rss_kb - before.rss_kb) * 1024 / many)


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _held() -> int:
    return _traced() if tracemalloc.is_tracing() else usage.snapshot().rss_kb * 1024


def values() -> Iterator[Cost]:
    """Yield the costs of what a connection delivers."""
    receiver = SttReceiver()
    # behind the header of the frame
    result = frames.stt_result(20)[4:]
    yield cost(
        "result of 20 tokens, received", 500, lambda: receiver.receive(bytes(bytearray(result)))
    )
    # a token has its own dict, texts and numbers
    per_result = cost("", 500, lambda: receiver.receive(bytes(bytearray(result)))).traced
    yield Cost("one token of it", per_result / 20, 0)
    yield _transcript(receiver, result)
    audio = frames.tts_audio("b0", 9_600)[4:]
    yield cost("frame of 9,600 B of audio, waiting", 500, lambda: _audio_chunk(audio))


def _audio_chunk(payload: bytes) -> Any:
    frame = read_frame(bytes(bytearray(payload)))
    assert frame is not None
    return frame.chunk


def _transcript(receiver: SttReceiver, result: bytes) -> Cost:
    transcript, tokens = Transcript(), 5 * 500

    def add() -> None:
        for event in receiver.receive(bytes(bytearray(result))):
            transcript.add_event(event)

    added = cost("", 500, add)
    assert len(transcript) == tokens + 5
    return Cost("final token in a transcript", added.traced * 500 / tokens, 0)


def objects(url: str, many: int) -> Iterator[Cost]:
    """Yield the costs of what a program opens; each connection is closed in the end."""
    client = _client(url)
    yield cost("client", many, lambda: _client(url))
    opened: List[Any] = []

    def kept(thing: Any) -> Any:
        opened.append(thing)
        return thing

    try:
        yield cost("session, connected", many, lambda: kept(client.realtime.stt(**STT)))
        yield cost("connection for streams", many, lambda: kept(client.realtime.tts.multi_stream()))
        yield cost("stream with a connection", many, lambda: kept(client.realtime.tts(**TTS)))
        yield cost("recording, connected", many, lambda: kept(_recording(client)))
        yield cost("pool, not connected", many, lambda: kept(client.realtime.tts.pool()))
    finally:
        for thing in opened:
            thing.close()


def _client(url: str) -> SonioxClient:
    return SonioxClient("bench-key-0123456789", stt_ws_url=url, tts_ws_url=url, proxy="")


class _Recording:
    """Recording of a source that sends one piece and waits."""

    def __init__(self, client: SonioxClient) -> None:
        self._ended = threading.Event()
        self._events = iter(client.realtime.transcribe(self._audio(), **STT))
        next(self._events)

    def _audio(self) -> Iterator[bytes]:
        yield _SECOND
        self._ended.wait()

    def close(self) -> None:
        """End the audio and read the rest."""
        self._ended.set()
        for _ in self._events:
            pass


def _recording(client: SonioxClient) -> _Recording:
    return _Recording(client)


class Point(NamedTuple):
    """What all recordings held when each had sent so much."""

    seconds: int
    held: (
        int  # bytes more than at first: of Python's allocators, or resident if those are not traced
    )
    final_tokens: int


def long_recordings(url: str, count: int, seconds: int) -> List[Point]:
    """Transcribe ``count`` recordings at once; measure at five places of their audio."""
    points = 5
    client, step, before = _client(url), max(1, seconds // points), _held()
    here, go_on = threading.Barrier(count + 1), threading.Barrier(count + 1)
    transcripts: List[Transcript] = []

    def audio() -> Iterator[bytes]:
        for second in range(1, seconds + 1):
            yield _SECOND
            if second % step == 0 and second // step <= points:
                here.wait()
                go_on.wait()

    def run() -> None:
        transcription = client.realtime.transcribe(audio(), catch_up_speed=None, **STT)
        events = iter(transcription)
        next(events)
        transcripts.append(transcription.transcript)
        for _ in events:
            pass

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    found = []
    for point in range(1, points + 1):
        here.wait()
        # what is on its way is no longer than that
        time.sleep(0.5)
        tokens = sum(len(each) for each in list(transcripts))
        found.append(Point(point * step, _held() - before, tokens))
        go_on.wait()
    for thread in threads:
        thread.join()
    return found


def _print_points(title: str, found: Sequence[Point], count: int, token_bytes: float) -> None:
    head = ("audio each", "held", "by final tokens", "the rest, each")
    table = []
    for point in found:
        final = point.final_tokens * token_bytes
        rest = (point.held - final) / count
        line = f"{point.seconds / 3600:.2f} h", *(f"{n / 1e6:.1f} MB" for n in (point.held, final))
        table.append([*line, f"{rest / 1e3:,.0f} KB"])
    print(f"\n{title}\n")
    print(report.grid(head, table, rule="-", framed=False))
    first, last = found[0], found[-1]
    grown, tokens = last.held - first.held, last.final_tokens - first.final_tokens
    print(f"growth: {grown / tokens:.0f} bytes for each final token")


def main(arguments: List[str]) -> int:
    """Measure and print the tables."""
    options = _options(arguments)
    tracemalloc.start()
    server = Child("tests.bench.capacity.server")
    try:
        base = f"ws://127.0.0.1:{server.read()['port']}"
        costs = [*values(), *objects(f"{base}/live/0/0/{_PERIOD_MS * 1000}", options.many)]
        table = [
            [each.what, f"{each.traced:,.0f}", f"{each.resident:,.0f}" if each.resident else ""]
            for each in costs
        ]
        print(report.grid(_HEAD, table, rule="-", framed=False))
        token = next(each.traced for each in costs if each.what == "final token in a transcript")
        url = f"{base}/live/0/0/{_PERIOD_MS * 1000}"
        found = long_recordings(url, 1, int(options.hours * 3600))
        _print_points(f"a recording of {options.hours:g} h", found, 1, token)
        tracemalloc.stop()
        count, hours = options.recordings, options.hours / 10
        found = long_recordings(url, count, int(hours * 3600))
        _print_points(f"{count} recordings of {hours:g} h, resident memory", found, count, token)
    finally:
        server.close()
    print(f"\n{report.machine(1)}")
    return 0


def _options(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench memory", description="Measure what objects and recordings hold."
    )
    parser.add_argument("--many", type=int, default=50, help="of each object; %(default)s")
    parser.add_argument("--hours", type=float, default=10.0, help="the long one; %(default)s")
    parser.add_argument(
        "--recordings", type=int, default=60, help="of a tenth of that; %(default)s"
    )
    parser.add_argument("--quick", action="store_true", help="half an hour, and five recordings")
    options = parser.parse_args(arguments)
    if options.quick:
        options.hours, options.recordings = 0.5, 5
    return options
