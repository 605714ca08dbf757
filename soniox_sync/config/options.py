"""Options of sessions and connections that never go on the wire: deadlines, intervals, bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from ..errors import InputTypeError
from ._values import Check, Value, coerce, integer, positive_seconds
from .constants import MIN_KEEPALIVE_SEC


class _Timed(Value):
    """Checks the fields when made; `None` only where it means "off"."""

    keepalive_interval_sec: float

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            if not hasattr(self, name):
                continue
            value = getattr(self, name)
            if value is None and name not in _MAY_BE_OFF:
                raise InputTypeError(f"{name} must not be None: leave it out for the default")
            if value is not None:
                check(name, value)

    @property
    def effective_keepalive_sec(self) -> float:
        """Give the interval really used, at least 1 s: more often has no use (PROTOCOL 9)."""
        return max(MIN_KEEPALIVE_SEC, float(self.keepalive_interval_sec))


_CHECKS: Mapping[str, Check] = {
    "connect_timeout_sec": positive_seconds,
    "keepalive_interval_sec": positive_seconds,
    "finish_timeout_sec": positive_seconds,
    "ping_interval_sec": positive_seconds,
    "ping_timeout_sec": positive_seconds,
    "max_buffered_events": integer(1),
}
_MAY_BE_OFF = ("ping_interval_sec", "ping_timeout_sec")


@dataclass(frozen=True, eq=False, repr=False)
class SttSessionOptions(_Timed):
    """Sets the deadlines and bounds of one transcription session. All times are seconds.

    `connect_timeout_sec`: for address, TCP, TLS and upgrade together. `keepalive_interval_sec`:
    without audio for so long a keepalive goes out; below 1 s counts as 1, above 20 s the server
    closes first. `finish_timeout_sec`: how long `finish()` waits for the last tokens unless told
    otherwise. `ping_interval_sec` (`None` = off) and `ping_timeout_sec` (`None` = a missing pong
    is tolerated): a dead peer is noticed within their sum. `max_buffered_events`: more unread
    events than that fail the session with `BufferOverflowError`. Immutable. Source: PROTOCOL 2.4.

    Raises
        ConfigurationError: not positive or not finite. InputTypeError: not a number.
    """

    connect_timeout_sec: float = 20.0
    keepalive_interval_sec: float = 5.0
    finish_timeout_sec: float = 10.0
    ping_interval_sec: Optional[float] = 20.0
    ping_timeout_sec: Optional[float] = 20.0
    max_buffered_events: int = 10_000

    @classmethod
    def coerce(
        cls, options: Union[SttSessionOptions, Mapping[str, Any], None]
    ) -> SttSessionOptions:
        """Take the options as they are, from a mapping, or all defaults for `None`.

        Raises
            ConfigurationError: an unknown name or a refused value. InputTypeError: another type.
        """
        return coerce(cls, options, "session options")


@dataclass(frozen=True, eq=False, repr=False)
class TtsConnectionOptions(_Timed):
    """Sets the deadlines of one speech connection. All times are seconds.

    Fields as in `SttSessionOptions`; a connection without any message is closed by the server
    after 40 s, so keep `keepalive_interval_sec` well below (PROTOCOL 3.6). Immutable.

    Raises
        ConfigurationError: not positive or not finite. InputTypeError: not a number.
    """

    connect_timeout_sec: float = 20.0
    keepalive_interval_sec: float = 5.0
    ping_interval_sec: Optional[float] = 20.0
    ping_timeout_sec: Optional[float] = 20.0

    @classmethod
    def coerce(
        cls, options: Union[TtsConnectionOptions, Mapping[str, Any], None]
    ) -> TtsConnectionOptions:
        """Take the options as they are, from a mapping, or all defaults for `None`.

        Raises
            ConfigurationError: an unknown name or a refused value. InputTypeError: another type.
        """
        return coerce(cls, options, "connection options")
