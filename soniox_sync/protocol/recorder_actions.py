"""What a `Recorder` can ask for, the states it goes through, the rules it is given."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Optional, Union


class RecordingState(str, enum.Enum):
    """Is the state of a recording; `stopped`, `error` and `canceled` are final. PROTOCOL 9."""

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
        """Tell whether nothing will happen any more."""
        return self in (RecordingState.STOPPED, RecordingState.ERROR, RecordingState.CANCELED)


@dataclass(frozen=True)
class RecorderSettings:
    """Sets the rules of one recording; seconds throughout."""

    auto_reconnect: bool = False
    max_reconnect_attempts: int = 3
    reconnect_base_delay_sec: float = 1.0
    replay_window_sec: float = 120.0
    rotate_after_sec: Optional[float] = 270 * 60.0
    translation_watchdog: bool = False
    catch_up_speed: Optional[float] = 2.0
    catch_up_burst_sec: float = 10.0
    buffer_queue_size: int = 1000
    finish_timeout_sec: float = 10.0  # without any word from the service after the end of audio
    can_restart: bool = False  # the source can begin its container anew
    new_key_possible: bool = False  # a callable gives another key


@dataclass(frozen=True)
class Open:
    """Open session `number` now."""

    number: int


@dataclass(frozen=True)
class Send:
    """Send `data` on session `number`."""

    number: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Finalize:
    """Ask session `number` to make final what it heard."""

    number: int


@dataclass(frozen=True)
class End:
    """Tell session `number` that its audio is complete, without waiting."""

    number: int


@dataclass(frozen=True)
class Abandon:
    """Cut session `number`; nothing it says matters any more."""

    number: int


@dataclass(frozen=True)
class RestartSource:
    """Let the source begin a new container."""


@dataclass(frozen=True)
class Announce:
    """Tell the user that a reconnect is due, wait for the handlers, then call `announced()`."""

    attempt: int
    max_attempts: int
    delay_sec: float


@dataclass(frozen=True)
class Wait:
    """Wait for news, at most until the moment `until`."""

    until: Optional[float] = None


@dataclass(frozen=True)
class Done:
    """Nothing is left to do; `error` says how it ended, `None` well."""

    error: Optional[BaseException] = None


Action = Union[Open, Send, Finalize, End, Abandon, RestartSource, Announce, Wait, Done]
