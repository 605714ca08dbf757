"""`IterableSource`: audio from the user's code."""

from __future__ import annotations

import array
import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.errors import AudioSourceError, ConfigurationError, InputTypeError, StateError
from soniox_sync.sources import IterableSource, SourceAudio
from tests.sources.helpers import PATIENCE_SEC, Collector, SkippingClock, deliver

PCM = bytes(range(256)) * 40


def test_chunks_in_order() -> None:
    """Every bytes-like chunk is delivered in order, except empty ones."""
    chunks = [b"ab", b"", bytearray(b"cd"), memoryview(b"ef"), array.array("h", [0x0101])]
    source = IterableSource(chunks)
    assert source.is_live is False and source.audio == SourceAudio("auto")
    got = deliver(source)
    assert got.chunks == [b"ab", b"cd", b"ef", b"\1\1"]
    assert got.names == ["data"] * 4 + ["end"]
    assert got.threads == {"soniox-source-iterable"}


def test_no_chunks() -> None:
    """An iterable without audio is an error."""
    for chunks in ([], [b"", bytearray()]):
        got = deliver(IterableSource(chunks))
        assert got.names == ["error"]
        assert isinstance(got.error, ConfigurationError)
        assert "audio to transcribe, got no audio" in str(got.error)


@pytest.mark.parametrize("chunk", ["text", 5, None, [b"x"]])
def test_chunk_of_the_wrong_type(chunk: object) -> None:
    """A chunk that is not bytes ends the source with an error that names its type."""
    got = deliver(IterableSource([b"ab", chunk, b"cd"]))
    assert got.names == ["data", "error"]
    assert isinstance(got.error, InputTypeError)
    assert f", got {'None' if chunk is None else type(chunk).__name__}" in str(got.error)


@pytest.mark.parametrize("obj", [b"ab", bytearray(b"ab"), "ab", 5, None])
def test_refused_iterable(obj: Any) -> None:
    """A single chunk is refused, although it is iterable (over numbers)."""
    with pytest.raises(InputTypeError, match="iterable of bytes"):
        IterableSource(obj)


class UnusualError(BaseException):
    """Exception that is not even an `Exception`."""


@pytest.mark.parametrize("failure", [ValueError("mine"), SystemExit(3), UnusualError()])
def test_an_exception_of_the_iterable_is_reported_unchanged(failure: BaseException) -> None:
    """The user's exception object is passed to `on_error`, once, after the data before it."""

    def chunks() -> Iterator[bytes]:
        yield b"ab"
        raise failure

    got = deliver(IterableSource(chunks()))
    assert got.names == ["data", "error"]
    assert got.error is failure


def test_an_exception_of_iter_is_reported() -> None:
    """An iterable that fails in `iter()` is reported like one that fails later."""

    class Broken:
        def __iter__(self) -> Iterator[bytes]:
            raise LookupError("no")

    assert isinstance(deliver(IterableSource(Broken())).error, LookupError)


def test_generator_is_closed_on_stop() -> None:
    """Stopping closes the generator, on the source's own thread."""
    closed: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"ab"
        finally:
            closed.append(threading.current_thread().name)

    collector = Collector()
    source = IterableSource(chunks())
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) > 3)
    source.stop()
    count = len(collector.calls)
    assert closed == ["soniox-source-iterable"]
    assert set(collector.names) == {"data"}
    assert len(collector.calls) == count


def test_generator_that_fails_to_close() -> None:
    """An exception of a finished iterator's `close()` is reported instead of the end."""

    class Chunks:
        def __iter__(self) -> Chunks:
            return self

        def __next__(self) -> bytes:
            raise StopIteration

        def close(self) -> None:
            raise OSError("cannot close")

    got = deliver(IterableSource(Chunks()))
    assert got.names == ["error"] and str(got.error) == "cannot close"


