"""`FileSource`: its data, pace and ends."""

from __future__ import annotations

import io
import struct
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.errors import ConfigurationError, InputTypeError, StateError
from soniox_sync.sources import AudioSourceHandlers, FileSource, SourceAudio
from tests.sources.flac_writer import flac
from tests.sources.helpers import (
    PATIENCE_SEC,
    Collector,
    SkippingClock,
    StandingClock,
    deliver,
)

PCM = bytes(range(256)) * 125  # one second of 16 kHz mono


def wav(data: bytes = PCM, rate: int = 16000, channels: int = 1) -> bytes:
    return wav_header(sample_rate=rate, num_channels=channels, data_bytes=len(data)) + data


def test_wav_path(tmp_path: Path) -> None:
    """A WAV file is delivered as samples only, in chunks of 120 ms, with its format."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav() + b"LIST\4\0\0\0abcd")
    source = FileSource(path, pace=False)
    assert source.is_live is False
    got = deliver(source)
    assert source.audio == SourceAudio("pcm_s16le", 16000, 1)
    assert got.data == PCM
    assert {len(chunk) for chunk in got.chunks[:-1]} == {3840}
    assert got.names[-1] == "end" and got.names.count("end") == 1
    assert got.threads == {"soniox-source-file"}


def test_wav_without_length() -> None:
    """A WAV without a length in its header is delivered to its end."""
    data = wav_header(sample_rate=8000, num_channels=2) + PCM
    source = FileSource(io.BytesIO(data), pace=False)
    assert deliver(source).data == PCM
    assert source.audio == SourceAudio("pcm_s16le", 8000, 2)


def test_path_again(tmp_path: Path) -> None:
    """A source made from a path starts over after its end and after a stop."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav())
    source = FileSource(str(path), pace=False)
    assert deliver(source).data == deliver(source).data == PCM


def test_file_object_position() -> None:
    """A file object is read from its current position, left open, and read only once."""
    file = io.BytesIO(b"junk" + wav())
    file.seek(4)
    source = FileSource(file, pace=False)
    assert deliver(source).data == PCM
    assert not file.closed
    with pytest.raises(StateError, match="once"):
        source.start(Collector().handlers)


def test_raw_file(tmp_path: Path) -> None:
    """A headerless file is delivered in its declared format, without a partial frame at its end."""
    path = tmp_path / "a.pcm"
    path.write_bytes(PCM + b"x")
    source = FileSource(
        path, pace=False, audio_format="pcm_s16le", sample_rate=16000, num_channels=2
    )
    assert deliver(source).data == PCM
    assert source.audio == SourceAudio("pcm_s16le", 16000, 2)


def test_raw_speech_spelling() -> None:
    """The companded formats may be declared by their names in speech."""
    source = FileSource(
        io.BytesIO(PCM), pace=False, audio_format="pcm_mulaw", sample_rate=8000, num_channels=1
    )
    deliver(source)
    assert source.audio == SourceAudio("mulaw", 8000, 1)


def test_raw_needs_its_format(tmp_path: Path) -> None:
    """A headerless file without a declared format is refused with what to specify."""
    path = tmp_path / "a.pcm"
    path.write_bytes(PCM)
    with pytest.raises(ConfigurationError, match="sample_rate"):
        FileSource(path).start(Collector().handlers)
    with pytest.raises(ConfigurationError, match="num_channels"):
        FileSource(path, audio_format="pcm_s16le", sample_rate=16000)


def test_missing_file(tmp_path: Path) -> None:
    """A missing file raises from `start()` and leaves the source ready for another."""
    source = FileSource(tmp_path / "a.wav", pace=False)
    with pytest.raises(FileNotFoundError):
        source.start(Collector().handlers)
    (tmp_path / "a.wav").write_bytes(wav())
    assert deliver(source).data == PCM


@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_refused_pace(value: float) -> None:
    """A pace that is not a speed is refused."""
    with pytest.raises(ConfigurationError, match="pace"):
        FileSource("a.wav", pace=value)


@pytest.mark.parametrize("obj", [io.StringIO("a"), 5, None])
def test_refused_object(obj: Any) -> None:
    """Anything but a path or a binary file is refused by name."""
    with pytest.raises(
        InputTypeError, match=r"^path: expected a path or a binary file object, got "
    ):
        FileSource(obj)


def arrivals(source: FileSource, clock: SkippingClock) -> list[float]:
    times: list[float] = []
    collector = Collector(lambda data: times.append(round(clock.time - 100.0, 6)))
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    return times


@pytest.mark.parametrize(
    ("pace", "step"), [(True, 0.12), (1, 0.12), (2.0, 0.06), (False, 0.0), (0, 0.0)]
)
def test_pace(pace: float, step: float) -> None:
    """Chunks arrive in real time, a multiple of it, or all at once."""
    clock = SkippingClock()
    times = arrivals(FileSource(io.BytesIO(wav()), pace=pace, clock=clock), clock)
    assert times == [pytest.approx(index * step, abs=1e-4) for index in range(9)]


