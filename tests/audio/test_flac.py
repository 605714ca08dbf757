"""FLAC that arrives as a stream: the number of samples in its header."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from soniox_sync.audio import flac, save_audio
from soniox_sync.audio.saving import save_whole, with_true_lengths
from soniox_sync.sandbox import Sandbox

TOTAL = slice(21, 26)


def streamed(samples: int, rate: int = 16000, channels: int = 1, subtype: str = "PCM_16") -> bytes:
    """Return noise as an encoder streams it: nothing at its beginning is corrected at the end."""
    soundfile = pytest.importorskip("soundfile")
    numpy = pytest.importorskip("numpy")

    file = io.BytesIO()
    noise = numpy.random.default_rng(samples).integers(-(2**14), 2**14, (samples, channels))
    with soundfile.SoundFile(file, "w", rate, channels, subtype=subtype, format="FLAC") as out:
        out.write(noise.astype("int16"))
        out.flush()
        head = file.getvalue()[:64]  # closing corrects it
    done = bytearray(head + file.getvalue()[64:])
    assert done[:4] == b"fLaC"
    assert int.from_bytes(done[TOTAL], "big") % (1 << 36) == 0
    return bytes(done)


def samples_in(data: bytes) -> int:
    """Return the number of samples that the header declares."""
    return int.from_bytes(data[TOTAL], "big") % (1 << 36)


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (1, {}),
        (100, {}),
        (4096, {}),
        (4097, {}),
        (123_457, {"rate": 24000}),
        (70_000, {"channels": 2, "rate": 44100}),
        (70_000, {"subtype": "PCM_24"}),
        (600_000, {"rate": 48000}),  # frame numbers of two bytes
    ],
)
@pytest.mark.parametrize("step", [7, 4096, 10**9])
def test_a_saved_stream_has_its_length(samples: int, options: dict[str, Any], step: int) -> None:
    """The number of samples is counted, however the stream is split, and soundfile reads all."""
    soundfile = pytest.importorskip("soundfile")
    data = streamed(samples, **options)
    file = io.BytesIO()
    chunks = (data[at : at + step] for at in range(0, len(data), step))
    assert save_audio(chunks, file, "flac") == len(data)
    saved = file.getvalue()
    assert samples_in(saved) == samples
    assert (saved[:21], saved[21] & 0xF0, saved[26:]) == (data[:21], data[21] & 0xF0, data[26:])
    assert file.tell() == len(saved)
    read, rate = soundfile.read(io.BytesIO(saved))
    assert (len(read), rate) == (samples, options.get("rate", 16000))
    assert with_true_lengths(data) == saved


def test_what_has_a_length_or_none_that_is_sure_is_left(tmp_path: Any) -> None:
    """A header with a length, a cut frame, bytes after the end and other data are not changed."""
    data = streamed(9000)
    complete = with_true_lengths(data)
    false = complete[:25] + b"\1" + complete[26:]
    for kept in (
        complete,
        false,
        data[:-1],
        data + b"\1",
        data[:60],
        data[:42],
        data[:20],
        b"ID3" + data,
        b"",
        b"fLaC" + b"\xff\xf8" * 50,
    ):
        assert save_audio([kept], tmp_path / "a.flac", "flac") == len(kept)
        assert (tmp_path / "a.flac").read_bytes() == kept == with_true_lengths(kept)


def test_a_file_that_cannot_go_back_is_written_unchanged(tmp_path: Any) -> None:
    """In append mode, in a pipe and after other data only what belongs to the stream is touched."""
    data = streamed(5000)
    path = tmp_path / "a.flac"
    with path.open("ab") as file:
        save_audio([data], file, "flac")
    assert path.read_bytes() == data
    reader, writer = os.pipe()
    with open(reader, "rb") as read, open(writer, "wb") as pipe:
        save_audio([data[:3000]], pipe, "flac")
        pipe.close()
        assert read.read() == data[:3000]
    file = io.BytesIO(b"before")
    file.seek(0, io.SEEK_END)
    save_audio([data], file, "flac")
    assert file.getvalue() == b"before" + with_true_lengths(data)


def test_a_path_is_replaced_by_a_file_with_its_length(tmp_path: Any) -> None:
    """What `save()` writes has its length, too."""
    data = streamed(5000)
    assert save_whole([data], tmp_path / "a.flac", "flac") == len(data)
    assert samples_in((tmp_path / "a.flac").read_bytes()) == 5000


def crc(data: bytes, polynomial: int, bits: int) -> bytes:
    """Return a checksum, computed bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> (bits - 1) else 0)) & ((1 << bits) - 1)
    return value.to_bytes(bits // 8, "big")


def frame(sync: bytes, number: bytes, samples: int) -> bytes:
    """Return a frame of one constant sample; `number` as it is coded."""
    head = sync + b"\x70\x08" + number + (samples - 1).to_bytes(2, "big")
    body = head + crc(head, 0x07, 8) + b"\x00\x01\x02"
    return body + crc(body, 0x8005, 16)


# blocks of 16 to 4096 samples, 16 kHz, mono, 16 bits, no number of samples
HEAD = b"fLaC\x80\x00\x00\x22" + bytes.fromhex("00101000" + "00" * 6 + "03e800f0" + "00" * 20)
EQUAL, VARIOUS = b"\xff\xf8", b"\xff\xf9"


@pytest.mark.parametrize(
    ("sync", "number", "total"),
    [
        (EQUAL, b"\x00", 10),
        (EQUAL, b"\x7f", 127 * 4096 + 10),
        (EQUAL, b"\xc2\x80", 128 * 4096 + 10),
        (VARIOUS, b"\x00", 10),
        (VARIOUS, b"\xc2\x80", 138),
        (VARIOUS, b"\xe0\xa0\x80", 2048 + 10),
        (VARIOUS, b"\xf0\x90\x80\x80", 65536 + 10),
        (VARIOUS, b"\xfc\x84\x80\x80\x80\x80", (1 << 26) + 10),
        (VARIOUS, b"\xfe\xa0\x80\x80\x80\x80\x80", (1 << 35) + 10),
        (VARIOUS, b"\xfe\xbf\xbf\xbf\xbf\xbf\xbf", None),  # one frame too many: 2**36 + 9
        (EQUAL, b"\x80", None),  # no number: the second byte of one
        (EQUAL, b"\xff", None),
    ],
)
def test_the_last_frame_tells_the_length(sync: bytes, number: bytes, total: Any) -> None:
    """Its number counts frames if all blocks are equal, otherwise samples."""
    data = HEAD + frame(sync, number, 10)
    assert len(HEAD) == 42
    saved = with_true_lengths(data)
    assert samples_in(saved) == (0 if total is None else total)


def test_a_frame_with_a_false_checksum_tells_nothing() -> None:
    """Neither the checksum of the head nor that of the frame may be wrong."""
    good = frame(EQUAL, b"\x05", 10)
    assert samples_in(with_true_lengths(HEAD + good)) == 5 * 4096 + 10
    for at in range(len(good)):
        bad = HEAD + good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]
        assert with_true_lengths(bad) == bad