def test_only_iterators_are_closed() -> None:
    """An iterable that is not its own iterator is not closed."""

    class Chunks:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a"])

        def close(self) -> None:
            self.closed = True

    chunks = Chunks()
    assert deliver(IterableSource(chunks)).data == b"a"
    assert not chunks.closed


def test_stop_while_the_iterable_blocks() -> None:
    """A stop waits only briefly for the user's code, which delivers nothing afterwards."""
    items: queue.Queue[bytes] = queue.Queue()
    asked, closed = threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                asked.set()
                yield items.get()
        finally:
            closed.set()

    collector = Collector()
    source = IterableSource(chunks())
    source.start(collector.handlers)
    assert asked.wait(PATIENCE_SEC)
    source.stop()
    items.put(b"late")
    assert closed.wait(PATIENCE_SEC)
    assert collector.names == []


def test_iterable_is_read_once() -> None:
    """A second start is refused, since it would deliver nothing."""
    source = IterableSource([b"ab"])
    deliver(source)
    with pytest.raises(StateError, match="only once; make a new source"):
        source.start(Collector().handlers)


def test_back_pressure() -> None:
    """The next chunk is requested after the last one was processed."""
    asked: list[int] = []
    may_go = threading.Event()

    def chunks() -> Iterator[bytes]:
        for number in range(5):
            asked.append(number)
            yield b"ab"

    collector = Collector(lambda data: may_go.wait(PATIENCE_SEC))
    source = IterableSource(chunks())
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) == 1)
    assert asked == [0]
    may_go.set()
    collector.wait_over()
    source.stop()


def test_declared_format() -> None:
    """`audio` is the declared format, before and after the start."""
    source = IterableSource(
        [PCM], audio_format="pcm_alaw", sample_rate=8000, num_channels=1, pace=False
    )
    assert source.audio == SourceAudio("alaw", 8000, 1)
    deliver(source)
    assert source.audio == SourceAudio("alaw", 8000, 1)
    with pytest.raises(ConfigurationError, match="headerless"):
        IterableSource([PCM], audio_format="mulaw")


def test_paced_chunks_are_split() -> None:
    """A large paced chunk is delivered in parts of 120 ms, in real time."""
    clock = SkippingClock()
    times: list[float] = []
    collector = Collector(lambda data: times.append(round(clock.time - 100, 6)))
    source = IterableSource(
        [bytes(3000), bytes(1000)],
        audio_format="mulaw",
        sample_rate=8000,
        num_channels=1,
        pace=2.0,
        clock=clock,
    )
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert [len(chunk) for chunk in collector.chunks] == [960, 960, 960, 120, 960, 40]
    expected = [0.0, 0.06, 0.12, 0.18, 0.1875, 0.2475]
    assert times == [pytest.approx(value, abs=1e-4) for value in expected]


WAV = wav_header(sample_rate=24000, num_channels=1, data_bytes=len(PCM)) + PCM


@pytest.mark.parametrize("size", [1, 7, 44, 45, 4096, 100_000])
def test_wav_stream(size: int) -> None:
    """A stream declared as WAV is delivered as samples, however it is split, after its format."""
    whole = WAV + b"LIST\0\0\0\0"
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    formats: list[object] = []
    collector = Collector(lambda data: formats.append(source.audio))
    source = IterableSource(pieces, audio_format="wav")
    assert source.audio is None
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert collector.data == PCM
    assert set(formats) == {SourceAudio("pcm_s16le", 24000, 1)}
    assert collector.names[-1] == "end"


def test_declared_wav_stream_that_is_not_a_wav() -> None:
    """Data that is not a WAV, or that ends inside its header, is an error."""
    assert isinstance(deliver(IterableSource([PCM], audio_format="wav")).error, ConfigurationError)
    cut = deliver(IterableSource([WAV[:20]], audio_format="wav"))
    assert isinstance(cut.error, AudioSourceError) and cut.names == ["error"]


def test_undeclared_wav_passes_unchanged() -> None:
    """A stream without a declared format is delivered byte for byte."""
    assert deliver(IterableSource([WAV])).data == WAV
