"""Mapping the service's voices and languages to those of espeak-ng."""

from __future__ import annotations

import zlib

from ...catalog import TTS_LANGUAGES, VOICES
from .library import VoiceSetting

__all__ = ["find_voice"]

# Languages with another name in espeak-ng. It does not have the last three: a related one is used.
_LANGUAGES: dict[str, str] = {"en": "en-us", "no": "nb", "zh": "cmn", "tl": "id", "su": "id",
                              "gl": "pt"}  # fmt: skip

# Variants that sound like a person; the others sound like robots, or are jokes.
_VARIANTS: dict[str, tuple[str, ...]] = {
    "male": ("m3", "m1", "m7", "m2", "m8", "m4", "m6"),
    "female": ("f2", "f4", "f1", "f3", "f5"),
}
# Pitch of the first, second, ... voice that shares a variant.
_PITCHES = (50, 38, 62, 44, 56, 70, 30)
_NORMAL_WORDS_PER_MINUTE = 165


def find_voice(voice: str, language: str, speed: float) -> VoiceSetting:
    """Return how espeak-ng speaks as `voice` in `language`; `speed` is a factor, 1.0 normal.

    Raises
        ValueError: the voice or the language is not one of the service's.
    """
    if voice not in VOICES:
        raise ValueError(f"unknown voice {voice!r}")
    if language not in TTS_LANGUAGES:
        raise ValueError(f"unknown language {language!r}")
    variants = _VARIANTS[VOICES[voice]]
    number = [name for name in VOICES if VOICES[name] == VOICES[voice]].index(voice)
    lap, variant = divmod(number, len(variants))
    # the pace and intonation of a voice do not depend on the order of the list
    character = zlib.crc32(voice.encode("utf-8"))
    pace = _NORMAL_WORDS_PER_MINUTE - 8 + character % 17
    return VoiceSetting(
        name=f"{_LANGUAGES.get(language, language)}+{variants[variant]}",
        words_per_minute=round(pace * speed),
        pitch=_PITCHES[lap % len(_PITCHES)],
        pitch_range=40 + character // 17 % 25,
    )
