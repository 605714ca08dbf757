"""FLAC that arrives as a stream: counting its samples from its last frame."""

from __future__ import annotations

import io

from soniox_sync.audio.flac import FlacSaver, with_sample_count
from soniox_sync.audio.framing.flac import frame_at
from tests.fuzz.targets.pieces import pieces

TOKENS = (
    *(b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22", b"\xff\xf8", b"\xff\xf9", b"\x69\x08", b"\xc9\x08\0"),
    *(
        b"\x10\x00\x10\x00",
        b"\x0a\xc4\x40\xf0\0\0\0\0",
        b"\x79\x0c\xfe",
        b"\xfc\x80\x80\x80\x80\x80",
    ),
    b"\xff\xf8\x69\x08\x00\xc2",
)
_COUNT = slice(21, 26)


def check(data: bytes) -> None:
    """Count samples whole and in pieces: the same file, of which only the count differs."""
    size, audio = (data[0] if data else 1), data[1:]
    counted = with_sample_count(audio)
    assert len(counted) == len(audio)
    assert counted[: _COUNT.start] == audio[: _COUNT.start]
    assert counted[_COUNT.stop :] == audio[_COUNT.stop :]
    file = io.BytesIO()
    with FlacSaver(file) as saver:
        for piece in pieces(audio, size):
            saver.write(piece)
    assert file.getvalue() == counted, "depends on how it is cut"
    if len(audio) >= 16:
        frame_at(audio[:16])
