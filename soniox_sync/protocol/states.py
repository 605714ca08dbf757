"""States of streams and sessions as tables (as in h11): a missing cell is an error.

Use what a state allows (`state.can_send_text`) rather than comparing it with a list of states.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Optional, TypeVar

from ..errors import StateError


class TtsStreamState(str, enum.Enum):
    """State of a speech stream, as users see it.

    `active`: accepts text. `finishing`: its text has ended, or it was cancelled, and the server has
    not terminated it yet. `ended`: terminated. `error`: failed. Source: PROTOCOL 9
    (TtsStreamState).
    """

    ACTIVE = "active"
    FINISHING = "finishing"
    ENDED = "ended"
    ERROR = "error"

    __str__ = str.__str__


class TtsPhase(enum.Enum):
    """Internal state of a speech stream; each has one public `TtsStreamState`."""

    NEW = "new"  # nothing was sent: the server does not know the stream, and its timers do not run
    ACTIVE = "active"
    FINISHING = "finishing"  # text_end was sent
    CANCELLED = "cancelled"  # cancel was sent: audio still in flight is dropped
    FAILED = "failed"  # an error frame was received; `terminated` follows and frees the id
    ENDED = "ended"
    DEAD = "dead"  # failed, and no longer known to the server

    @property
    def public(self) -> TtsStreamState:
        """Public state."""
        return _PUBLIC[self]

    @property
    def can_send_text(self) -> bool:
        """Whether text may be sent."""
        return self in (TtsPhase.NEW, TtsPhase.ACTIVE)

    @property
    def is_over(self) -> bool:
        """Whether the id is free again."""
        return self in (TtsPhase.ENDED, TtsPhase.DEAD)

    @property
    def wants_audio(self) -> bool:
        """Whether received audio goes to the user."""
        return self in (TtsPhase.ACTIVE, TtsPhase.FINISHING)

    @property
    def is_open(self) -> bool:
        """Whether the stream is neither cancelled nor failed nor ended."""
        return self in (TtsPhase.NEW, TtsPhase.ACTIVE, TtsPhase.FINISHING)


_PUBLIC = {
    TtsPhase.NEW: TtsStreamState.ACTIVE,
    TtsPhase.ACTIVE: TtsStreamState.ACTIVE,
    TtsPhase.FINISHING: TtsStreamState.FINISHING,
    TtsPhase.CANCELLED: TtsStreamState.FINISHING,
    TtsPhase.FAILED: TtsStreamState.ERROR,
    TtsPhase.ENDED: TtsStreamState.ENDED,
    TtsPhase.DEAD: TtsStreamState.ERROR,
}


class TtsStep(enum.Enum):
    """Event of a speech stream. Error messages contain the value: "cannot cancel: ..."."""

    TEXT = "send text"
    END = "finish"
    CANCEL = "cancel"
    GOT_ERROR = "receive an error"
    GOT_TERMINATED = "be terminated"  # complete, or no longer wanted
    GOT_CUT_OFF = "be cut off"  # terminated after an error, or before its audio was complete
    LOST = "lose its connection"


P, S = TtsPhase, TtsStep
TTS: Mapping[tuple[TtsPhase, TtsStep], TtsPhase] = {
    (P.NEW, S.TEXT): P.ACTIVE,
    (P.NEW, S.END): P.ENDED,  # without text there is nothing to send to the server
    (P.NEW, S.CANCEL): P.ENDED,
    (P.NEW, S.LOST): P.DEAD,
    (P.ACTIVE, S.TEXT): P.ACTIVE,
    (P.ACTIVE, S.END): P.FINISHING,
    (P.ACTIVE, S.CANCEL): P.CANCELLED,
    (P.ACTIVE, S.GOT_ERROR): P.FAILED,
    (P.ACTIVE, S.GOT_TERMINATED): P.ENDED,  # all audio came before our text_end
    (P.ACTIVE, S.GOT_CUT_OFF): P.DEAD,  # a server abort (PROTOCOL 3.3.4)
    (P.ACTIVE, S.LOST): P.DEAD,
    (P.FINISHING, S.CANCEL): P.CANCELLED,
    (P.FINISHING, S.GOT_ERROR): P.FAILED,
    (P.FINISHING, S.GOT_TERMINATED): P.ENDED,
    (P.FINISHING, S.GOT_CUT_OFF): P.DEAD,
    (P.FINISHING, S.LOST): P.DEAD,
    (P.CANCELLED, S.CANCEL): P.CANCELLED,
    # no longer wanted: any end is acceptable
    (P.CANCELLED, S.GOT_ERROR): P.CANCELLED,
    (P.CANCELLED, S.GOT_TERMINATED): P.ENDED,
    (P.CANCELLED, S.GOT_CUT_OFF): P.DEAD,  # it had failed here, and was cancelled there for that
    (P.CANCELLED, S.LOST): P.ENDED,
    (P.FAILED, S.CANCEL): P.FAILED,
    (P.FAILED, S.GOT_ERROR): P.FAILED,
    (P.FAILED, S.GOT_CUT_OFF): P.DEAD,
    (P.FAILED, S.LOST): P.DEAD,
    (P.ENDED, S.CANCEL): P.ENDED,
    (P.ENDED, S.LOST): P.ENDED,
    (P.DEAD, S.CANCEL): P.DEAD,
    (P.DEAD, S.LOST): P.DEAD,
}
del P, S


class SttSessionState(str, enum.Enum):
    """State of a session. Source: PROTOCOL 9 (SttSessionState)."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FINISHING = "finishing"  # the end of the audio was sent, results still come
    FINISHED = "finished"
    CANCELED = "canceled"
    CLOSED = "closed"  # closed by the caller before it finished
    ERROR = "error"

    __str__ = str.__str__

    @property
    def can_send_audio(self) -> bool:
        """Whether audio and control messages may be sent."""
        return self is SttSessionState.CONNECTED

    @property
    def is_over(self) -> bool:
        """Whether no more results will arrive."""
        return self in _STT_OVER


