"""Audio of the sandbox: raw formats, companding, containers, encoders, sentences and frames."""

from __future__ import annotations

import array
import io
import struct
import sys
import wave
from typing import Any, Optional

import pytest

from soniox_sync.sandbox.audio.containers import AutoDecoder, sniff
from soniox_sync.sandbox.audio.encoders import open_encoder
from soniox_sync.sandbox.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from soniox_sync.sandbox.audio.pcm import RAW_FORMATS, RawDecoder
from soniox_sync.sandbox.engines.tones import ToneSynthesizer
from soniox_sync.sandbox.problems import Problem
from soniox_sync.sandbox.tts.config import read_config
from soniox_sync.sandbox.tts.narrate import Narrator, SentenceBuffer

SAMPLES = (0, 1000, -1000, 16000, -16000, 32000, -32000)


def values(pcm: bytes) -> list[int]:
    """Return the samples of s16le audio."""
    return list(struct.unpack(f"<{len(pcm) // 2}h", pcm))


def encoded(name: str, sample: int) -> bytes:
    """Return one 16-bit sample in a raw format."""
    if name in ("mulaw", "alaw"):
        pcm = struct.pack("<h", sample)
        return encode_mulaw(pcm) if name == "mulaw" else encode_alaw(pcm)
    kind, bits = name[4], int("".join(c for c in name[5:] if c.isdigit()))
    order = "big" if name.endswith("be") else "little"
    if kind == "f":
        code = (">" if order == "big" else "<") + ("f" if bits == 32 else "d")
        return struct.pack(code, sample / 32767)
    value = sample * 2 ** (bits - 16) if bits >= 16 else sample >> (16 - bits)
    if kind == "u":
        value += 1 << (bits - 1)
    return int(value).to_bytes(bits // 8, order, signed=kind == "s")  # type: ignore[arg-type]


def test_all_documented_raw_formats_exist() -> None:
    """The table contains every raw format of PROTOCOL 6.1."""
    names = {"pcm_s8", "pcm_u8", "mulaw", "alaw"}
    for order in ("le", "be"):
        names |= {f"pcm_{sign}{bits}{order}" for sign in "su" for bits in (16, 24, 32)}
        names |= {f"pcm_f{bits}{order}" for bits in (32, 64)}
    assert set(RAW_FORMATS) == names


@pytest.mark.parametrize("name", sorted(RAW_FORMATS))
def test_raw_formats_may_be_split_anywhere(name: str) -> None:
    """Every raw format is decoded to its samples, byte by byte or at once."""
    data = b"".join(encoded(name, sample) for sample in SAMPLES)
    decoder = RawDecoder(name, 16000, 1)
    decoded = values(b"".join(decoder.feed(data[at : at + 1]) for at in range(len(data))))
    tolerance = 1 if "8" not in name and "law" not in name else 1024
    assert all(abs(a - b) <= tolerance for a, b in zip(decoded, SAMPLES))
    assert len(decoded) == len(SAMPLES)


def test_channels_are_averaged() -> None:
    """Two channels become their mean."""
    decoder = RawDecoder("pcm_s16le", 16000, 2)
    assert values(decoder.feed(struct.pack("<4h", 100, 300, -10, -30))) == [200, -20]


def test_infinite_and_missing_floats_are_accepted() -> None:
    """Infinity is clipped, NaN is silence."""
    data = struct.pack("<4f", float("inf"), float("-inf"), float("nan"), 2.0)
    assert values(RawDecoder("pcm_f32le", 16000, 1).feed(data)) == [32767, -32768, 0, 32767]


@pytest.mark.parametrize(
    ("encode", "decode", "zero"),
    [(encode_mulaw, decode_mulaw, 0xFF), (encode_alaw, decode_alaw, 0xD5)],
)
def test_companding_keeps_every_code(encode: Any, decode: Any, zero: int) -> None:
    """All 256 codes survive a round trip, zero has its standard code, errors stay small."""
    codes = bytes(range(256))
    again = encode(decode(codes))
    assert all(a == b or {a, b} == {0x7F, 0xFF} for a, b in zip(codes, again))
    assert encode(bytes(2)) == bytes([zero])
    pcm = struct.pack("<65535h", *range(-32767, 32768))
    off = [abs(a - b) / (abs(a) + 400) for a, b in zip(values(pcm), values(decode(encode(pcm))))]
    assert max(off) < 0.05


def test_standard_companding_values() -> None:
    """Spot values are those of ITU-T G.711."""
    assert values(decode_mulaw(b"\x00\x80\xff\x7f")) == [-32124, 32124, 0, 0]
    assert values(decode_alaw(b"\x2a\xaa\xd5\x55")) == [-32256, 32256, 8, -8]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "wav"),
        (b"BW64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"OggS\0\2", "ogg"),
        (b"ID3\x04\0\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\x1a\x45\xdf\xa3", "webm"),
        (b"FORM\0\0\0\0AIFF", "aiff"),
        (b"#!AMR\n", "amr"),
        (b"\x30\x26\xb2\x75", "asf"),
        (b"\0\1\2\3\4\5\6\7", None),
        (b"\xff\xff\xff\xff", None),
    ],
)
def test_containers_are_recognised(head: bytes, name: Any) -> None:
    """The first bytes identify the container; raw audio has none."""
    assert sniff(head.ljust(16, b"\0")) == name


