"""Speech synthesis and recognition of the sandbox, from the extra `sandbox`.

Importing this package imports none of the optional packages; `load` does. Each engine is optional:
without one, the other still works.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from typing import Optional

from .base import EngineError, Engines, Synthesizer

__all__ = [
    "RECOGNIZER",
    "SYNTHESIZER",
    "EngineError",
    "Engines",
    "available",
    "explain_missing",
    "load",
    "missing",
]

# the packages of the two engines, and the one that both need
SYNTHESIZER, RECOGNIZER = "espeakng_loader", "pocketsphinx"
_COMMON = "numpy"
_INSTALL = 'python -m pip install "soniox-sync[sandbox]"'
_CONSEQUENCES = {
    SYNTHESIZER: "the sandbox plays tones instead of speech",
    RECOGNIZER: "the sandbox recognises only what it spoke itself, and says of other speech "
    "how long it was: [speech 1.2 s]",
}


def missing() -> tuple[str, ...]:
    """Return which packages of the engines are not installed; nothing is imported."""
    return tuple(
        package for package in (_COMMON, SYNTHESIZER, RECOGNIZER) if not _is_installed(package)
    )


def available() -> bool:
    """Return whether at least one engine can be loaded."""
    packages = missing()
    return _COMMON not in packages and not {SYNTHESIZER, RECOGNIZER} <= set(packages)


def explain_missing(package: str) -> str:
    """Return what the sandbox cannot do without this package, and how to install it."""
    how = _INSTALL
    if package == RECOGNIZER and sys.version_info >= (3, 14):
        how = "it has no wheels for Python 3.14 and newer"
    return f"{package} is not installed, so {_CONSEQUENCES[package]} ({how})"


def load(name: str = "speech", *, speech_cache: Optional[str] = None) -> Engines:
    """Return the engines of this process: espeak-ng, pocketsphinx, and exact recognition.

    Without espeak-ng speech is tones; without pocketsphinx only what a sandbox has spoken is
    recognised, and other speech is one word that says how long it was; `missing` of the result
    names the package. All sandboxes of a process share one index of what was spoken, so that each
    recognises the speech of the others; with the folder `speech_cache` also that of other processes
    that use it. Nothing is loaded from disk before the first word is spoken or recognised. Thread-
    safe.

    Raises
        EngineError: neither engine can be loaded; the message names the missing packages.
        ValueError: `name` is not `"speech"`.
    """
    if name != "speech":
        raise ValueError(f"unknown engines {name!r}")
    packages = missing()
    if not available():
        raise EngineError(f"{', '.join(packages)} not installed: {_INSTALL}")
    # per process: in a forked child a lock of the parent may stay locked forever
    return _engines_of(os.getpid(), packages, speech_cache)


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


# some: sandboxes with and without a folder may take turns
@functools.lru_cache(maxsize=4)
def _engines_of(process: int, packages: tuple[str, ...], speech_cache: Optional[str]) -> Engines:
    from .copies.folder import SpeechFolder
    from .listener import SpeechRecognizer
    from .speech_index import SpeechIndex
    from .sphinx import SphinxTranscriber
    from .tones import ToneSynthesizer
    from .unknown import SpeechMeter

    index = SpeechIndex(folder=None if speech_cache is None else SpeechFolder(speech_cache))
    synthesizer: Synthesizer = ToneSynthesizer()
    if SYNTHESIZER not in packages:
        from .espeak.engine import EspeakSynthesizer

        synthesizer = EspeakSynthesizer(index)
    transcriber = SpeechMeter if RECOGNIZER in packages else SphinxTranscriber
    return Engines(synthesizer, SpeechRecognizer(index, transcriber), "speech", packages)
