"""What a `Recorder` asks for (actions) and reports (notices), and the states it goes through."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import ClassVar, Optional, Union

from ..protocol.states import StateChange


class RecordingState(str, enum.Enum):
    """State of a recording; `stopped`, `error` and `canceled` are final. Source: PROTOCOL 9."""

    IDLE = "idle"
    STARTING = "starting"
    CONNECTING = "connecting"
    RECORDING = "recording"
    PAUSED = "paused"
    RECONNECTING = "reconnecting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ERROR = "error"
    CANCELED = "canceled"

    __str__ = str.__str__

    @property
    def is_over(self) -> bool:
        """Whether the recording has ended."""
        return self in (RecordingState.STOPPED, RecordingState.ERROR, RecordingState.CANCELED)


@dataclass(frozen=True)
class RecorderContext:
    """What the recorder needs besides the user's `RecordingOptions`."""

    # from the session options: how long nothing may be received after the end of audio
    finish_timeout_sec: float = 10.0
    can_restart: bool = False  # the source has `restart()`: it can start a new container
    can_wait: bool = False  # the source can be held back: none of its audio may be dropped
    new_key_possible: bool = False  # the client's key comes from a callable


# -- actions: what is to be done ------------------------------------------------------------------


@dataclass(frozen=True)
class SessionAction:
    """Base of what is done to session `number`."""

    number: int


class Open(SessionAction):
    """Open session `number`; then call `opened()` or `failed()`."""


@dataclass(frozen=True)
class Send(SessionAction):
    """Send `data` on session `number`."""

    data: bytes = field(repr=False)


class Finalize(SessionAction):
    """Have session `number` finalize the audio that it has received."""


class Finish(SessionAction):
    """Send the end of audio to session `number`, without waiting for its last results."""


class Abort(SessionAction):
    """Abort session `number` without a closing handshake; what it sends no longer matters."""


@dataclass(frozen=True)
class RestartSource:
    """Have the source start a new container."""


@dataclass(frozen=True)
class Announce:
    """Run the user's `reconnecting` handlers, then call `announced()`."""

    attempt: int
    max_attempts: Optional[int]
    delay_sec: float


@dataclass(frozen=True)
class Wait:
    """Wait until something happens, but no longer than until `until` (`None`: no limit)."""

    until: Optional[float] = None


@dataclass(frozen=True)
class Done:
    """Nothing is left to do. `error` is what the recording failed with, `None` if it finished."""

    error: Optional[BaseException] = None


Action = Union[Open, Send, Finalize, Finish, Abort, RestartSource, Announce, Wait, Done]


# -- notices: what the user's handlers get -------------------------------------------------------
#
# `event` is the name under which handlers are registered. A notice with fields is their argument.


@dataclass(frozen=True)
class Connected:
    """A session is open: the first one, one after a reconnect, or one that takes over."""

    event: ClassVar[str] = "connected"


@dataclass(frozen=True, repr=False)
class Reconnected:
    """Argument of `"reconnected"` handlers: a new session has replaced a lost one.

    `attempt` counts from 1; it is 0 if a standby session took over. `replayed_ms`: milliseconds of
    audio that are sent again. `lost_ms`: milliseconds of audio lost since the previous
    `"reconnected"`.
    """

    event: ClassVar[str] = "reconnected"

    attempt: int
    replayed_ms: int
    lost_ms: int

    def __repr__(self) -> str:
        audio = f"{self.replayed_ms} ms replayed, {self.lost_ms} ms lost"
        return f"<Reconnected attempt {self.attempt}, {audio}>"


@dataclass(frozen=True, repr=False)
class SessionRestart:
    """Argument of `"session_restart"` handlers: a session starts, and speaker labels start over.

    Delivered before the first result of every session, including the first of the recording, and
    not already when a connection is lost. `session` is the `Token.session` of its tokens, from 0.
    `reset_transcript`: whether the live transcript was cleared, which happens only after a
    reconnect.
    """

    event: ClassVar[str] = "session_restart"

    reset_transcript: bool
    session: int

    def __repr__(self) -> str:
        reset = ", transcript reset" if self.reset_transcript else ""
        return f"<SessionRestart session {self.session}{reset}>"


@dataclass(frozen=True)
class SourceMuted:
    """The device delivers digital silence."""

    event: ClassVar[str] = "source_muted"


@dataclass(frozen=True)
class SourceUnmuted:
    """The device delivers sound again."""

    event: ClassVar[str] = "source_unmuted"


Notice = Union[
    StateChange[RecordingState], Connected, Reconnected, SessionRestart, SourceMuted, SourceUnmuted
]