def test_wav_of_the_standard_library_is_read() -> None:
    """An ordinary WAV file is read to its declared end; chunks after it are ignored."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 16000, 0, "NONE", ""))
        writer.writeframes(struct.pack("<4h", 1, 2, 3, 4))
    decoder = AutoDecoder()
    decoded = decoder.feed(file.getvalue() + b"LIST\4\0\0\0abcd" * 20) + decoder.feed(b"tail")
    assert values(decoded + decoder.finish()) == [1, 2, 3, 4]
    assert decoder.sample_rate == 16000


@pytest.mark.parametrize("step", [1, 10_000])
@pytest.mark.parametrize("padding", [b"", b"\0"])
@pytest.mark.parametrize(
    ("tag", "bits", "align", "data"),
    [
        (1, 16, 1, struct.pack("<2h", 256, -512)),
        (1, 20, 3, b"\0\0\1\0\0\xfe"),
        (1, 20, 4, b"\0\0\0\1\0\0\0\xfe"),
        (1, 24, 4, b"\0\0\1\0\0\xfe"),
        (1, 8, 4, bytes((129, 126))),
    ],
)
def test_wavs_of_careless_recorders_are_read(
    tag: int, bits: int, align: int, data: bytes, padding: bytes, step: int
) -> None:
    """Wrong alignment, samples stored in more bytes, and missing padding change no sample."""
    fmt = struct.pack("<HHIIHH", tag, 1, 16000, 0, align, bits)
    wav = b"RIFF\0\0\0\0WAVELIST\5\0\0\0INFOx" + padding + b"fmt \x10\0\0\0" + fmt
    wav += b"data" + struct.pack("<I", len(data)) + data
    decoder = AutoDecoder()
    decoded = b"".join(decoder.feed(wav[at : at + step]) for at in range(0, len(wav), step))
    assert values(decoded + decoder.finish()) == [256, -512]


def test_undecodable_container_is_a_400_that_names_it() -> None:
    """A container without a decoder is refused by name."""
    with pytest.raises(Problem) as caught:
        AutoDecoder().feed(b"\xff\xf1\x50\x80".ljust(16, b"\0"))
    assert "aac" in caught.value.message


def spoken_tone(rate: int) -> bytes:
    return b"".join(
        chunk.pcm
        for chunk in ToneSynthesizer().speak(
            "hello " * 10, voice="Adrian", language="en", sample_rate=rate
        )
    )


@pytest.mark.parametrize("bitrate", [None, 32000, 128000])
def test_mp3_round_trip_if_its_packages_are_installed(bitrate: Optional[int]) -> None:
    """The sandbox reads the mp3 it writes, streamed both ways, at its bitrate."""
    pytest.importorskip("soundfile")
    pytest.importorskip("miniaudio")
    tone = spoken_tone(24000)
    encoder = open_encoder("mp3", 24000, bitrate)
    pieces = [encoder.feed(tone[at : at + 4800]) for at in range(0, len(tone), 4800)]
    data = b"".join(pieces) + encoder.finish()
    assert all(pieces[1:])  # it is streamed
    assert len(data) * 8 * 48000 / len(tone) == pytest.approx(bitrate or 64000, rel=0.1)
    decoder = AutoDecoder("mp3")
    decoded = b"".join(decoder.feed(data[at : at + 500]) for at in range(0, len(data), 500))
    decoded += decoder.finish()
    decoder.close()
    assert len(decoded) / 32000 == pytest.approx(len(tone) / 48000, abs=0.2)
    assert max(values(decoded)) > 3000


def test_flac_round_trip_if_its_packages_are_installed() -> None:
    """The sandbox reads the flac it writes, streamed."""
    pytest.importorskip("soundfile")
    pytest.importorskip("miniaudio")
    encoder = open_encoder("flac", 16000, None)
    pcm = struct.pack("<16000h", *(range(-8000, 8000)))
    pieces = [encoder.feed(pcm[at : at + 3200]) for at in range(0, len(pcm), 3200)]
    decoder = AutoDecoder()
    decoded = decoder.feed(b"".join(pieces) + encoder.finish()) + decoder.finish()
    decoder.close()
    assert values(decoded) == list(range(-8000, 8000))


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_opus_is_one_ogg_stream_if_its_package_is_installed(rate: int) -> None:
    """Opus is one Ogg stream that soundfile reads, as long as the speech."""
    soundfile = pytest.importorskip("soundfile")
    tone = spoken_tone(rate)
    encoder = open_encoder("opus", rate, 32000)
    data = encoder.feed(tone) + encoder.finish()
    assert data[:4] == b"OggS"
    assert b"OpusHead" in data[:64]
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.frames / file.samplerate == pytest.approx(len(tone) / 2 / rate, abs=0.1)


def test_a_missing_encoder_is_a_400_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A format without an encoder is refused; the error names alternatives or what to install."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Problem, match=r"needs ffmpeg to write aac.* wav"):
        open_encoder("aac", 24000, None)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(Problem, match="pip install soundfile"):
        open_encoder("mp3", 24000, None)


def test_f32_is_the_same_wave() -> None:
    """Float audio is the 16-bit audio, scaled."""
    data = open_encoder("pcm_f32le", 24000, None).feed(struct.pack("<3h", 0, 16384, -32768))
    floats = array.array("f", data)
    if sys.byteorder == "big":
        floats.byteswap()
    assert list(floats) == [0.0, 0.5, -1.0]


@pytest.mark.parametrize(
    ("pieces", "ready", "rest"),
    [
        (["Hello world. "], ["Hello world."], [" "]),
        (["Hello world."], [], ["Hello world."]),
        (["Pi is 3.", "14 or so"], [], ["Pi is 3.14 or so"]),
        (["A! B? C"], ["A!", " B?"], [" C"]),
        (["x" * 2500], [], ["x" * 2500]),
        (["one\ntwo"], ["one"], ["\ntwo"]),
        (["Ask Dr. J. Smith. Or"], ["Ask Dr. J. Smith."], [" Or"]),
        (["你好。再见"], ["你好。"], ["再见"]),
        (['He said "no." Then'], ['He said "no."'], [" Then"]),
    ],
)
def test_text_is_split_at_sentences(pieces: list[str], ready: list[str], rest: list[str]) -> None:
    """Sentences are released when they are complete, the rest at the end."""
    buffer = SentenceBuffer()
    assert [each for piece in pieces for each in buffer.add(piece)] == ready
    assert buffer.end() == rest


def test_long_text_without_a_sentence_end_is_split_at_a_space() -> None:
    """Text without the end of a sentence is split between words."""
    buffer = SentenceBuffer()
    ready = buffer.add("word " * 60)
    assert ready and all(not each.endswith("wor") for each in ready)
    assert "".join(ready + buffer.end()) == "word " * 60


def test_frames_have_one_length_and_all_characters() -> None:
    """Frames have one length, and each contains the characters that start in it."""
    config = read_config(
        {
            "model": "tts-rt-v2",
            "language": "en",
            "voice": "Nina",
            "audio_format": "pcm_s16le",
            "sample_rate": 8000,
        },
        (),
    )
    narrator = Narrator(ToneSynthesizer(), config, frame_ms=50, limit_sec=None)
    frames = [*narrator.say("Hello there."), *narrator.say(" You.")]
    assert "".join("".join(frame.characters) for frame in frames) == "Hello there. You."
    at = 0.0
    for frame in frames:
        assert all(at - 1e-3 <= start < at + frame.sec + 1e-3 for start in frame.starts)
        at += frame.sec
    assert at == pytest.approx(narrator.audio_sec)


def test_tones_are_deterministic_and_differ_by_voice() -> None:
    """The same text sounds the same every time, and another voice sounds different."""

    def speak(voice: str) -> bytes:
        chunks = ToneSynthesizer().speak("hello", voice=voice, language="en", sample_rate=8000)
        return b"".join(chunk.pcm for chunk in chunks)

    assert speak("Adrian") == speak("Adrian")
    assert speak("Adrian") != speak("Nina")
