"""WAV headers, parsed from chunks of any size, and the samples after them."""

from __future__ import annotations

import io
import struct
from typing import Optional

from soniox_sync.audio.start import StartCheck
from soniox_sync.audio.wav.header import WavHeader, WavParser, wav_header
from soniox_sync.audio.wav.reader import WavReader
from soniox_sync.errors import ConfigurationError
from tests.fuzz.targets.pieces import pieces

TOKENS = (
    *(b"RIFF", b"RF64", b"BW64", b"RIFX", b"WAVE", b"fmt \x10\0\0\0", b"data", b"ds64\x1c\0\0\0"),
    *(
        b"LIST\x04\0\0\0abcd",
        b"JUNK\x01\0\0\0\0",
        b"fact\x04\0\0\0\0\0\0\0",
        b"\xfe\xff",
        b"\x06\0",
    ),
    *(b"\x01\0\x01\0", b"\x10\0\x10\0", b"\xff\xff\xff\xff", b"\x80\x3e\0\0", b"data\0\0\0\0"),
    bytes.fromhex("0100000000001000800000aa00389b71"),
    struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8),
)


def check(data: bytes) -> None:
    """Parse a header whole and in pieces: the same header and rest, or the same refusal."""
    size, wav = (data[0] if data else 1), data[1:]
    whole = _parse([wav] if wav else [])
    assert whole == _parse(pieces(wav, size)), "depends on how it is cut"
    header = whole[0]
    if isinstance(header, WavHeader):
        assert wav[header.data_offset :] == whole[1], "samples lost or added"
        assert header.duration_ms is None or header.duration_ms >= 0
        built = wav_header(
            header.audio_format, sample_rate=header.sample_rate, num_channels=header.num_channels
        )
        assert WavParser().feed(built) is not None
    _read(wav, header)
    check_start = StartCheck("auto")
    try:
        for piece in pieces(wav, size):
            check_start.check(piece, "audio")
    except ConfigurationError:
        pass


def _parse(parts: list[bytes]) -> tuple[object, bytes]:
    """Return header and samples, or that it was refused: why may depend on what had come."""
    parser = WavParser()
    try:
        for number, part in enumerate(parts):
            if parser.feed(part) is not None:
                return parser.header, parser.rest + b"".join(parts[number + 1 :])
        return parser.finish(), parser.rest
    except ConfigurationError:
        return "refused", b""


def _read(wav: bytes, header: object) -> None:
    reader: Optional[WavReader] = None
    try:
        reader = WavReader(io.BytesIO(wav))
    except ConfigurationError:
        assert not isinstance(header, WavHeader)
        return
    assert reader.header == header
    frame = reader.header.raw_audio.bytes_per_frame
    found = b"".join(reader.chunks())
    length = len(wav) - reader.header.data_offset
    if reader.header.data_bytes is not None:
        length = min(length, reader.header.data_bytes)
    # whole chunks of what there is; of the last one whole frames
    assert length - frame < len(found) <= length
