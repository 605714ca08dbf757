"""Encoders for the output formats of speech (PROTOCOL 6.2)."""

from __future__ import annotations

import array
import io
import struct
from typing import Any, Callable, Optional, Protocol

from ..problems import bad_request
from . import g711
from .piped import PipedEncoder, aac_command
from .samples import pack, unpack

__all__ = ["Encoder", "open_encoder"]

# size fields of a streamed WAV: its length is unknown
_UNKNOWN = 0xFFFFFFFF
# bits per second
_DEFAULT_BITRATE = 64000


class Encoder(Protocol):
    """Encoder of whole s16le mono samples in one audio format."""

    def feed(self, pcm: bytes) -> bytes:
        """Encode samples; part of the result may be held back."""

    def finish(self) -> bytes:
        """Return what was held back, and the end of the container."""

    def close(self) -> None:
        """Release what the encoder uses, also before its end. Idempotent."""


def open_encoder(audio_format: str, sample_rate: int, bitrate: Optional[int]) -> Encoder:
    """Return an encoder for one stream. `sample_rate` in Hz, `bitrate` in bits per second.

    Raises
        Problem: 400 if the sandbox cannot write the format; the message names the package to
            install.
    """
    convert = _CONVERTERS.get(audio_format)
    if convert is not None:
        return _Converter(convert)
    if audio_format == "wav":
        return _Wav(sample_rate)
    if audio_format in _LIBSNDFILE:
        return _Compressed(audio_format, sample_rate, bitrate)
    if audio_format == "aac":
        return PipedEncoder(aac_command(sample_rate, bitrate or _DEFAULT_BITRATE))
    raise bad_request(
        f"The sandbox cannot write {audio_format}: it has no encoder for it. Use wav or pcm_*."
    )


def _to_float(pcm: bytes) -> bytes:
    return pack(array.array("f", [sample / 32768 for sample in unpack(pcm)]))


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

    def close(self) -> None:
        pass


class _Wav:
    """Writes PCM after a header with unknown sizes."""

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

    def close(self) -> None:
        pass


class _Compressed:
    """Writes mp3, flac or Ogg Opus with soundfile, as a stream.

    What libsndfile corrects at the start of a file when closing it is lost: those bytes have been
    sent already.
    """

    def __init__(self, audio_format: str, sample_rate: int, bitrate: Optional[int]) -> None:
        try:
            import soundfile
        except (ImportError, OSError):  # OSError: without its library
            raise bad_request(
                f"The sandbox needs soundfile to write {audio_format} (python -m pip install "
                "soundfile). wav and pcm_* need no package."
            ) from None
        container, codec = _LIBSNDFILE[audio_format]
        options: dict[str, Any] = {}
        if audio_format == "mp3":
            options = {
                "bitrate_mode": "CONSTANT",
                "compression_level": _mp3_level(sample_rate, bitrate or _DEFAULT_BITRATE),
            }
        self._out = io.BytesIO()
        self._taken = 0
        self._file: Any = soundfile.SoundFile(
            self._out, "w", sample_rate, 1, subtype=codec, format=container, **options
        )

    def feed(self, pcm: bytes) -> bytes:
        if pcm:
            self._file.buffer_write(pcm, dtype="int16")
        return self._take_written()

    def finish(self) -> bytes:
        self._file.close()
        return self._take_written()

    def close(self) -> None:
        self._file.close()

    def _take_written(self) -> bytes:
        with self._out.getbuffer() as written:
            data = bytes(written[self._taken :])
        self._taken += len(data)
        return data


# format -> libsndfile's names of container and codec
_LIBSNDFILE = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "opus": ("OGG", "OPUS"),
}


def _mp3_level(sample_rate: int, bitrate: int) -> float:
    """Return libsndfile's compression level: 0 is the highest bitrate, 1 the lowest."""
    # of MPEG 1 and 2, bits per second
    lowest, highest = (32_000, 320_000) if sample_rate >= 32_000 else (8_000, 160_000)
    return min(0.999, max(0.0, (highest - bitrate) / (highest - lowest)))
