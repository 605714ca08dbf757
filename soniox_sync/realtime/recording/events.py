"""Argument of the `"reconnecting"` handlers of a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True, repr=False)
class Reconnecting:
    """Argument of `"reconnecting"` handlers; one of them may call `prevent_default()`.

    `attempt` counts from 1 up to `max_attempts` (`None`: no limit), and starts anew after a session
    that was stable. The attempt is made after `delay_sec` seconds.
    """

    attempt: int
    max_attempts: Optional[int]
    delay_sec: float
    default_prevented: bool = field(default=False, init=False, compare=False)

    def prevent_default(self) -> None:
        """Do not reconnect; the recording ends with the error that ended its session."""
        object.__setattr__(self, "default_prevented", True)

    def __repr__(self) -> str:
        of = "" if self.max_attempts is None else f"/{self.max_attempts}"
        return f"<Reconnecting {self.attempt}{of} in {self.delay_sec:.3g} s>"
