"""The sandbox decodes Opus in Ogg, while it arrives."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("soundfile")

from soniox_sync.sandbox.audio import opus
from soniox_sync.sandbox.audio.containers import AutoDecoder
from soniox_sync.sandbox.audio.encoders import open_encoder
from soniox_sync.sandbox.audio.samples import unpack
from soniox_sync.sandbox.engines.tones import ToneSynthesizer
from soniox_sync.sandbox.problems import Problem
from tests.waiting import eventually


def tone() -> bytes:
    """Return some seconds of s16le at 24 kHz."""
    chunks = ToneSynthesizer().speak("hello " * 10, voice="Owen", language="en", sample_rate=24000)
    return b"".join(chunk.pcm for chunk in chunks)


def ogg() -> bytes:
    """Return the same as Opus in Ogg."""
    encoder = open_encoder("opus", 24000, None)
    return encoder.feed(tone()) + encoder.finish()


def likeness(pcm: bytes, other: bytes) -> float:
    """Return the correlation of two recordings, as far as both reach."""
    pairs = list(zip(unpack(pcm), unpack(other)))
    energies = [sum(pair[side] ** 2 for pair in pairs) for side in (0, 1)]
    product: float = sum(one * two for one, two in pairs) / (energies[0] * energies[1]) ** 0.5
    return product


@pytest.mark.parametrize("size", [1, 35, 36, 37, 5000])
def test_what_the_sandbox_writes_it_reads(size: int) -> None:
    """Opus comes out at its own rate, sample for sample where it was, however it is cut."""
    data = ogg()
    decoder = AutoDecoder("ogg")
    decoded = b"".join(decoder.feed(data[at : at + size]) for at in range(0, len(data), size))
    decoded += decoder.finish()
    assert decoder.sample_rate == 24000
    assert len(decoded) == len(tone())
    assert likeness(decoded, tone()) > 0.9


def test_audio_comes_before_the_end() -> None:
    """Audio is decoded as soon as its page has arrived."""
    data = ogg()
    decoder = AutoDecoder()
    decoded = bytearray(decoder.feed(data[: data.rindex(b"OggS")]))

    def has_come() -> bool:
        decoded.extend(decoder.feed(b""))
        return len(decoded) >= 48000

    assert eventually(has_come)
    decoder.close()


def test_without_pipes_it_is_decoded_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows the same audio comes, at the end."""
    monkeypatch.setattr(opus, "_HAS_PIPES", False)
    data = ogg()
    decoder = AutoDecoder()
    assert decoder.feed(data[:3000]) == decoder.feed(data[3000:]) == b""
    decoded = decoder.finish()
    assert decoder.sample_rate == 24000
    assert likeness(decoded, tone()) > 0.9


@pytest.mark.parametrize("has_pipes", [True, False])
def test_what_is_no_opus_is_a_400(monkeypatch: pytest.MonkeyPatch, has_pipes: bool) -> None:
    """A page that only begins like Opus is refused, and what follows is not waited for."""
    monkeypatch.setattr(opus, "_HAS_PIPES", has_pipes and opus._HAS_PIPES)
    decoder = AutoDecoder()
    with pytest.raises(Problem, match="Audio decode error"):
        # more than a pipe holds: nobody may wait for a decoder that has ended
        for piece in (ogg()[:40], *[bytes(50_000)] * 8):
            decoder.feed(piece)
        decoder.finish()
    decoder.close()


def test_a_cut_stream_gives_what_has_arrived() -> None:
    """Without its last pages the stream is shorter."""
    data = ogg()
    decoder = AutoDecoder()
    decoded = decoder.feed(data[: len(data) // 2]) + decoder.finish()
    assert 0.2 * len(tone()) < len(decoded) < 0.8 * len(tone())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without soundfile Opus is a 400 that says what to install."""
    data = ogg()
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(Problem, match=r"to decode opus, the sandbox needs soundfile .*pip install"):
        AutoDecoder().feed(data)
