"""What happens to speech between a synthesizer and a recogniser."""

from __future__ import annotations

import io
import wave
from typing import Any, Callable

import numpy as np

from soniox_sync.sandbox.audio import g711
from soniox_sync.sandbox.audio.containers import AutoDecoder
from soniox_sync.sandbox.audio.encoders import open_encoder

Damage = Callable[[Any, int], tuple[bytes, int]]
"""Converts samples (int16) at a rate to s16le at another."""

# what the encoder of mp3 puts before the first sample, in samples at the decoder's rate
MP3_DELAY_MS = 70


def resample_to(rate: int) -> Damage:
    """Resample by the spectrum: nothing in common with the filter of the sandbox."""

    def convert(samples: Any, before: int) -> tuple[bytes, int]:
        length = len(samples) * rate // before
        # half a second of silence keeps the end out of the beginning
        padded = np.concatenate((samples, np.zeros(before // 2)))
        size = len(padded) * rate // before
        spectrum = np.fft.rfft(padded)
        kept = np.zeros(size // 2 + 1, complex)
        common = min(len(kept), len(spectrum)) - 1
        kept[:common] = spectrum[:common]
        return pack(np.fft.irfft(kept, size)[:length] * rate / before), rate

    return convert


def quieter(decibels: float) -> Damage:
    """Reduce the volume."""
    return lambda samples, rate: (pack(samples * 10 ** (-decibels / 20)), rate)


def inverted(samples: Any, rate: int) -> tuple[bytes, int]:
    """Swap the polarity, as a cable or a mixer may."""
    return pack(-samples), rate


def encode(audio_format: str) -> Damage:
    """Encode as the sandbox does, in pieces, and decode as it does."""

    def convert(samples: Any, rate: int) -> tuple[bytes, int]:
        encoder = open_encoder(audio_format, rate, None)
        pcm = pack(samples)
        pieces = [encoder.feed(pcm[at : at + 9600]) for at in range(0, len(pcm), 9600)]
        return decode(b"".join(pieces) + encoder.finish())

    return convert


def decode(data: bytes) -> tuple[bytes, int]:
    """Decode audio with a header; return s16le and its rate."""
    decoder = AutoDecoder()
    pcm = decoder.feed(data) + decoder.finish()
    return pcm, decoder.sample_rate


def telephone(samples: Any, rate: int) -> tuple[bytes, int]:
    """Resample to 8 kHz and compand as mu-law."""
    pcm, rate = resample_to(8000)(samples, rate)
    return g711.decode_mulaw(g711.encode_mulaw(pcm)), rate


def stereo(samples: Any, rate: int) -> tuple[bytes, int]:
    """Write a WAV with two channels, the second quieter, and decode it."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pack(np.stack((samples, samples * 0.6), axis=1).ravel()))
    return decode(out.getvalue())


def pack(samples: Any) -> bytes:
    """Return samples as s16le."""
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
