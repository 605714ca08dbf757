"""The state tables are complete: each pair of state and step has a next state or is an error."""

from __future__ import annotations

import itertools

import pytest

from soniox_sync import StateError, SttSessionState, TtsStreamState
from soniox_sync.protocol.states import STT, TTS, SttStep, TtsPhase, TtsStep, step

P, S = TtsPhase, TtsStep
T, K = SttSessionState, SttStep

# written from PROTOCOL 3.3 and the docstrings, not from the table: what each step does when
TTS_EXPECTED = {
    S.TEXT: {P.NEW: P.ACTIVE, P.ACTIVE: P.ACTIVE},
    S.END: {P.NEW: P.ENDED, P.ACTIVE: P.FINISHING},
    S.CANCEL: {
        P.NEW: P.ENDED,
        P.ACTIVE: P.CANCELLED,
        P.FINISHING: P.CANCELLED,
        # cancelling an ended stream is legal and changes nothing
        **{p: p for p in (P.CANCELLED, P.FAILED, P.ENDED, P.DEAD)},
    },
    S.GOT_ERROR: {
        P.ACTIVE: P.FAILED,
        P.FINISHING: P.FAILED,
        P.CANCELLED: P.CANCELLED,
        P.FAILED: P.FAILED,
    },
    S.GOT_TERMINATED: {
        P.ACTIVE: P.ENDED,
        P.FINISHING: P.ENDED,
        P.CANCELLED: P.ENDED,
    },
    S.GOT_CUT_OFF: dict.fromkeys((P.ACTIVE, P.FINISHING, P.CANCELLED, P.FAILED), P.DEAD),
    S.LOST: {
        P.NEW: P.DEAD,
        P.ACTIVE: P.DEAD,
        P.FINISHING: P.DEAD,
        P.CANCELLED: P.ENDED,
        P.FAILED: P.DEAD,
        P.ENDED: P.ENDED,
        P.DEAD: P.DEAD,
    },
}

_OVER = (T.FINISHED, T.CANCELED, T.CLOSED, T.ERROR)
_LIVE = (T.IDLE, T.CONNECTING, T.CONNECTED, T.FINISHING)

STT_EXPECTED = {
    K.CONNECT: {T.IDLE: T.CONNECTING},
    K.OPENED: {T.CONNECTING: T.CONNECTED},
    **{
        k: {T.CONNECTED: T.CONNECTED}
        for k in (K.AUDIO, K.FINALIZE, K.KEEP_ALIVE, K.MESSAGE, K.PAUSE, K.RESUME)
    },
    K.FINISH: {
        T.CONNECTED: T.FINISHING,
        T.FINISHING: T.FINISHING,
        T.FINISHED: T.FINISHED,
    },
    K.GOT_FINISHED: {T.CONNECTED: T.FINISHED, T.FINISHING: T.FINISHED},
    K.FAIL: {**dict.fromkeys(_LIVE, T.ERROR), **{t: t for t in _OVER}},
    K.CLOSE: {**dict.fromkeys(_LIVE, T.CLOSED), **{t: t for t in _OVER}},
    K.CANCEL: {**dict.fromkeys(_LIVE, T.CANCELED), **{t: t for t in _OVER}},
}


@pytest.mark.parametrize(("phase", "what"), list(itertools.product(TtsPhase, TtsStep)))
def test_every_step_of_a_stream_is_defined(phase: TtsPhase, what: TtsStep) -> None:
    """Each step of a stream leads to the documented phase, or raises an error with the reason."""
    expected = TTS_EXPECTED[what].get(phase)
    if expected is not None:
        assert step(TTS, phase, what, "stream 's1'") is expected
        return
    with pytest.raises(StateError) as caught:
        step(TTS, phase, what, "stream 's1'")
    assert str(caught.value) == f"cannot {what.value}: stream 's1' is {phase.public.value}"


@pytest.mark.parametrize(("state", "what"), list(itertools.product(SttSessionState, SttStep)))
def test_every_step_of_a_session_is_defined(state: SttSessionState, what: SttStep) -> None:
    """Each step of a session leads to the documented state, or raises an error with the reason."""
    expected = STT_EXPECTED[what].get(state)
    if expected is not None:
        assert step(STT, state, what, "the session") is expected
        return
    with pytest.raises(StateError) as caught:
        step(STT, state, what, "the session")
    assert str(caught.value) == f"cannot {what.value}: the session is {state.value}"


def test_tables_contain_nothing_else() -> None:
    """The tables have exactly the expected cells."""
    assert len(TTS) == sum(map(len, TTS_EXPECTED.values()))
    assert len(STT) == sum(map(len, STT_EXPECTED.values()))


def test_every_stream_ends_when_its_connection_is_lost() -> None:
    """Every phase of a stream and every state of a session can reach an end."""
    for phase in TtsPhase:
        assert step(TTS, phase, S.LOST, "stream").is_over
    for state in SttSessionState:
        for what in (K.FAIL, K.CLOSE, K.CANCEL):
            assert step(STT, state, what, "session").is_over


@pytest.mark.parametrize("phase", list(TtsPhase))
def test_predicates_agree_with_the_table(phase: TtsPhase) -> None:
    """The predicates of a phase agree with the table."""
    assert phase.can_send_text == (phase in TTS_EXPECTED[S.TEXT])
    # the id is free exactly when the server can send no more frames for it
    assert phase.is_over == (phase is not P.NEW and phase not in TTS_EXPECTED[S.GOT_CUT_OFF])
    assert phase.wants_audio == (phase in (P.ACTIVE, P.FINISHING))
    assert isinstance(phase.public, TtsStreamState)


@pytest.mark.parametrize("state", list(SttSessionState))
def test_session_predicates_agree_with_the_table(state: SttSessionState) -> None:
    """The predicates of a session state agree with the table."""
    assert state.can_send_audio == (state in STT_EXPECTED[K.AUDIO])
    assert state.is_over == (state in _OVER)


def test_public_states_are_strings() -> None:
    """Public states compare and print as the documented strings (PROTOCOL 9)."""
    assert [str(s) for s in TtsStreamState] == ["active", "finishing", "ended", "error"]
    assert [str(phase.public) for phase in (P.NEW, P.ACTIVE)] == ["active", "active"]
    assert [str(phase.public) for phase in (P.FINISHING, P.CANCELLED)] == ["finishing"] * 2
    assert [str(phase.public) for phase in (P.ENDED, P.FAILED, P.DEAD)] == ["ended", *["error"] * 2]
    assert f"{SttSessionState.CANCELED}" == "canceled"
    assert SttSessionState.CONNECTED == "connected"
    assert {s.value for s in SttSessionState if not s.is_over} == {
        "idle",
        "connecting",
        "connected",
        "finishing",
    }
    assert {s.value for s in SttSessionState if s.is_over} == {
        "finished",
        "canceled",
        "closed",
        "error",
    }
