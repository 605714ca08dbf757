"""Synthesizer without any library: one short tone per character, with exact times."""

from __future__ import annotations

import array
import functools
import math
import zlib
from collections.abc import Iterator, Sequence

from ..audio.samples import pack
from ..catalog import VOICES
from .base import SpokenChunk

__all__ = ["ToneSynthesizer"]

# 65 ms per character is about the pace of speech: 15 characters per second
_CHARACTER_SEC = 0.065
_PAUSE_SEC = 0.25
_ENDS = ".!?。！？…"
_LEVEL = 9000
# pentatonic steps: any sequence of letters sounds bearable
_SCALE = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24)


class ToneSynthesizer:
    """Plays tones for letters and digits, and silence for the rest. Thread-safe, deterministic.

    Every character lasts 65 ms at speed 1.0, and one that ends a sentence 250 ms more.
    """

    def voices(self) -> Sequence[str]:
        """Return the names of the voices, each of which has its own pitch."""
        return tuple(VOICES)

    def speak(
        self, text: str, *, voice: str, language: str, sample_rate: int, speed: float = 1.0
    ) -> Iterator[SpokenChunk]:
        """Yield one chunk per word, with the times of its characters."""
        done = 0
        base = 110.0 * 2 ** (zlib.crc32(voice.encode("utf-8")) % 997 / 997)
        for word in _words(text):
            pieces: list[bytes] = []
            marks = [done]
            for character in word:
                pieces.append(_character_tone(character, base, sample_rate, speed))
                done += len(pieces[-1]) // 2
                marks.append(done)
            seconds = [mark / sample_rate for mark in marks]
            yield SpokenChunk(
                b"".join(pieces), tuple(word), tuple(seconds[:-1]), tuple(seconds[1:])
            )


def _words(text: str) -> Iterator[str]:
    """Cut after every space."""
    start = 0
    for at, character in enumerate(text):
        if character.isspace():
            yield text[start : at + 1]
            start = at + 1
    if start < len(text):
        yield text[start:]


def _character_tone(character: str, base: float, rate: int, speed: float) -> bytes:
    step = ord(character.lower()) if character.isalnum() else -1
    pause = _PAUSE_SEC if character in _ENDS else 0.0
    return _tone(step % 97 if step >= 0 else -1, base, rate, round(speed, 3), pause)


@functools.lru_cache(maxsize=4096)
def _tone(step: int, base: float, rate: int, speed: float, pause: float) -> bytes:
    length = round((_CHARACTER_SEC + pause) * rate / speed)
    if step < 0:
        return bytes(2 * length)
    hertz = base * 2 ** (_SCALE[step % len(_SCALE)] / 12)
    step_angle = 2 * math.pi * hertz / rate
    # a half sine as envelope, so that tones follow each other without a click
    samples = array.array(
        "h",
        (
            int(_LEVEL * math.sin(math.pi * at / length) * math.sin(step_angle * at))
            for at in range(length)
        ),
    )
    return pack(samples)
