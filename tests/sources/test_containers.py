"""Containers sent unchanged: recognised, paced, restarted in the middle."""

from __future__ import annotations

import io
import struct
import sys

import pytest

from soniox_sync.errors import AudioSourceError, StateError
from soniox_sync.sources import FileSource
from soniox_sync.sources.containers import bytes_per_second, find_entry, header_length, sniff
from tests.sources.flac_writer import flac
from tests.sources.helpers import Collector


def ogg_page(position: int, body: bytes) -> bytes:
    sizes = [255] * (len(body) // 255) + [len(body) % 255]
    head = b"OggS" + bytes([0, 0]) + struct.pack("<qIII", position, 1, 0, 0)
    return head + bytes([len(sizes)]) + bytes(sizes) + body


OPUS_HEAD = b"OpusHead\1\1" + struct.pack("<HIHB", 0, 16000, 0, 0)
OGG_HEADER = ogg_page(0, OPUS_HEAD) + ogg_page(-1, b"t" * 300) + ogg_page(0, b"OpusTags")
OGG_PAGES = [ogg_page(960 * (n + 1), bytes([n]) * 400) for n in range(100)]
OGG = OGG_HEADER + b"".join(OGG_PAGES)

# MPEG 2 layer 3, 64 kbit/s, 16 kHz: 36 ms in 288 bytes
MP3_FRAME = b"\xff\xf3\x88\xc4" + b"\x11" * 284
CLUSTER = b"\x1f\x43\xb6\x75"
WEBM_HEADER = b"\x1a\x45\xdf\xa3" + b"h" * 400


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\0\0\0\0WAVE", "wav"),
        (b"RF64\xff\xff\xff\xffWAVE", "wav"),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"fLaC\0\0\0\x22", "flac"),
        (OGG[:64], "ogg"),
        (ogg_page(0, b"\x01vorbis" + bytes(23)), "vorbis"),
        (b"ID3\4\0\0\0\0\0\0", "mp3"),
        (MP3_FRAME, "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xfb\xf0\x64", None),  # no such bitrate
        (b"\xff\xf1\x50\x80", "aac"),
        (WEBM_HEADER, "webm"),
        (b"FORM\0\0\0\0AIFF", "aiff"),
        (b"#!AMR\n", "amr"),
        (b"\xff\xff\xff\xff\xff\xff", None),  # quiet PCM
        (b"\0\0\0\0\0\0\0\0", None),
        (b"", None),
    ],
)
def test_sniff(head: bytes, kind: object) -> None:
    """A container is recognised by its first bytes; PCM is not mistaken for one."""
    assert sniff(head) == kind


def test_rates() -> None:
    """Byte rates come from durations and bit rates in the headers."""
    assert bytes_per_second("ogg", io.BytesIO(OGG), 0) == pytest.approx(len(OGG) / 2.0)
    data = b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + MP3_FRAME * 3
    assert bytes_per_second("mp3", io.BytesIO(b"xx" + data), 2) == 8000
    coded = flac([0] * 16000)
    assert bytes_per_second("flac", io.BytesIO(coded), 0) == len(coded)
    assert bytes_per_second("webm", io.BytesIO(WEBM_HEADER), 0) is None


@pytest.mark.parametrize("kind", ["mp3", "ogg", "vorbis", "flac"])
@pytest.mark.parametrize("size", [0, 1, 4, 12, 20])
def test_truncated_headers_have_no_rate(kind: str, size: int) -> None:
    """A file that ends inside its header has no rate and no header, and raises nothing."""
    whole = {"mp3": MP3_FRAME[:2], "flac": flac([0])[:30]}.get(kind, OGG[:30])
    assert bytes_per_second(kind, io.BytesIO(whole[:size]), 0) is None
    if kind != "mp3":
        assert header_length(kind, whole[:size]) is None


def test_headers() -> None:
    """The header, which must precede audio from the middle, ends where the first audio starts."""
    assert header_length("ogg", OGG) == len(OGG_HEADER)
    assert header_length("webm", WEBM_HEADER + CLUSTER) == len(WEBM_HEADER)
    assert header_length("mp3", MP3_FRAME) == 0
    coded = flac([0] * 800)
    assert coded[header_length("flac", coded) or 0 :][:2] == b"\xff\xf8"
    assert header_length("aiff", b"FORM") is None


