"""Binding for the C library espeak-ng, which is in the package `espeakng-loader`."""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from ..base import EngineError
from ..resample import Samples

__all__ = ["Utterance", "VoiceSetting", "synthesize"]

# constants of espeak-ng's public header `speak_lib.h`
_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_UTF8_WITH_END_PAUSE = 0x1001
_EVENT_END_OF_LIST, _EVENT_WORD = 0, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
# milliseconds of sound per callback; a synchronous call collects them all anyway
_BUFFER_MS = 200


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class VoiceSetting:
    """Voice of espeak-ng: its name (language and variant), pace and intonation."""

    name: str
    words_per_minute: int
    pitch: int
    """0 - 99"""
    pitch_range: int
    """0 - 99"""


@dataclass(frozen=True)
class Utterance:
    """Speech, and where its words start: (position in the text, sample)."""

    samples: Samples
    sample_rate: int
    words: tuple[tuple[int, int], ...]


class _Collector:
    """Collects what the C library delivers; `utterance` raises exceptions of its callback."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._words: list[tuple[int, int]] = []
        self._error: Optional[BaseException] = None
        self.callback = _CALLBACK(self._take)

    def _take(self, samples: Any, count: int, events: Any) -> int:
        try:
            if samples and count > 0:
                self._pieces.append(ctypes.string_at(samples, 2 * count))
            self._read_events(events)
        except BaseException as error:  # noqa: BLE001 - nothing may pass through a C stack frame
            self._error = error
            return 1
        return 0

    def _read_events(self, events: Any) -> None:
        at = 0
        while events and events[at].type != _EVENT_END_OF_LIST:
            if events[at].type == _EVENT_WORD:
                self._words.append((events[at].text_position - 1, events[at].sample))
            at += 1

    def utterance(self, sample_rate: int) -> Utterance:
        if self._error is not None:
            raise self._error
        samples: Samples = np.frombuffer(b"".join(self._pieces), np.int16)
        return Utterance(samples, sample_rate, tuple(self._words))


# Guards the C library, whose state is global. Held for one sentence (some milliseconds), and during
# every fork, so that a child never inherits it in the middle of a sentence. Reentrant because a
# signal handler may fork while its own thread is speaking. Leaf.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def synthesize(text: str, voice: VoiceSetting) -> Utterance:
    """Speak one piece of text. Thread-safe: calls run one after another.

    The library is loaded again for each piece (3 ms). Its random pitch flutter and wave phase are
    in static variables that no call resets, so that the same sentence would sound different each
    time; a new copy produces the same samples in every process. If the platform cannot unload a
    library, the samples are as good, but not reproducible.

    Raises
        EngineError: the library is missing, cannot find its data or does not know the voice.
    """
    with _lock:
        library = _load()
        try:
            return _speak(library, text, voice)
        finally:
            library.espeak_Terminate()
            _unload(library)


def _load() -> Any:
    library: Any
    try:
        import espeakng_loader  # type: ignore[import-untyped, unused-ignore]

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = os.fsencode(espeakng_loader.get_data_path())
    except (ImportError, OSError) as error:
        raise EngineError(f"espeak-ng cannot be loaded: {error}") from error
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    )
    library.sample_rate = library.espeak_Initialize(
        _OUTPUT_SYNCHRONOUS, _BUFFER_MS, data, _DONT_EXIT
    )
    if library.sample_rate <= 0:
        # its path buffer has 160 bytes: a longer path is reported like a missing one
        raise EngineError(f"espeak-ng cannot read its data in {os.fsdecode(data)}")
    # breathy voices use noise from a generator that is seeded with the time
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return library


def _speak(library: Any, text: str, voice: VoiceSetting) -> Utterance:
    if library.espeak_SetVoiceByName(voice.name.encode("ascii")) != 0:
        raise EngineError(f"espeak-ng has no voice {voice.name}")
    for parameter, value in (
        (_RATE, voice.words_per_minute),
        (_PITCH, voice.pitch),
        (_RANGE, voice.pitch_range),
    ):
        library.espeak_SetParameter(parameter, value, 0)
    collector = _Collector()
    library.espeak_SetSynthCallback(collector.callback)
    data = _speakable(text).encode("utf-8") + b"\0"
    status = library.espeak_Synth(
        data, len(data), 0, _POSITION_CHARACTER, 0, _UTF8_WITH_END_PAUSE, None, None
    )
    if status != 0:
        raise EngineError(f"espeak-ng failed with status {status}")
    return collector.utterance(library.sample_rate)


def _speakable(text: str) -> str:
    """Replace characters that the library cannot accept, or takes for commands, by spaces."""
    return "".join(
        " " if ord(character) < 32 or "\ud800" <= character <= "\udfff" else character
        for character in text
    )


def _unload(library: Any) -> None:
    """Unload the library, so that the next load starts with fresh static variables."""
    import _ctypes

    close: Optional[Callable[[int], object]] = getattr(
        _ctypes, "dlclose", getattr(_ctypes, "FreeLibrary", None)
    )
    if close is not None:
        close(library._handle)  # documented, its name only avoids those of C functions