def test_pace_absorbs_lateness() -> None:
    """A chunk delivered late does not delay later ones."""
    clock = SkippingClock()
    times: list[float] = []

    def slow(data: bytes) -> None:
        times.append(clock.time - 100.0)
        if len(times) == 2:
            clock.time += 0.3

    collector = Collector(slow)
    source = FileSource(io.BytesIO(wav()), clock=clock)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    expected = [0.0, 0.12, 0.42, 0.42, 0.48, 0.60, 0.72, 0.84, 0.96]
    assert times == [pytest.approx(value, abs=1e-4) for value in expected]


def test_pace_does_not_burst_after_being_held_back() -> None:
    """A source held back for a long time catches up one second and continues at its pace."""
    clock = SkippingClock()
    times: list[float] = []

    def hold(data: bytes) -> None:
        times.append(clock.time - 100.0)
        if len(times) == 1:
            clock.time += 60.0

    collector = Collector(hold)
    source = FileSource(io.BytesIO(wav(PCM * 5)), clock=clock)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    at_once = [value for value in times if 60.0 <= value < 60.01]
    assert len(at_once) == 9  # one that was due, and 8 x 120 ms to make up for a second
    assert times[-1] > 60.0 + 3.5


def test_pause_stops_the_schedule() -> None:
    """While paused nothing is delivered, and there is no catching up afterwards."""
    clock = SkippingClock()
    times: list[float] = []
    paused = threading.Event()

    def pause_once(data: bytes) -> None:
        times.append(clock.time - 100.0)
        if len(times) == 3:
            source.pause()
            source.pause()
            paused.set()

    collector = Collector(pause_once)
    source = FileSource(io.BytesIO(wav()), clock=clock)
    source.start(collector.handlers)
    assert paused.wait(PATIENCE_SEC)
    clock.time += 1000.0
    assert len(times) == 3
    source.resume()
    source.resume()
    collector.wait_over()
    source.stop()
    later = [value - 1000.0 for value in times[3:]]
    assert later == [
        pytest.approx(value, abs=1e-4) for value in (0.36, 0.48, 0.6, 0.72, 0.84, 0.96)
    ]


def test_stop_ends_a_wait_for_the_next_chunk() -> None:
    """Stopping ends a wait for the next chunk at once; no end is reported."""
    clock = StandingClock()
    collector = Collector()
    source = FileSource(io.BytesIO(wav()), clock=clock)
    source.start(collector.handlers)
    assert clock.waiting.wait(PATIENCE_SEC)
    source.stop()
    source.stop()
    assert collector.names == ["data"]


def test_stop_ends_a_pause() -> None:
    """Stopping ends a pause."""
    collector = Collector(lambda data: source.pause())
    source = FileSource(io.BytesIO(wav()), pace=False)
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) == 1)
    source.stop()
    assert collector.names == ["data"]


def test_stop_inside_a_handler() -> None:
    """A handler may stop its source; nothing is called after that."""
    stopped = threading.Event()

    def stop(data: bytes) -> None:
        source.stop()
        stopped.set()

    collector = Collector(stop)
    source = FileSource(io.BytesIO(wav()), pace=False)
    source.start(collector.handlers)
    assert stopped.wait(PATIENCE_SEC)
    source.stop()
    assert collector.names == ["data"]


def test_a_blocking_handler_holds_the_source_back() -> None:
    """No second chunk is read while a handler processes the first."""
    may_go = threading.Event()
    collector = Collector(lambda data: may_go.wait(PATIENCE_SEC))
    file = io.BytesIO(wav())
    source = FileSource(file, pace=False)
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) == 1)
    assert len(collector.calls) == 1
    may_go.set()
    collector.wait_over()
    source.stop()
    assert collector.data == PCM


def test_start_twice() -> None:
    """A running source refuses a second start."""
    clock = StandingClock()
    source = FileSource(io.BytesIO(wav()), clock=clock)
    source.start(Collector().handlers)
    with pytest.raises(StateError, match="running"):
        source.start(Collector().handlers)
    source.stop()


def test_stop_before_start() -> None:
    """Stopping, pausing and resuming a source that never started has no effect."""
    source = FileSource("a.wav")
    source.stop()
    source.pause()
    source.resume()
    assert source.audio is None


class Failing(io.BytesIO):
    """File that fails after some reads."""

    def read(self, size: Any = -1) -> bytes:
        if self.tell() > 8000:
            raise OSError("disk on fire")
        return super().read(size)


def test_read_error_is_reported_once() -> None:
    """A file that fails reports its own exception once, after the data before it."""
    collector = deliver(FileSource(Failing(wav()), pace=False))
    assert str(collector.error) == "disk on fire"
    assert collector.names[-1] == "error" and collector.names.count("error") == 1
    assert "end" not in collector.names
    assert collector.data and PCM.startswith(collector.data)


def test_an_exception_of_a_handler_ends_the_source() -> None:
    """An exception in `on_data` is reported to `on_error`."""
    failure = ValueError("mine")

    def fail(data: bytes) -> None:
        raise failure

    collector = Collector(fail)
    source = FileSource(io.BytesIO(wav()), pace=False)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert collector.error is failure
    assert collector.names == ["data", "error"]


