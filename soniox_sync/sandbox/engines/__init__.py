"""The voices and ears of the sandbox, from the extra `sandbox`.

Importing this imports none of the packages behind it; `load` does.
"""

from __future__ import annotations

import functools
import importlib.util
import os

from .base import EngineError, Engines

__all__ = ["EngineError", "Engines", "available", "load"]

_NEEDED = ("espeakng_loader", "pocketsphinx", "numpy")
_HOW = 'python -m pip install "soniox-sync[sandbox]"'


def available() -> bool:
    """Tell whether the packages of the extra are installed; imports none of them."""
    return not _missing()


def load(name: str = "speech") -> Engines:
    """Return the engines of this process: espeak-ng, pocketsphinx, and exact recognition.

    All sandboxes of a process share one memory of what was spoken, so that speech of one is
    recognised by another. Nothing is loaded from disk before the first word is spoken or heard.
    Thread-safe. Raises: EngineError naming the packages that are missing; ValueError for a `name`
    other than "speech".
    """
    if name != "speech":
        raise ValueError(f"no engines are called {name!r}")
    missing = _missing()
    if missing:
        raise EngineError(f"{', '.join(missing)} not installed: {_HOW}")
    # by process: a lock of the parent's may be held for ever in a child made by fork
    return _engines_of(os.getpid())


def _missing() -> list[str]:
    return [package for package in _NEEDED if importlib.util.find_spec(package) is None]


@functools.lru_cache(maxsize=1)
def _engines_of(process: int) -> Engines:
    from .espeak import EspeakSynthesizer
    from .listener import SpeechRecognizer
    from .spoken_index import SpokenIndex

    index = SpokenIndex()
    return Engines(EspeakSynthesizer(index), SpeechRecognizer(index), "speech")
