"""State shared by all connections of one sandbox."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Optional, Union

from .._support import checks as _checks
from .._support.locks import new_lock
from ..errors import ConfigurationError
from . import engines
from .access import Access
from .clock import Clock
from .engines.base import Engines
from .engines.scripted import Script, ScriptedRecognizer
from .engines.tones import ToneSynthesizer
from .keys import ApiKeys, KeyRing
from .limits import Limits
from .log import Traffic
from .quota import Quota
from .schedule import FaultSchedule
from .usage import UsageLog

if TYPE_CHECKING:
    from .engines.base import Recognizer

__all__ = ["World"]

log: logging.Logger = logging.getLogger(__name__)


class World:
    """Limits, access, clock, keys, faults, log and engines of one sandbox. Thread-safe.

    The services, the server and the REST side depend on it; it depends on none of them.
    """

    def __init__(
        self,
        limits: Limits,
        api_keys: ApiKeys,
        engines: Union[str, Engines],
        access: Access,
        speech_cache: Optional[str] = None,
    ) -> None:
        self.limits = limits
        self.access = access
        self.traffic: Traffic = Traffic()
        self.clock: Clock = Clock(limits.time_scale)
        self.keys: KeyRing = KeyRing(api_keys)
        self.quota: Quota = Quota(limits, self.traffic)
        self.faults: FaultSchedule = FaultSchedule()
        self.usage: UsageLog = UsageLog()
        # ids of cloned voices that are ready to speak; the REST side adds and removes them
        self.cloned_voices: set[str] = set()
        self._wanted = check_engines(engines)
        self._speech_cache = speech_cache
        # Guards _engines and _recognizer. Held while engines load, so that they load once.
        self._lock = new_lock()
        self._engines: Optional[Engines] = None
        self._recognizer: Optional[Recognizer] = None

    @property
    def engines(self) -> Engines:
        """Engines, loaded on first use.

        Raises
            ConfigurationError: `engines="speech"`, and they cannot be loaded.
        """
        with self._lock:
            if self._engines is None:
                self._engines = load_engines(self._wanted, self._speech_cache)
            return self._engines

    @property
    def recognizer(self) -> Recognizer:
        """Recogniser of new STT sessions: the one that was set, else that of the engines."""
        with self._lock:
            chosen = self._recognizer
        return chosen if chosen is not None else self.engines.recognizer

    def set_recognizer(self, recognizer: Optional[Recognizer]) -> None:
        """Use a recogniser for STT sessions that start from now on; `None`: the engines'."""
        with self._lock:
            self._recognizer = recognizer


def check_engines(wanted: Union[str, Engines]) -> Union[str, Engines]:
    """Return `wanted` if it is valid.

    Raises
        ConfigurationError: an unknown name.
        InputTypeError: neither a name nor engines.
    """
    if isinstance(wanted, str):
        _checks.one_of(("auto", "speech", "tones"))("engines", wanted)
    elif not isinstance(wanted, Engines):
        raise _checks.wrong_type("engines", "a str or Engines", wanted)
    return wanted


def load_engines(wanted: Union[str, Engines], speech_cache: Optional[str] = None) -> Engines:
    """Return the engines named `"auto"`, `"speech"` or `"tones"`, or those given.

    `speech_cache`: the folder in which those for speech remember what was spoken.

    Raises
        ConfigurationError: `"speech"` cannot be loaded.
    """
    if not isinstance(wanted, str):
        return wanted
    if wanted != "tones":
        try:
            return _load_speech(speech_cache, insist=wanted == "speech")
        except (ImportError, RuntimeError, OSError) as error:
            if wanted == "speech":
                raise ConfigurationError(f"engines='speech' cannot be loaded: {error}") from error
            log.info("no speech engines (%s): the sandbox uses tones and a script", error)
    return Engines(ToneSynthesizer(), ScriptedRecognizer(Script()), "tones")


def _load_speech(speech_cache: Optional[str], *, insist: bool) -> Engines:
    """Return the installed engines; with `insist` the synthesizer must be one of them."""
    loaded = engines.load("speech", speech_cache=speech_cache)
    if insist and engines.SYNTHESIZER in loaded.missing:
        raise engines.EngineError(engines.explain_missing(engines.SYNTHESIZER))
    for package in loaded.missing:
        log.info("%s", engines.explain_missing(package))
    return loaded
