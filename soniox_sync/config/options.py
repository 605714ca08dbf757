"""Options of sessions and connections that are not sent: time limits, intervals, queue sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional, TypeVar, Union

from .._support.checks import Check, integer, positive_seconds, run_checks, wrong_value
from ._values import Value, coerce, field_names
from .keys import ApiKey, check_api_key_source

Options = TypeVar("Options", bound="_Timed")


class _Timed(Value):
    """Base of the options: checks the fields, which may be `None` only where that means "off"."""

    keepalive_interval_sec: float
    # the service closes a connection on which nothing is sent for longer
    _MAX_SILENCE_SEC: ClassVar[float]

    def __post_init__(self) -> None:
        required = set(vars(self)) - {"ping_interval_sec", "ping_timeout_sec", "api_key"}
        run_checks(vars(self), _CHECKS, required)
        longest = self._MAX_SILENCE_SEC
        if self.keepalive_interval_sec > longest:
            raise wrong_value(
                "keepalive_interval_sec",
                f"at most {longest:g} seconds",
                self.keepalive_interval_sec,
                f"the service closes a connection that is silent for {longest:g} s",
            )

    @classmethod
    def coerce(
        cls: type[Options], options: Union[Options, Mapping[str, Any], None], name: str = "options"
    ) -> Options:
        """Return `options` unchanged, or made from a mapping; for `None` the defaults.

        `name` is used in errors.

        Raises
            ConfigurationError: an unknown name or an invalid value.
            InputTypeError: another type, or a field of the wrong type.
        """
        return coerce(cls, options, name)

    @property
    def effective_keepalive_sec(self) -> float:
        """Interval in use, in seconds: at least 1, as shorter ones gain nothing (PROTOCOL 9)."""
        return max(1.0, float(self.keepalive_interval_sec))


_CHECKS: Mapping[str, Check] = {
    "connect_timeout_sec": positive_seconds,
    "keepalive_interval_sec": positive_seconds,
    "finish_timeout_sec": positive_seconds,
    "ping_interval_sec": positive_seconds,
    "ping_timeout_sec": positive_seconds,
    "max_buffered_events": integer(1),
    "api_key": lambda name, value: check_api_key_source(value, variable="", name=name),
}


@dataclass(frozen=True, eq=False, repr=False)
class SttSessionOptions(_Timed):
    """Time limits and queue size of one transcription session. All times are in seconds.

    `connect_timeout_sec`: limit for DNS, TCP, TLS and upgrade together. `keepalive_interval_sec`:
    time without audio after which a keepalive is sent, at most 20, after which the server would
    close the connection; less than 1 counts as 1. `finish_timeout_sec`: how long `finish()` waits
    for the last tokens by default. `ping_interval_sec` (`None`: no pings) and `ping_timeout_sec`
    (`None`: a missing pong is tolerated): a dead peer is detected within their sum.
    `max_buffered_events`: with more unread events the session fails with `BufferOverflowError`.
    `api_key`: the key of this session, or a callable that returns it, instead of the client's; a
    recording calls it once for each of its sessions. Immutable. Source: PROTOCOL 2.4.

    Raises
        ConfigurationError: a value out of range, or no usable key.
        InputTypeError: a value of the wrong type.
    """

    _MAX_SILENCE_SEC = 20.0  # PROTOCOL 2.4

    connect_timeout_sec: float = 20.0
    keepalive_interval_sec: float = 5.0
    finish_timeout_sec: float = 10.0
    ping_interval_sec: Optional[float] = 20.0
    ping_timeout_sec: Optional[float] = 20.0
    max_buffered_events: int = 10_000
    api_key: Optional[ApiKey] = field(default=None, repr=False)


@dataclass(frozen=True, eq=False, repr=False)
class TtsConnectionOptions(_Timed):
    """Time limits of one speech connection. All times are in seconds.

    Fields as in `SttSessionOptions`, but `keepalive_interval_sec` is at most 40, after which the
    server closes a connection without any message (PROTOCOL 3.6). Immutable.

    Raises
        ConfigurationError: a value out of range.
        InputTypeError: not a number.
    """

    _MAX_SILENCE_SEC = 40.0  # PROTOCOL 3.6

    connect_timeout_sec: float = 20.0
    keepalive_interval_sec: float = 5.0
    ping_interval_sec: Optional[float] = 20.0
    ping_timeout_sec: Optional[float] = 20.0


def split_tts_options(fields: Mapping[str, Any]) -> tuple[TtsConnectionOptions, dict[str, Any]]:
    """Separate the options of a connection from the fields of a stream; return both.

    Raises
        ConfigurationError: an option has an invalid value.
        InputTypeError: an option of the wrong type.
    """
    names = field_names(TtsConnectionOptions)
    options = {name: value for name, value in fields.items() if name in names}
    rest = {name: value for name, value in fields.items() if name not in names}
    return TtsConnectionOptions(**options), rest