@pytest.mark.parametrize("call", ["speak", "stream", "generate", "read", "file"])
def test_saved_speech_can_be_read(tmp_path: Any, call: str) -> None:
    """Whatever saves or returns a whole FLAC of the service, soundfile reads it."""
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "a.flac"
    voice: dict[str, Any] = {"voice": "Adrian", "language": "en", "audio_format": "flac"}
    with Sandbox(engines="tones") as sandbox, sandbox.client() as client:
        if call == "speak":
            client.realtime.speak("Hello world.", **voice).save(path)
        elif call == "file":
            client.tts.generate_to_file(path, text="Hello world.", **voice)
        elif call == "generate":
            path.write_bytes(client.tts.generate(text="Hello world.", **voice))
        else:
            with client.realtime.tts(**voice) as stream:
                stream.send_text("Hello world.", end=True)
                if call == "stream":
                    stream.save(path)
                else:
                    path.write_bytes(stream.read())
    samples, rate = soundfile.read(path)
    assert len(samples) / rate == pytest.approx(1.03, abs=0.1)


def test_a_tail_of_nothing_but_heads_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last frame is found in one pass, however many places look like the head of a frame."""
    passed = []
    real = flac._crc_backwards
    monkeypatch.setattr(
        flac, "_crc_backwards", lambda data, value: passed.append(len(data)) or real(data, value)
    )
    stream_info = b"\x10\0\x10\0" + bytes(6) + b"\x0a\xc4\x40\xf0" + bytes(20)
    heads = b"\xff\xf8\x69\x08\x00\x18" * 3000
    audio = b"fLaC\x80\0\0\x22" + stream_info + heads
    assert flac.with_sample_count(audio) == audio
    assert 0 < sum(passed) <= len(audio)
