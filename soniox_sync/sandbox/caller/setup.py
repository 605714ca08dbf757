"""Making a scripted caller: checks, and the speech of its lines."""

from __future__ import annotations

from collections.abc import Iterable

from ..._support import checks as _checks
from ...audio import stt_format_name
from ...errors import ConfigurationError
from .. import engines as _engines
from ..engines.base import EngineError, Engines
from .caller import FORMATS, Caller
from .lines import Line, StepInput, read_steps

__all__ = ["make_caller"]


def make_caller(
    engines: Engines,
    lines: Iterable[StepInput],
    voice: str,
    language: str,
    audio_format: str,
    sample_rate: int,
    speed: float,
) -> Caller:
    """Return a caller whose lines are synthesised already, so that it is never late.

    Raises
        ConfigurationError: an argument is wrong, or there is no speech engine.
        InputTypeError: an argument of the wrong type.
    """
    steps = read_steps(lines)
    _checks.text()("voice", voice)
    _checks.text()("language", language)
    _checks.text()("audio_format", audio_format)
    audio_format = stt_format_name(audio_format)
    _checks.one_of(FORMATS)("audio_format", audio_format)
    _checks.integer(1)("sample_rate", sample_rate)
    _checks.number()("speed", speed)
    if speed <= 0:
        raise _checks.wrong_value("speed", "a number above 0", speed)
    if engines.name == "tones" or _engines.SYNTHESIZER in engines.missing:
        missing = _engines.explain_missing(_engines.SYNTHESIZER)
        raise ConfigurationError(f"a caller needs the sandbox's voices: {missing}")
    texts = {step.text for step in steps if isinstance(step, Line)}
    try:
        spoken = {
            text: b"".join(
                chunk.pcm
                for chunk in engines.synthesizer.speak(
                    text, voice=voice, language=language, sample_rate=sample_rate
                )
            )
            for text in texts
        }
        return Caller(steps, spoken, engines.recognizer, audio_format, sample_rate, speed)
    except (ValueError, EngineError) as error:
        raise ConfigurationError(f"the caller cannot speak: {error}") from error
