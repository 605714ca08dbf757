"""A voice whose audio can be read back: each character is a block of samples with its code.

Tests can see exactly which characters were spoken, in which order, how often, and how much of
each. Characters of the basic plane only; `pcm_s16le` or WAV, mono.
"""

from __future__ import annotations

import array
import unicodedata
from collections.abc import Iterator, Sequence

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.base import Engines, SpokenChunk
from soniox_sync.sandbox.engines.scripted import Script, ScriptedRecognizer

RATE = 8000
_BLOCK_SEC = 0.065
LONG = "This is a sentence of about sixty characters, more or less. " * 40  # three streams


class LetterVoice:
    """Voice that speaks a block per character: a zero, then the code of the character."""

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
    """Return engines that speak in letters."""
    return Engines(LetterVoice(), ScriptedRecognizer(Script(None)), "letters")


def read_letters(pcm: bytes) -> list[tuple[str, int]]:
    """Return the characters in the samples, each with its number of samples."""
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


def spoken_in(pcm: bytes) -> str:
    """Return the text in the samples, without its spaces."""
    return collapsed("".join(char for char, _ in read_letters(pcm)))


def collapsed(text: str) -> str:
    """Return a text without spaces, as the sandbox speaks it."""
    return "".join(text.split())


def audible(text: str) -> str:
    """Return a text without punctuation, which between streams is not spoken."""
    return "".join(char for char in text if unicodedata.category(char)[0] in "LNSM")


def client_of(sandbox: Sandbox) -> SonioxClient:
    """Make a client whose speech is small, raw and readable."""
    return sandbox.client(
        tts_defaults={"voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": RATE}
    )


def streams_of(sandbox: Sandbox) -> int:
    """Return how many streams a sandbox has served."""
    return int(sandbox.log.totals["tts.streams"])
