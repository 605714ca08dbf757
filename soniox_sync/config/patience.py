"""`Patience`: how soon, how often and for how long a lost connection is replaced. Not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .._support.checks import Check, integer, run_checks, seconds
from ._values import Value

# of `transcribe()`, `speak()` and the command line, where `record()` has the defaults below: a
# router restarts within a minute, and no word is lost meanwhile
PATIENT: Mapping[str, Any] = {"max_reconnect_attempts": None, "give_up_after_sec": 60.0}


@dataclass(frozen=True, eq=False, repr=False)
class Patience(Value):
    """Options of what reconnects by itself: recordings and `speak()`.

    See `client.realtime.record()` for each.

    Raises
        ConfigurationError: a value out of range or not finite.
        InputTypeError: a value of the wrong type; `None` only where it means "no limit".
    """

    max_reconnect_attempts: Optional[int] = 3
    reconnect_base_delay_sec: float = 1.0
    max_reconnect_delay_sec: float = 30.0
    give_up_after_sec: Optional[float] = None
    stable_after_sec: float = 10.0

    def __post_init__(self) -> None:
        run_checks(vars(self), PATIENCE_CHECKS, required=set(PATIENCE_CHECKS) - UNLIMITED)


PATIENCE_CHECKS: Mapping[str, Check] = {
    "max_reconnect_attempts": integer(0),
    "reconnect_base_delay_sec": seconds,
    "max_reconnect_delay_sec": seconds,
    "give_up_after_sec": seconds,
    "stable_after_sec": seconds,
}
# `None` means no limit
UNLIMITED = frozenset({"max_reconnect_attempts", "give_up_after_sec"})
