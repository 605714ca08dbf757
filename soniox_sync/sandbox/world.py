"""What all connections of one sandbox share."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Callable, Optional, Union

from ..errors import ConfigurationError
from .clock import Clock
from .faults import Faults
from .keys import Accounts, ApiKeys, KeyRing
from .limits import Limits
from .log import TrafficLog
from .rest_ledger import Ledger
from .rest_runner import JobRunner
from .rest_store import Store
from .scripted import Script, ScriptedRecognizer

if TYPE_CHECKING:
    from .engines.base import Engines, Recognizer

__all__ = ["World"]

log = logging.getLogger(__name__)


class World:
    """Holds the limits, clock, keys, faults, log and engines of one sandbox. Thread-safe."""

    def __init__(self, limits: Limits, api_keys: ApiKeys, engines: Union[str, Engines]) -> None:
        self.limits = limits
        self.traffic = TrafficLog()
        self.clock = Clock(limits.time_scale)
        self.keys = KeyRing(api_keys)
        self.accounts = Accounts(limits, self.traffic)
        self.faults = Faults()
        # what the REST side keeps
        self.store = Store()
        self.ledger = Ledger()
        self.jobs = JobRunner(self)
        # ids of cloned voices that are ready to speak
        self.cloned_voices: set[str] = set()
        self._wanted = check_engines(engines)
        # Guards _engines and _ear. Held while engines load, so that they load once.
        self._lock = threading.Lock()
        self._engines: Optional[Engines] = None
        self._ear: Optional[Recognizer] = None

    @property
    def engines(self) -> Engines:
        """Give the engines, loading them at the first call.

        Raises `ConfigurationError` when speech engines were demanded and are not installed.
        """
        with self._lock:
            if self._engines is None:
                self._engines = load_engines(self._wanted)
            return self._engines

    @property
    def recognizer(self) -> Recognizer:
        """Give the ear that was put in, else the engines' recogniser."""
        with self._lock:
            ear = self._ear
        return ear if ear is not None else self.engines.recognizer

    def set_recognizer(self, ear: Optional[Recognizer]) -> None:
        """Let STT sessions that start from now on hear with this; `None` = the engines."""
        with self._lock:
            self._ear = ear


def check_engines(wanted: Union[str, Engines]) -> Union[str, Engines]:
    """Give what was wanted. Raises `ConfigurationError` for what no sandbox has."""
    known = wanted in ("auto", "speech", "tones") if isinstance(wanted, str) else True
    if not known or not (isinstance(wanted, str) or hasattr(wanted, "synthesizer")):
        raise ConfigurationError(
            f"engines: expected 'auto', 'speech', 'tones' or an Engines, not {wanted!r}"
        )
    return wanted


def load_engines(wanted: Union[str, Engines]) -> Engines:
    """Find the engines named `"auto"`, `"speech"` or `"tones"`, or take those given."""
    if not isinstance(wanted, str):
        return wanted
    if wanted == "tones":
        return _tones()
    load = _speech_loader()
    try:
        if load is None:
            raise ImportError("speech engines")
        return load("speech")
    except (ImportError, RuntimeError, OSError) as error:
        if wanted == "auto":
            log.info("no speech engines (%s): the sandbox plays tones and hears a script", error)
            return _tones()
        raise ConfigurationError(
            f"the sandbox's speech engines are not installed ({error}): "
            'python -m pip install "soniox-sync[sandbox]"'
        ) from error


def _speech_loader() -> Optional[Callable[[str], Engines]]:
    from . import engines

    return getattr(engines, "load", None)


def _tones() -> Engines:
    from .engines.base import Engines
    from .tones import ToneSynthesizer

    return Engines(ToneSynthesizer(), ScriptedRecognizer(Script()), "tones")
