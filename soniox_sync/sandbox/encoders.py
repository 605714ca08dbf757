"""Speech in the format that was asked for (PROTOCOL 6.2)."""

from __future__ import annotations

import array
import io
import struct
import sys
from typing import Any, Callable, Optional, Protocol

from . import g711
from .problems import bad_request

__all__ = ["Encoder", "open_encoder"]

# nobody knows the length of a streamed WAV
_UNKNOWN = 0xFFFFFFFF
_DEFAULT_MP3_BITRATE = 64000


class Encoder(Protocol):
    """Turns s16le mono, whole samples, into one audio format."""

    def feed(self, pcm: bytes) -> bytes:
        """Encode; may hold back."""

    def finish(self) -> bytes:
        """Give what was held back, and the container's end."""


def open_encoder(audio_format: str, sample_rate: int, bitrate: Optional[int]) -> Encoder:
    """Make the encoder for one stream.

    Raises `Problem` 400, naming what to install, when the sandbox cannot write the format.
    """
    convert = _CONVERTERS.get(audio_format)
    if convert is not None:
        return _Converter(convert)
    if audio_format == "wav":
        return _Wav(sample_rate)
    if audio_format in _LIBSNDFILE:
        return _Compressed(audio_format, sample_rate, bitrate)
    raise bad_request(
        f"The sandbox cannot write {audio_format}: no encoder for it is known. Use wav or pcm_*."
    )


def _to_float(pcm: bytes) -> bytes:
    samples = array.array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    values = array.array("f", [sample / 32768 for sample in samples])
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


_CONVERTERS: dict[str, Callable[[bytes], bytes]] = {
    "pcm_s16le": bytes,
    "pcm_f32le": _to_float,
    "pcm_mulaw": g711.encode_mulaw,
    "pcm_alaw": g711.encode_alaw,
}


class _Converter:
    def __init__(self, convert: Callable[[bytes], bytes]) -> None:
        self.feed = convert

    def finish(self) -> bytes:
        return b""


class _Wav:
    """Writes PCM behind one header whose sizes say: unknown."""

    def __init__(self, sample_rate: int) -> None:
        self._head = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            _UNKNOWN,
            b"WAVE",
            b"fmt ",
            16,
            1,
            1,
            sample_rate,
            sample_rate * 2,
            2,
            16,
            b"data",
            _UNKNOWN,
        )

    def feed(self, pcm: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + pcm

    def finish(self) -> bytes:
        return self.feed(b"")


class _Compressed:
    """Writes mp3, flac or Ogg Opus with soundfile, as it comes.

    What libsndfile would set right at the file's beginning when it is closed stays as it was: a
    stream cannot go back.
    """

    def __init__(self, audio_format: str, sample_rate: int, bitrate: Optional[int]) -> None:
        try:
            import soundfile
        except (ImportError, OSError):  # OSError: without its library
            raise bad_request(
                f"The sandbox needs soundfile to write {audio_format} (python -m pip install "
                "soundfile). wav and pcm_* need nothing."
            ) from None
        kind, subtype = _LIBSNDFILE[audio_format]
        more: dict[str, Any] = {}
        if audio_format == "mp3":
            more = {
                "bitrate_mode": "CONSTANT",
                "compression_level": _mp3_level(sample_rate, bitrate or _DEFAULT_MP3_BITRATE),
            }
        self._out = io.BytesIO()
        self._told = 0
        self._file: Any = soundfile.SoundFile(
            self._out, "w", sample_rate, 1, subtype=subtype, format=kind, **more
        )

    def feed(self, pcm: bytes) -> bytes:
        if pcm:
            self._file.buffer_write(pcm, dtype="int16")
        return self._new()

    def finish(self) -> bytes:
        self._file.close()
        return self._new()

    def _new(self) -> bytes:
        with self._out.getbuffer() as written:
            data = bytes(written[self._told :])
        self._told += len(data)
        return data


# format -> libsndfile's names of container and codec
_LIBSNDFILE = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "opus": ("OGG", "OPUS"),
}


def _mp3_level(sample_rate: int, bitrate: int) -> float:
    """Give libsndfile's 0..1 for a bitrate: it counts down over what MPEG 1 or 2 allows."""
    lowest, highest = (32_000, 320_000) if sample_rate >= 32_000 else (8_000, 160_000)
    return min(0.999, max(0.0, (highest - bitrate) / (highest - lowest)))
