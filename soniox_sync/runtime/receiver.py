"""Interface between a connection and what receives its messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Protocol

from ..errors import SonioxError
from ..transport.frames import Message


@dataclass(frozen=True)
class CloseInfo:
    """How a connection ended.

    `cause` is the error that ended it, `None` after an orderly close by either side. `code` and
    `reason` are those of the peer's close frame, `None` and `""` without one.
    """

    cause: Optional[BaseException]
    code: Optional[int]
    reason: str

    def describe(self) -> str:
        """Return a phrase that says how the peer ended the connection."""
        if self.code is None:
            return "connection closed without a close frame"
        why = f" {self.reason!r}" if self.reason else ""
        return f"the server closed the connection (code {self.code}{why})"


class Receiver(Protocol):
    """Object that a connection calls on its reader thread. The methods must not block."""

    def messages_received(self, messages: list[Message]) -> None:
        """Handle whole text and binary messages, in order. An exception ends the connection."""

    def connection_ended(self, end: CloseInfo) -> None:
        """Handle the end of the connection; called exactly once, after the last message."""

    def connection_forked(self, error: SonioxError) -> None:
        """Renew locks and fail everything with `error`.

        Called in a forked child, whose connection is a copy of the parent's; the parent's goes on.
        """
