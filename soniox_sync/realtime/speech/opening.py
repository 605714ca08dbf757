"""Making a `Speech` that is speaking from the arguments of `speak()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Optional, Union

from ..._support.checks import boolean, number, wrong_type, wrong_value
from ...config import TtsConnectionOptions, TtsStreamConfig
from ...config._values import field_names
from ...config.constants import DEFAULT_LANGUAGE
from ...config.options import split_tts_options
from ...config.patience import PATIENT, Patience
from ...errors import SonioxConnectionError
from ...runtime.timeouts import CLOSE_TIMEOUT_SEC
from ...service import FirstMade, TtsPlan
from ..tts.connection import SharedConnection
from ..tts.stream import StreamCore
from .engine import Engine, StreamOpener
from .planner import SpeechLimits
from .speech import Speech
from .texts import check_text

__all__ = ["ConnectionOpener", "PoolOpener", "open_speech", "read_speech_config"]

# the server kills the stream of a silent writer after 5.2 s (PROTOCOL 3.5)
_MAX_QUIET_SEC = 5.0
# the same as for speech over HTTP
_DEFAULTS: Mapping[str, Any] = {"language": DEFAULT_LANGUAGE, "audio_format": "wav"}

_check_number = number()


class ConnectionOpener:
    """Opens the streams of one speech on a connection that it owns."""

    def __init__(self, connection: SharedConnection) -> None:
        self._connection = connection

    def prepare(self, connect_sec: Optional[float]) -> None:
        self._connection.ready(connect_sec=connect_sec)

    def open(
        self, config: TtsStreamConfig, wait_sec: float, connect_sec: Optional[float]
    ) -> StreamCore:
        return self._connection.start(None, _fields(config), wait_sec, connect_sec=connect_sec)

    def replace_connection(self, error: SonioxConnectionError) -> None:
        self._connection.fail(error)

    def interrupt(self) -> None:
        if not self._connection.is_connected:
            self.close()

    def close(self) -> None:
        self._connection.close(CLOSE_TIMEOUT_SEC)


class PoolOpener:
    """Opens the streams of one speech on a pool, which stays open afterwards."""

    def __init__(self, start: Callable[[Mapping[str, Any], Optional[float]], StreamCore]) -> None:
        self._start = start

    def prepare(self, connect_sec: Optional[float]) -> None:
        """Do nothing: a slot is taken with the first text."""

    def open(
        self, config: TtsStreamConfig, wait_sec: float, connect_sec: Optional[float]
    ) -> StreamCore:
        return self._start(_fields(config), connect_sec)

    def replace_connection(self, error: SonioxConnectionError) -> None:
        """Do nothing: the connection may carry other streams of the pool."""

    def interrupt(self) -> None:
        """Do nothing: a wait for a slot ends by itself."""

    def close(self) -> None:
        """Do nothing: the pool keeps its connections."""


def _fields(config: TtsStreamConfig) -> dict[str, Any]:
    return {each.name: getattr(config, each.name) for each in fields(config)}


def open_speech(
    text: Union[str, Iterable[Optional[str]]],
    plan: Callable[[], TtsPlan],
    connect: Callable[[Callable[[], TtsPlan], TtsConnectionOptions], SharedConnection],
    *,
    max_quiet_sec: float,
    timestamps: bool,
    given: Mapping[str, Any],
) -> Speech:
    """Check everything that can be checked now, then start speaking. Does not block."""
    patience, given = split_patience(given)
    options, rest = split_tts_options(given)
    check_source(text)
    limits = quiet_limits(max_quiet_sec)
    plans = FirstMade(plan)  # resolves addresses and key now, so that errors are raised here
    config = read_speech_config(plans.first, timestamps, rest)
    connection = connect(plans, options)
    return begin_speech(text, ConnectionOpener(connection), config, limits, patience)


def begin_speech(
    text: Union[str, Iterable[Optional[str]]],
    opener: StreamOpener,
    config: TtsStreamConfig,
    limits: SpeechLimits,
    patience: Patience,
) -> Speech:
    """Start speaking; the arguments were checked before."""
    return Speech(Engine(text, opener, config, limits, patience))


def split_patience(given: Mapping[str, Any]) -> tuple[Patience, dict[str, Any]]:
    """Separate how long a speech waits for the service from its other keywords; return both.

    Raises
        ConfigurationError: an invalid value.
        InputTypeError: a value of the wrong type.
    """
    names = field_names(Patience)
    options = {name: value for name, value in given.items() if name in names}
    rest = {name: value for name, value in given.items() if name not in names}
    return Patience(**{**PATIENT, **options}), rest


def read_speech_config(
    plan: TtsPlan, timestamps: bool, given: Mapping[str, Any]
) -> TtsStreamConfig:
    """Return the config that all streams of a speech share."""
    boolean("timestamps", timestamps)
    input = dict(given)
    if timestamps:
        input["return_timestamps"] = True
    return plan.resolve(None, input, under=_DEFAULTS)


def quiet_limits(max_quiet_sec: float) -> SpeechLimits:
    """Return the limits for `max_quiet_sec`; refuse a value longer than the server waits."""
    _check_number("max_quiet_sec", max_quiet_sec)
    if not 0 < max_quiet_sec <= _MAX_QUIET_SEC:
        raise wrong_value(
            "max_quiet_sec",
            f"more than 0 and at most {_MAX_QUIET_SEC:g} seconds",
            max_quiet_sec,
            "the service ends a stream 5.2 s after its last text",
        )
    return SpeechLimits.for_quiet(float(max_quiet_sec))


def check_source(text: Any) -> None:
    """Refuse what is neither a text nor an iterable that may hold texts."""
    if isinstance(text, str):
        check_text(text)
    elif isinstance(text, (bytes, bytearray, memoryview, Mapping)) or not hasattr(text, "__iter__"):
        advice = "collect the text of the async iterator first"
        is_async = hasattr(text, "__aiter__")
        raise wrong_type("text", "a str or an iterable of str", text, advice if is_async else "")