def test_entries() -> None:
    """Audio from the middle starts at a page, a cluster, a frame."""
    assert find_entry("ogg", b"abc" + OGG_PAGES[3]) == 3
    assert find_entry("webm", b"abc" + CLUSTER) == 3
    assert find_entry("mp3", b"\xff\xff\xff" + MP3_FRAME) == 3
    assert find_entry("mp3", b"\xff\xff") is None
    assert find_entry("ogg", b"") is None


def restarted(data: bytes, at_call: int, *, when: str = "data") -> tuple[Collector, bytes]:
    """Deliver a container and restart it inside a handler; return the calls and the later data."""

    def on_data(chunk: bytes) -> None:
        if collector.names.count("data") == at_call:
            source.restart()

    collector = Collector(on_data)
    file = io.BytesIO(b"junk" + data)
    file.seek(4)
    source = FileSource(file, pace=False)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    cut = collector.names.index("restart")
    tail = [value for name, value in collector.calls[cut:] if name == "data"]
    assert collector.names[-1] == "end"
    return collector, b"".join(tail)  # type: ignore[arg-type]


def test_ogg_restart() -> None:
    """A restarted Ogg repeats its header pages and continues at the next page."""
    collector, tail = restarted(OGG, 2)
    assert tail.startswith(OGG_HEADER)
    rest = tail[len(OGG_HEADER) :]
    assert OGG.endswith(rest) and rest.startswith(b"OggS")
    before = collector.data[: -len(tail)]
    assert len(OGG) - len(before) - len(rest) < len(OGG_PAGES[0])


def test_mp3_restart() -> None:
    """A restarted mp3 continues at its next frame."""
    _, tail = restarted(MP3_FRAME * 50, 3)
    assert tail.startswith(MP3_FRAME) and len(tail) % len(MP3_FRAME) == 0
    assert len(tail) >= 40 * len(MP3_FRAME)


def test_webm_restart() -> None:
    """A restarted WebM repeats its header and continues at the next cluster."""
    data = WEBM_HEADER + (CLUSTER + b"c" * 3000) * 20
    _, tail = restarted(data, 2)
    assert tail.startswith(WEBM_HEADER + CLUSTER + b"c")
    assert data.endswith(tail[len(WEBM_HEADER) :])


def test_restart_without_anything_left() -> None:
    """A restart after the last cluster is an error: the end of the file would be missing."""

    def on_data(chunk: bytes) -> None:
        if len(collector.chunks) == 1:
            source.restart()

    collector = Collector(on_data)
    source = FileSource(io.BytesIO(WEBM_HEADER + CLUSTER + b"c" * 3000), pace=False)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert isinstance(collector.error, AudioSourceError)
    assert len(collector.chunks) == 1


def test_flac_restart_without_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restarted FLAC repeats its header and continues at the next frame."""
    monkeypatch.setitem(sys.modules, "miniaudio", None)
    coded = flac([1234] * 16000)
    header = coded[: header_length("flac", coded)]
    _, tail = restarted(coded, 2)
    assert tail.startswith(header + b"\xff\xf8")
    assert coded.endswith(tail[len(header) :])


def test_containers_that_cannot_restart() -> None:
    """A container without a known header cannot restart: the attempt raises."""
    refusals = []

    def on_data(data: bytes) -> None:
        assert source.can_restart is False
        with pytest.raises(AudioSourceError, match="header") as caught:
            source.restart()
        refusals.append(caught.value)

    collector = Collector(on_data)
    source = FileSource(io.BytesIO(b"FORM\0\0\0\0AIFF" + bytes(50)), pace=False)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert refusals and collector.names[-1] == "end"


def test_restart_of_a_source_that_is_not_running() -> None:
    """A source that is not running cannot restart."""
    with pytest.raises(StateError):
        FileSource("a.mp3").restart()


def test_restart_of_samples_loses_nothing() -> None:
    """Samples have no header: a restart does not change the delivered bytes."""
    pcm = bytes(20000)
    source = FileSource(
        io.BytesIO(pcm), pace=False, audio_format="pcm_s16le", sample_rate=16000, num_channels=1
    )
    restarts = []

    def on_data(data: bytes) -> None:
        if not restarts:
            restarts.append(source.restart())

    collector = Collector(on_data)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert collector.data == pcm
    assert "restart" not in collector.names
