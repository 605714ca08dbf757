"""Conversion of raw audio, in every format the service reads, to 16-bit mono (PROTOCOL 6.1)."""

from __future__ import annotations

import array
import sys
from typing import Callable

from . import g711
from .samples import pack, unpack

__all__ = ["RAW_FORMATS", "RawDecoder"]

_FLIP_SIGN = bytes(value ^ 0x80 for value in range(256))

# format -> (bytes per sample, converter to s16le)
RAW_FORMATS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {}


def _integer(width: int, big: bool, signed: bool) -> Callable[[bytes], bytes]:
    """Return a converter that keeps the two most significant bytes of each sample."""
    high = 0 if big else width - 1
    low = high + (1 if big else -1)

    def convert(data: bytes) -> bytes:
        out = bytearray(len(data) // width * 2)
        top = data[high::width]
        out[1::2] = top if signed else top.translate(_FLIP_SIGN)
        if width > 1:
            out[0::2] = data[low::width]
        return bytes(out)

    return convert


def _floating(code: str, big: bool) -> Callable[[bytes], bytes]:
    def convert(data: bytes) -> bytes:
        values = array.array(code, data)
        if big != (sys.byteorder == "big"):
            values.byteswap()
        return pack(array.array("h", [_clip(value) for value in values]))

    return convert


def _clip(value: float) -> int:
    # a NaN fails both comparisons and becomes silence
    if value >= 1.0:
        return 32767
    if value <= -1.0:
        return -32768
    return int(value * 32767) if value == value else 0


def _add_formats() -> None:
    for order, big in (("le", False), ("be", True)):
        for width in (2, 3, 4):
            for sign in "su":
                RAW_FORMATS[f"pcm_{sign}{width * 8}{order}"] = (
                    width,
                    _integer(width, big, sign == "s"),
                )
        RAW_FORMATS[f"pcm_f32{order}"] = (4, _floating("f", big))
        RAW_FORMATS[f"pcm_f64{order}"] = (8, _floating("d", big))
    RAW_FORMATS["pcm_s8"] = (1, _integer(1, False, True))
    RAW_FORMATS["pcm_u8"] = (1, _integer(1, False, False))
    RAW_FORMATS["mulaw"] = (1, g711.decode_mulaw)
    RAW_FORMATS["alaw"] = (1, g711.decode_alaw)


_add_formats()


class RawDecoder:
    """Converts raw audio, cut anywhere, to s16le mono; channels are averaged."""

    def __init__(self, audio_format: str, sample_rate: int, channels: int) -> None:
        self.sample_rate = sample_rate
        self._channels = channels
        width, self._convert = RAW_FORMATS[audio_format]
        self._frame = width * channels
        self._plain = audio_format == "pcm_s16le"
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Convert all whole frames; keep an incomplete one until the rest arrives."""
        data = self._rest + data
        whole = len(data) // self._frame * self._frame
        self._rest = data[whole:]
        pcm = data[:whole] if self._plain else self._convert(data[:whole])
        return pcm if self._channels == 1 else _mix(pcm, self._channels)

    def finish(self) -> bytes:
        """Return no audio: an incomplete frame is dropped."""
        return b""

    def close(self) -> None:
        """Do nothing."""


def _mix(pcm: bytes, count: int) -> bytes:
    samples = unpack(pcm)
    channels = [samples[number::count] for number in range(count)]
    return pack(array.array("h", [sum(frame) // count for frame in zip(*channels)]))