_STT_OVER = frozenset(
    {
        SttSessionState.FINISHED,
        SttSessionState.CANCELED,
        SttSessionState.CLOSED,
        SttSessionState.ERROR,
    }
)


class SttStep(enum.Enum):
    """Event of a session. Error messages contain the value: "cannot pause: ..."."""

    CONNECT = "connect"
    OPENED = "be connected"
    AUDIO = "send audio"
    FINALIZE = "finalize"
    KEEP_ALIVE = "send a keepalive"
    MESSAGE = "send a message"
    PAUSE = "pause"
    RESUME = "resume"
    FINISH = "finish"
    GOT_FINISHED = "be finished"
    FAIL = "fail"
    CLOSE = "be closed"
    CANCEL = "be cancelled"


T, K = SttSessionState, SttStep
STT: Mapping[tuple[SttSessionState, SttStep], SttSessionState] = {
    (T.IDLE, K.CONNECT): T.CONNECTING,
    (T.CONNECTING, K.OPENED): T.CONNECTED,
    (T.CONNECTED, K.AUDIO): T.CONNECTED,
    (T.CONNECTED, K.FINALIZE): T.CONNECTED,
    (T.CONNECTED, K.KEEP_ALIVE): T.CONNECTED,
    (T.CONNECTED, K.MESSAGE): T.CONNECTED,
    (T.CONNECTED, K.PAUSE): T.CONNECTED,
    (T.CONNECTED, K.RESUME): T.CONNECTED,
    (T.CONNECTED, K.FINISH): T.FINISHING,
    (T.CONNECTED, K.GOT_FINISHED): T.FINISHED,
    (T.FINISHING, K.FINISH): T.FINISHING,
    (T.FINISHING, K.GOT_FINISHED): T.FINISHED,
    (T.FINISHED, K.FINISH): T.FINISHED,
    **{(state, K.FAIL): T.ERROR for state in T if not state.is_over},
    **{(state, K.CLOSE): T.CLOSED for state in T if not state.is_over},
    **{(state, K.CANCEL): T.CANCELED for state in T if not state.is_over},
    **{(state, step): state for state in _STT_OVER for step in (K.FAIL, K.CLOSE, K.CANCEL)},
}
del T, K

_State = TypeVar("_State", bound=enum.Enum)
_Step = TypeVar("_Step", bound=enum.Enum)


def step(
    table: Mapping[tuple[_State, _Step], _State], state: _State, what: _Step, whose: str
) -> _State:
    """Return the state after `what`.

    Raises
        StateError: the table has no such cell; the message contains `whose` and its state.
    """
    after = table.get((state, what))
    if after is None:
        shown = state.public if isinstance(state, TtsPhase) else state
        raise StateError(f"cannot {what.value}: {whose} is {shown.value}")
    return after


_Named = TypeVar("_Named", bound=str, covariant=True)


@dataclass(frozen=True, repr=False)
class StateChange(Generic[_Named]):
    """Argument of `"state_change"` handlers: old state, new state, and the reason.

    `reason` of a recording: `"user_action"`, `"connected"`, `"connection_lost"`, `"reconnecting"`,
    `"reconnected"`, `"rotated"` (the state stays), `"error"` or `"finished"`; `None` of a session.
    """

    event: ClassVar[str] = "state_change"

    old_state: _Named
    new_state: _Named
    reason: Optional[str] = None

    def __repr__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"<StateChange {self.old_state} -> {self.new_state}{why}>"
