"""`StartCheck`: the first chunks of a stream, cut anywhere."""

from __future__ import annotations

import pytest

from soniox_sync.audio.start import StartCheck
from soniox_sync.errors import ConfigurationError
from tests.audio.wav.helpers import PLAIN, chunk, fmt, riff

ADPCM = riff(
    chunk(b"LIST", b"INFO" + bytes(60)), chunk(b"fmt ", fmt(0x11, 1, 8000, 1)), chunk(b"data", b"")
)
M4A = b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100)


@pytest.mark.parametrize("step", [1, 5, 16, 40, 10_000])
@pytest.mark.parametrize(
    ("data", "audio_format", "message"),
    [
        (M4A, "auto", "data: expected audio .*, got m4a"),
        (M4A, "pcm_s16le", "data: expected audio .*, got m4a"),
        (PLAIN, "pcm_s16le", "data: expected samples without a header.*, got wav"),
        (ADPCM, "auto", "IMA ADPCM"),
        (ADPCM, "wav", "IMA ADPCM"),
    ],
)
def test_wrong_starts_are_refused(data: bytes, audio_format: str, message: str, step: int) -> None:
    """Wrong audio is refused at the first chunk that shows it."""
    start = StartCheck(audio_format)
    with pytest.raises(ConfigurationError, match=message):
        for at in range(0, len(data), step):
            start.check(data[at : at + step], "data")


@pytest.mark.parametrize("step", [1, 16, 10_000])
@pytest.mark.parametrize(("data", "audio_format"), [(PLAIN, "auto"), (bytes(100), "pcm_s16le")])
def test_what_follows_the_start_is_not_checked(data: bytes, audio_format: str, step: int) -> None:
    """After a start that was accepted, bytes that look like another file are audio."""
    start = StartCheck(audio_format)
    for at in range(0, len(data), step):
        start.check(data[at : at + step], "data")
    start.check(M4A, "data")


def test_a_refused_chunk_does_not_count() -> None:
    """After a chunk was refused, the next one is checked as the start."""
    start = StartCheck("auto")
    for wrong in (M4A, ADPCM, b"\0\0\0\x20", M4A[4:]):
        if wrong == b"\0\0\0\x20":
            start.check(wrong, "data")  # too short to be recognised
        else:
            with pytest.raises(ConfigurationError):
                start.check(wrong, "data")
    start.check(bytes(100), "data")
    start.check(M4A, "data")


def test_a_long_header_is_not_kept_for_ever() -> None:
    """A WAV whose metadata is longer than 64 KiB is accepted unseen."""
    start = StartCheck("auto")
    start.check(riff(chunk(b"LIST", bytes(70_000))), "data")
    start.check(M4A, "data")