SAMPLES = [(index * 37) % 2000 - 1000 for index in range(4100)]


def test_flac_is_decoded() -> None:
    """A FLAC file is delivered as samples if miniaudio is installed."""
    pytest.importorskip("miniaudio")
    source = FileSource(io.BytesIO(flac(SAMPLES)), pace=False)
    got = deliver(source)
    assert got.data == struct.pack("=4100h", *SAMPLES)
    assert source.audio is not None and source.audio.audio_format.startswith("pcm_s16")
    assert (source.audio.sample_rate, source.audio.num_channels) == (16000, 1)
    assert {len(chunk) for chunk in got.chunks[:-1]} == {3840}


def test_decoding_to_another_rate() -> None:
    """Decoded samples have the requested rate and channels."""
    pytest.importorskip("miniaudio")
    data = flac(SAMPLES)
    source = FileSource(io.BytesIO(data), pace=False, sample_rate=8000, num_channels=2)
    got = deliver(source)
    assert source.audio is not None
    assert (source.audio.sample_rate, source.audio.num_channels) == (8000, 2)
    assert len(got.data) == pytest.approx(8200, abs=64)


def test_decoding_is_streamed() -> None:
    """A compressed file is read only as far as needed for the requested samples."""
    pytest.importorskip("miniaudio")
    samples = SAMPLES * 12
    file = io.BytesIO(flac(samples))
    held = threading.Event()
    collector = Collector(lambda data: held.wait(PATIENCE_SEC))
    source = FileSource(file, pace=False)
    source.start(collector.handlers)
    collector.wait_for(lambda: len(collector.calls) == 1)
    assert file.tell() < len(file.getvalue()) / 2
    held.set()
    source.stop()


def test_read_error_while_decoding() -> None:
    """An exception of the file passes unchanged through the decoder."""
    pytest.importorskip("miniaudio")
    collector = deliver(FileSource(Failing(flac(SAMPLES * 12)), pace=False))
    assert str(collector.error) == "disk on fire"


def test_without_miniaudio_flac_is_sent_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without miniaudio a container is delivered unchanged, as `auto`."""
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    source = FileSource(io.BytesIO(flac(SAMPLES)), pace=False)
    assert deliver(source).data == flac(SAMPLES)
    assert source.audio == SourceAudio("auto")


def test_a_broken_container_is_sent_unchanged() -> None:
    """A file that only looks like FLAC is sent unchanged; the service decides."""
    source = FileSource(io.BytesIO(b"fLaC" + bytes(500)), pace=False)
    assert deliver(source).data == b"fLaC" + bytes(500)


def test_a_declared_container_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with a declared name keeps that name."""
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    source = FileSource(io.BytesIO(flac(SAMPLES)), pace=False, audio_format="flac")
    deliver(source)
    assert source.audio == SourceAudio("flac")


def test_containers_are_paced_by_their_own_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container sent unchanged takes as long as its audio."""
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    clock = SkippingClock()
    times = arrivals(FileSource(io.BytesIO(flac(SAMPLES * 4)), clock=clock), clock)
    assert times[-1] == pytest.approx(4 * 4100 / 16000, abs=0.13)
    assert times[1] == pytest.approx(0.12, abs=0.002)


def test_unknown_containers_are_paced_at_128_kbit() -> None:
    """A container with an unknown rate is paced at 16,000 bytes per second."""
    clock = SkippingClock()
    data = b"\x1a\x45\xdf\xa3" + bytes(31996)
    times = arrivals(FileSource(io.BytesIO(data), clock=clock), clock)
    assert times[-1] == pytest.approx(2.0, abs=0.13)


def test_close_of_a_path(tmp_path: Path) -> None:
    """A stop in the middle closes the file; the descriptor check of every test verifies it."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav())
    clock = StandingClock()
    source = FileSource(path, clock=clock)
    source.start(Collector().handlers)
    assert clock.waiting.wait(PATIENCE_SEC)
    source.stop()


def test_a_stop_waits_for_the_last_handler_of_the_run_before(tmp_path: Path) -> None:
    """A source may be started again once it has ended; `stop()` waits for the old `on_end`, too."""
    entered, go, returned = threading.Event(), threading.Event(), threading.Event()

    def on_end() -> None:
        entered.set()
        go.wait(PATIENCE_SEC)
        returned.set()

    path = tmp_path / "a.raw"
    path.write_bytes(bytes(320))
    source = FileSource(
        path, pace=False, audio_format="pcm_s16le", sample_rate=8000, num_channels=1
    )
    source.start(AudioSourceHandlers(lambda _: None, pytest.fail, on_end=on_end))
    assert entered.wait(PATIENCE_SEC)
    again = Collector()
    source.start(again.handlers)
    assert again.over.wait(PATIENCE_SEC)
    late = threading.Timer(0.2, go.set)  # when a stop() that does not wait has long returned
    late.start()
    source.stop()
    assert returned.is_set()
    late.join()
