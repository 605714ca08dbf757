"""Synthesised speech as copies of it are compared with it, and as bytes."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..resample import Samples, resample
from .alignment import sharpen
from .fingerprints import HOP, RATE, fingerprint

__all__ = ["Original", "Spoken", "Words", "name_of"]

# Frames 30 dB quieter than the loudest of their clip are not indexed: silence is in all speech.
_LOUD = 1e-3

Words = Sequence[tuple[str, int, int]]
"""Text, first sample, sample after the last."""


@dataclass(frozen=True, eq=False)
class Original:
    """Speech as it was synthesised, at 8 kHz, with its words. Immutable."""

    pcm: Samples
    """int16 at 8 kHz."""
    codes: Any
    """uint32, one per frame; frames follow at every `HOP` samples. 0 where it is too quiet."""
    words: tuple[tuple[str, int, int], ...]
    """Text, first sample, sample after the last; at `sample_rate`."""
    sample_rate: int
    voice: str
    language: str
    serial: int
    """Greater for later speech: nanoseconds since the epoch."""

    @property
    def sharpened(self) -> Any:
        """The samples as they are compared."""
        return _sharpened(self)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return _size(len(self.pcm))

    def to_bytes(self) -> bytes:
        """Return it as `from_bytes` reads it."""
        head = {
            "words": self.words,
            "sample_rate": self.sample_rate,
            "voice": self.voice,
            "language": self.language,
            "samples": len(self.pcm),
        }
        line = json.dumps(head).encode("ascii")
        return b"%s\n%s%s" % (
            line,
            self.pcm.astype("<i2").tobytes(),
            self.codes.astype("<u4").tobytes(),
        )

    @classmethod
    def from_bytes(cls, data: bytes, serial: int) -> Original:
        """Return what `to_bytes` gave.

        Raises
            ValueError: it is something else.
        """
        line, _, body = data.partition(b"\n")
        head = json.loads(line)
        try:
            size = 2 * int(head["samples"])
            return cls(
                np.frombuffer(body[:size], "<i2").astype(np.int16),
                np.frombuffer(body[size:], "<u4").astype(np.uint32),
                tuple((str(text), int(start), int(end)) for text, start, end in head["words"]),
                int(head["sample_rate"]),
                str(head["voice"]),
                str(head["language"]),
                serial,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not speech: {error!r}") from error


@functools.lru_cache(maxsize=32)
def _sharpened(original: Original) -> Any:
    """Return what takes four times the memory: only for those that are being heard."""
    return sharpen(original.pcm.astype(np.float64))


def _size(samples: int) -> int:
    # int16, and a code every 64 samples: itself, and in the table with its place
    return 2 * samples + samples // HOP * 24


@dataclass(frozen=True)
class Spoken:
    """Speech as it was synthesised. Immutable."""

    pcm: Samples
    sample_rate: int
    words: tuple[tuple[str, int, int], ...]
    voice: str
    language: str
    serial: int

    @property
    def size(self) -> int:
        """Bytes of memory once it is prepared; until then `SpeechIndex` holds the samples, too."""
        return _size(len(self.pcm) * RATE // self.sample_rate)

    def prepare(self) -> Original:
        """Return it as it is indexed; 150 times faster than it is spoken."""
        narrow = resample(self.pcm, self.sample_rate, RATE)
        found = fingerprint(narrow.astype(np.float64))
        loud = found.energies > _LOUD * found.energies.max(initial=1.0)
        return Original(
            narrow,
            np.where(loud, found.values, 0).astype(np.uint32),
            self.words,
            self.sample_rate,
            self.voice,
            self.language,
            self.serial,
        )


def name_of(seconds: float, words: Words, voice: str, language: str) -> str:
    """Return a name of what was said: the same for each synthesis of a sentence, at any rate."""
    texts = [text for text, *_ in words]
    said = repr((texts, voice, language, round(seconds, 1)))
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
