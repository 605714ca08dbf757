"""Containers: signatures, and where audio can be entered; FLAC, Ogg, WebM, mp3 and AAC."""

from __future__ import annotations

import math

from soniox_sync.audio.framing.base import Framing, Mark
from soniox_sync.audio.framing.choose import framing_of, kind_of
from soniox_sync.audio.signatures import check_start
from soniox_sync.errors import ConfigurationError
from tests.fuzz.targets.pieces import pieces

TOKENS = (
    *(b"fLaC", b"OggS\0\x02", b"OggS\0\0", b"OpusHead\x01\x01", b"\x01vorbis", b"\x7fFLAC\x01\0"),
    *(b"Speex   ", b"ID3\x04\0\0\0\0\0\0", b"\x1a\x45\xdf\xa3\x80", b"\x18\x53\x80\x67\xff"),
    *(
        b"\x1f\x43\xb6\x75\xff",
        b"\xe7\x81\x05",
        b"\xa3\x84\x81\0\0\x80",
        b"\xa0\x86",
        b"\xa1\x84\x81\0",
    ),
    *(
        b"\x15\x49\xa9\x66\x84",
        b"\x2a\xd7\xb1\x81",
        b"\x16\x54\xae\x6b\x86",
        b"\xae\x84\xd7\x81\x01",
    ),
    *(
        b"\x83\x81\x02",
        b"\x63\xa2\x90",
        b"\xff\xfb\x90\x00",
        b"\xff\xf3\x40\xc0",
        b"\xff\xf1\x50\x80",
    ),
    *(b"\xff\xf8\x69\x08\x00", b"Xing", b"ftypM4A ", b"RIFF", b"FORM", b"\x80\0\0\x22"),
)


def check(data: bytes) -> None:
    """Follow a container whole and in pieces: the same marks, in order, none beyond its end."""
    size, audio = (data[0] if data else 1), data[1:]
    for declared in ("auto", "wav", "pcm_s16le", kind_of(audio) or "mp3"):
        try:
            check_start(audio, declared)
        except ConfigurationError:
            pass
    whole = framing_of(audio)
    cut = framing_of(audio)
    if whole is None or cut is None:
        return
    marks = whole.feed(audio)
    _check(whole, marks, len(audio))
    found: list[Mark] = []
    for piece in pieces(audio, size):
        found += cut.feed(piece)
    # a broken container is not followed to its end, wherever that was seen
    assert whole.is_broken == cut.is_broken, "depends on how it is cut"
    assert found == marks or whole.is_broken, "marks depend on how it is cut"


def _check(framing: Framing, marks: list[Mark], size: int) -> None:
    assert math.isfinite(framing.end_ms) and framing.end_ms >= 0
    at, headers = 0, 0
    for mark in marks:
        assert at <= mark.position <= size, "a mark out of order"
        at = mark.position
        assert math.isfinite(mark.ms) and mark.ms >= 0 and math.isfinite(mark.lead_ms)
        headers = max(headers, len(mark.header or b""))
    # what is repeated at a start was in the stream, but for the frames that precede an mp3's
    assert headers <= size + 20_000
