"""From the arguments of `speak()` to a `Speech` at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Optional, Union

from ..config import (
    TtsConnectionOptions,
    TtsStreamConfig,
    merge_tts_input,
    resolve_tts_config,
)
from ..config.constants import DEFAULT_LANGUAGE
from ..errors import ConfigurationError, InputTypeError, SonioxConnectionError
from ..tts import LinePlan, TtsConnection, _split_options
from ..tts_stream import TtsStream
from .engine import Engine, Voice
from .planner import SpeechLimits
from .speech import Speech
from .texts import check_text

if TYPE_CHECKING:
    from ..pool import TtsPool

__all__ = ["OwnVoice", "PoolVoice", "open_speech", "read_speech_config"]

# the server kills a silent writer's stream after 5.2 s (PROTOCOL 3.5)
_LONGEST_QUIET_SEC = 5.0
# as the plain HTTP call has them
_DEFAULTS: Mapping[str, Any] = {"language": DEFAULT_LANGUAGE, "audio_format": "wav"}


class OwnVoice:
    """Opens the streams of one speech on a connection of its own."""

    def __init__(self, connection: TtsConnection) -> None:
        self._connection = connection

    def connect(self) -> None:
        self._connection.connect()

    def stream(self, config: TtsStreamConfig, wait_sec: float) -> TtsStream:
        return self._connection.stream(_fields(config), wait_sec=wait_sec)

    def distrust(self, error: SonioxConnectionError) -> None:
        line = self._connection._line
        if line is not None:
            line.connection.fail(error)

    def interrupt(self) -> None:
        if not self._connection.is_connected:
            self._connection.close()

    def close(self) -> None:
        self._connection.close()


class PoolVoice:
    """Takes the streams of one speech from a pool, which outlives it."""

    def __init__(self, pool: TtsPool, wait_sec: Optional[float]) -> None:
        self._pool = pool
        self._wait_sec = wait_sec

    def connect(self) -> None:
        """Do nothing: a place is taken with the first text."""

    def stream(self, config: TtsStreamConfig, wait_sec: float) -> TtsStream:
        return self._pool.stream(_fields(config), wait_sec=self._wait_sec)

    def distrust(self, error: SonioxConnectionError) -> None:
        """Do nothing: others may be heard on it."""

    def interrupt(self) -> None:
        """Do nothing: a wait for a place ends by itself."""

    def close(self) -> None:
        """Do nothing: the pool keeps its connections."""


def _fields(config: TtsStreamConfig) -> dict[str, Any]:
    return {each.name: getattr(config, each.name) for each in fields(config)}


def open_speech(
    text: Union[str, Iterable[str]],
    plan: Callable[[], LinePlan],
    connect: Callable[[Callable[[], LinePlan], TtsConnectionOptions], TtsConnection],
    *,
    max_quiet_sec: float,
    timestamps: bool,
    given: Mapping[str, Any],
) -> Speech:
    """Check everything that can be checked now, then begin to speak. Blocks for nothing."""
    options, rest = _split_options(given)
    check_source(text)
    limits = quiet_limits(max_quiet_sec)
    first = plan()  # addresses and key are asked for here, so that errors show here
    config = read_speech_config(first.defaults, timestamps, rest)
    plans = [first]
    connection = connect(lambda: plans.pop() if plans else plan(), options)
    return begin_speech(text, OwnVoice(connection), config, limits)


def begin_speech(
    text: Union[str, Iterable[str]], voice: Voice, config: TtsStreamConfig, limits: SpeechLimits
) -> Speech:
    """Begin to speak with what was checked before."""
    return Speech(Engine(text, voice, config, limits))


def read_speech_config(
    defaults: Any, timestamps: bool, given: Mapping[str, Any]
) -> TtsStreamConfig:
    """Resolve the config that all streams of a speech share."""
    input = dict(given)
    if timestamps:
        input["return_timestamps"] = True
    return resolve_tts_config(merge_tts_input(_DEFAULTS, defaults), **input)


def quiet_limits(max_quiet_sec: float) -> SpeechLimits:
    """Read `max_quiet_sec`. Raises `ConfigurationError` when the server would be faster."""
    if isinstance(max_quiet_sec, bool) or not isinstance(max_quiet_sec, (int, float)):
        raise InputTypeError("max_quiet_sec: expected a number of seconds")
    if not 0 < max_quiet_sec <= _LONGEST_QUIET_SEC:
        raise ConfigurationError(
            f"max_quiet_sec: must be above 0 and at most {_LONGEST_QUIET_SEC:g}, since the service "
            "ends a stream 5.2 s after its last text"
        )
    return SpeechLimits.for_quiet(float(max_quiet_sec))


def check_source(text: Any) -> None:
    """Refuse what is no text. Raises `InputTypeError`."""
    if isinstance(text, str):
        check_text(text)
    elif isinstance(text, (bytes, bytearray, memoryview, Mapping)) or not hasattr(text, "__iter__"):
        hint = "; collect an async iterator's text first" if hasattr(text, "__aiter__") else ""
        raise InputTypeError(
            f"text: expected str or an iterable of str, not {type(text).__name__}{hint}"
        )
