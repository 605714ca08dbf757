"""Map the service's voices and languages to those of espeak-ng."""

from __future__ import annotations

import zlib
from typing import Dict, Tuple

from ..catalog import TTS_LANGUAGES, VOICES
from .espeak_library import VoiceSetting

__all__ = ["find_voice"]

# Where espeak-ng's name differs. The last three it does not speak: a neighbour's voice reads them.
_LANGUAGES: Dict[str, str] = {"en": "en-us", "no": "nb", "zh": "cmn", "tl": "id", "su": "id",
                              "gl": "pt"}  # fmt: skip

# Throats that sound clearly like a person; the rest of espeak-ng's variants are robots and jokes.
_THROATS: Dict[str, Tuple[str, ...]] = {
    "male": ("m3", "m1", "m7", "m2", "m8", "m4", "m6"),
    "female": ("f2", "f4", "f1", "f3", "f5"),
}
# Pitch of the first, second, ... voice that shares a throat.
_PITCHES = (50, 38, 62, 44, 56, 70, 30)
_NORMAL_WORDS_PER_MINUTE = 165


def find_voice(voice: str, language: str, speed: float) -> VoiceSetting:
    """Return how espeak-ng speaks as `voice` in `language`.

    Raises: ValueError for a voice that is not on the roster, a language that is not on the list.
    """
    if voice not in VOICES:
        raise ValueError(f"unknown voice {voice!r}")
    if language not in TTS_LANGUAGES:
        raise ValueError(f"unknown language {language!r}")
    throats = _THROATS[VOICES[voice]]
    number = [name for name in VOICES if VOICES[name] == VOICES[voice]].index(voice)
    lap, throat = divmod(number, len(throats))
    # a voice keeps its own tempo and liveliness, whatever the order of the roster
    character = zlib.crc32(voice.encode("utf-8"))
    pace = _NORMAL_WORDS_PER_MINUTE - 8 + character % 17
    return VoiceSetting(
        name=f"{_LANGUAGES.get(language, language)}+{throats[throat]}",
        words_per_minute=round(pace * speed),
        pitch=_PITCHES[lap % len(_PITCHES)],
        pitch_range=40 + character // 17 % 25,
    )
