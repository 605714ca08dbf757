"""The states of streams and transcriptions, as tables (after h11): a missing cell is an error.

Ask a state what it allows (`state.can_send_text`) rather than compare it with a list of states.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar

from ..errors import StateError


class TtsStreamState(str, enum.Enum):
    """Is what a user sees of a speech stream.

    `active`: takes text. `finishing`: its text ended or it was cancelled; the server has not
    terminated it yet. `ended`: terminated. `error`: failed. Source: PROTOCOL 9 (TtsStreamState).
    """

    ACTIVE = "active"
    FINISHING = "finishing"
    ENDED = "ended"
    ERROR = "error"

    __str__ = str.__str__


class TtsPhase(enum.Enum):
    """Is the full state of a speech stream; each belongs to one public `TtsStreamState`."""

    NEW = "new"  # nothing was sent: the server does not know the stream, its timers do not run
    ACTIVE = "active"
    FINISHING = "finishing"  # text_end is out
    CANCELLED = "cancelled"  # cancel is out: audio still in flight is dropped
    FAILED = "failed"  # an error frame came; `terminated` follows and frees the id
    ENDED = "ended"
    DEAD = "dead"  # failed, and gone from the server

    @property
    def public(self) -> TtsStreamState:
        """Give the state that users see."""
        return _PUBLIC[self]

    @property
    def can_send_text(self) -> bool:
        """Tell whether text may be sent."""
        return self in (TtsPhase.NEW, TtsPhase.ACTIVE)

    @property
    def is_over(self) -> bool:
        """Tell whether the id is free again."""
        return self in (TtsPhase.ENDED, TtsPhase.DEAD)

    @property
    def wants_audio(self) -> bool:
        """Tell whether arriving audio is the user's."""
        return self in (TtsPhase.ACTIVE, TtsPhase.FINISHING)

    @property
    def is_open(self) -> bool:
        """Tell whether the server still owes something: neither cancelled nor failed nor gone."""
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
    """Is what can happen to a speech stream; the value names it in error messages."""

    TEXT = "send text"
    END = "finish"
    CANCEL = "cancel"
    GOT_ERROR = "receive an error"
    GOT_TERMINATED = "be terminated"
    LOST = "lose its connection"


P, S = TtsPhase, TtsStep
TTS: Mapping[tuple[TtsPhase, TtsStep], TtsPhase] = {
    (P.NEW, S.TEXT): P.ACTIVE,
    (P.NEW, S.END): P.ENDED,  # without any text there is nothing to ask the server for
    (P.NEW, S.CANCEL): P.ENDED,
    (P.NEW, S.LOST): P.DEAD,
    (P.ACTIVE, S.TEXT): P.ACTIVE,
    (P.ACTIVE, S.END): P.FINISHING,
    (P.ACTIVE, S.CANCEL): P.CANCELLED,
    (P.ACTIVE, S.GOT_ERROR): P.FAILED,
    (P.ACTIVE, S.GOT_TERMINATED): P.DEAD,  # a server abort (PROTOCOL 3.3.4)
    (P.ACTIVE, S.LOST): P.DEAD,
    (P.FINISHING, S.CANCEL): P.CANCELLED,
    (P.FINISHING, S.GOT_ERROR): P.FAILED,
    (P.FINISHING, S.GOT_TERMINATED): P.ENDED,
    (P.FINISHING, S.LOST): P.DEAD,
    (P.CANCELLED, S.CANCEL): P.CANCELLED,
    (P.CANCELLED, S.GOT_ERROR): P.CANCELLED,  # the user asked for the end; this is it
    (P.CANCELLED, S.GOT_TERMINATED): P.ENDED,
    (P.CANCELLED, S.LOST): P.ENDED,
    (P.FAILED, S.CANCEL): P.FAILED,
    (P.FAILED, S.GOT_ERROR): P.FAILED,
    (P.FAILED, S.GOT_TERMINATED): P.DEAD,
    (P.FAILED, S.LOST): P.DEAD,
    (P.ENDED, S.CANCEL): P.ENDED,
    (P.ENDED, S.LOST): P.ENDED,
    (P.DEAD, S.CANCEL): P.DEAD,
    (P.DEAD, S.LOST): P.DEAD,
}
del P, S


class SttSessionState(str, enum.Enum):
    """Is the state of a transcription over one connection. Source: PROTOCOL 9 (SttSessionState)."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FINISHING = "finishing"  # the end of audio is out, results still come
    FINISHED = "finished"
    CANCELED = "canceled"
    CLOSED = "closed"  # closed by the caller before it finished
    ERROR = "error"

    __str__ = str.__str__

    @property
    def can_send_audio(self) -> bool:
        """Tell whether audio and control messages may be sent."""
        return self is SttSessionState.CONNECTED

    @property
    def is_over(self) -> bool:
        """Tell whether nothing will arrive any more."""
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
    """Is what can happen to a transcription; the value names it in error messages."""

    CONNECT = "connect"
    OPENED = "be connected"
    AUDIO = "send audio"
    FINALIZE = "finalize"
    KEEP_ALIVE = "send a keepalive"
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
    """Give the state after `what`, or raise `StateError` naming `whose` state forbids it."""
    after = table.get((state, what))
    if after is None:
        shown = state.public if isinstance(state, TtsPhase) else state
        raise StateError(f"cannot {what.value}: {whose} is {shown.value}")
    return after
