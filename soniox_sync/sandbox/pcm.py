"""Raw audio of every format the service reads, turned into 16-bit mono (PROTOCOL 6.1)."""

from __future__ import annotations

import array
import sys
from typing import Callable

from . import g711

__all__ = ["RAW_FORMATS", "RawDecoder", "bytes_per_sample"]

_FLIP = bytes(value ^ 0x80 for value in range(256))

# format -> (bytes per sample, converter to s16le)
RAW_FORMATS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {}


def _integer(width: int, big: bool, signed: bool) -> Callable[[bytes], bytes]:
    """Make a converter that keeps the two most significant bytes."""
    high = 0 if big else width - 1
    low = high + (1 if big else -1)

    def convert(data: bytes) -> bytes:
        out = bytearray(len(data) // width * 2)
        top = data[high::width]
        out[1::2] = top if signed else top.translate(_FLIP)
        if width > 1:
            out[0::2] = data[low::width]
        return bytes(out)

    return convert


def _floating(code: str, big: bool) -> Callable[[bytes], bytes]:
    def convert(data: bytes) -> bytes:
        values = array.array(code, data)
        if big != (sys.byteorder == "big"):
            values.byteswap()
        out = array.array("h", [_clip(value) for value in values])
        if sys.byteorder == "big":
            out.byteswap()
        return out.tobytes()

    return convert


def _clip(value: float) -> int:
    # a NaN fails both comparisons and becomes silence
    if value >= 1.0:
        return 32767
    if value <= -1.0:
        return -32768
    return int(value * 32767) if value == value else 0


def _fill() -> None:
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


_fill()


def bytes_per_sample(audio_format: str) -> int:
    """Tell the width of one sample of one channel."""
    return RAW_FORMATS[audio_format][0]


class RawDecoder:
    """Turns raw audio, cut anywhere, into s16le mono; channels are averaged."""

    def __init__(self, audio_format: str, sample_rate: int, channels: int) -> None:
        self.sample_rate = sample_rate
        self._channels = channels
        width, self._convert = RAW_FORMATS[audio_format]
        self._frame = width * channels
        self._plain = audio_format == "pcm_s16le"
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Convert all whole frames; the rest waits for more."""
        data = self._rest + data
        whole = len(data) // self._frame * self._frame
        self._rest = data[whole:]
        pcm = data[:whole] if self._plain else self._convert(data[:whole])
        return pcm if self._channels == 1 else _mix(pcm, self._channels)

    def finish(self) -> bytes:
        """End: half a frame is no audio."""
        return b""

    def close(self) -> None:
        """Hold nothing."""


def _mix(pcm: bytes, channels: int) -> bytes:
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    lanes = [samples[lane::channels] for lane in range(channels)]
    mixed = array.array("h", [sum(frame) // channels for frame in zip(*lanes)])
    if sys.byteorder == "big":
        mixed.byteswap()
    return mixed.tobytes()
