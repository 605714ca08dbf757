"""A voice whose audio can be read back: every character is a block of samples that holds its code.

What was heard then tells exactly which characters sounded, in which order, how often, and how much
of each. Characters of the basic plane only; `pcm_s16le` or WAV, mono.
"""

from __future__ import annotations

import array
import unicodedata
from collections.abc import Iterator, Sequence

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.base import Engines, SpokenChunk
from soniox_sync.sandbox.scripted import Script, ScriptedRecognizer

RATE = 8000
_BLOCK_SEC = 0.065


class LetterVoice:
    """Speaks one block per character: a mark, then the character's code again and again."""

    def voices(self) -> Sequence[str]:
        return ("Adrian",)

    def speak(
        self, text: str, *, voice: str, language: str, sample_rate: int, speed: float = 1.0
    ) -> Iterator[SpokenChunk]:
        length = _block(sample_rate)
        for at, char in enumerate(text):
            start = at * length / sample_rate
            samples = array.array("H", [0] + [ord(char)] * (length - 1))
            yield SpokenChunk(samples.tobytes(), (char,), (start,), (start + length / sample_rate,))


def _block(sample_rate: int) -> int:
    return int(_BLOCK_SEC * sample_rate)


def letter_engines() -> Engines:
    """Give engines that speak in letters."""
    return Engines(LetterVoice(), ScriptedRecognizer(Script(None)), "letters")


def read_letters(pcm: bytes) -> list[tuple[str, int]]:
    """Give the characters that sound in samples, and how many samples of each."""
    samples = array.array("H", pcm)
    found: list[tuple[str, int]] = []
    count = 0
    for before, sample in zip((0, *samples), samples):
        if sample == 0 or sample != before:
            if before and count:
                found.append((chr(before), count))
            count = 0
        count += sample != 0
    if samples and samples[-1] and count:
        found.append((chr(samples[-1]), count))
    return found


def heard(pcm: bytes) -> str:
    """Give the text that sounds in samples, without its spaces."""
    return collapsed("".join(char for char, _ in read_letters(pcm)))


def collapsed(text: str) -> str:
    """Give a text as the sandbox speaks it: its spaces do not count."""
    return "".join(text.split())


def sounding(text: str) -> str:
    """Give what of a text can be heard: marks alone, between two streams, are left out."""
    return "".join(char for char in text if unicodedata.category(char)[0] in "LNSM")


def client_of(sandbox: Sandbox) -> SonioxClient:
    """Make a client whose speech is small, raw and readable."""
    return sandbox.client(
        tts_defaults={"voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": RATE}
    )
