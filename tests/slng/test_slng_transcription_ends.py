"""How a transcription over the gateway's own protocol ends: nothing truncated looks complete.

The ways to cut a line are those of the native dialect's tests. PROTOCOL 8.4.
"""

from __future__ import annotations

from typing import Any

import pytest
from peers import WAIT, RawPeer, Task, close_frame, drain
from slng_talk import RAW, READY, client_for, hears, says, session_line
from test_e2e_stt_faults import CUTS

from soniox_sync import CancelToken
from soniox_sync.errors import (
    AbortError,
    AuthError,
    BadRequestError,
    ConnectTimeoutError,
    NetworkError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
)

V3 = {"model": "rt-v3", "greeting": READY}
ROUTES = ["rt-v3", "unmute/soniox/speech-ai:rt-v4"]
ONE = '{"type":"final_transcript","transcript":"One."}'


# -- cut lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [False, True], ids=["talking", "finishing"])
@pytest.mark.parametrize("name", CUTS)
def test_a_cut_session_raises_after_what_was_received(
    raw_peer: RawPeer, name: str, ended: bool
) -> None:
    """However the line ends, before our end or after it, the session fails; 1000 after it is it."""
    with session_line(raw_peer, **V3) as (session, line, _):
        session.send_audio(b"\0\0")
        assert hears(line).startswith('{"type":"audio"')
        if ended:
            session.end_audio()
            assert hears(line) == '{"type":"close"}'
        says(line, ONE)
        CUTS[name][0](line)
        heard = drain(session)
        assert heard[0].text == "One. "
        if ended and name == "close 1000":
            assert heard[-1].kind == "finished"
            return
        assert type(heard[-1]) is SonioxConnectionError
        assert session.state == "error"


@pytest.mark.parametrize("model", ROUTES)
def test_a_close_with_words_still_provisional_is_a_loss(raw_peer: RawPeer, model: str) -> None:
    """A gateway that closes before its last guess became final has not said everything."""
    with session_line(raw_peer, model=model, greeting=READY) as (session, line, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        says(line, ONE, '{"type":"partial_transcript","transcript":"And two"}')
        line.send(close_frame(1000))
        heard = drain(session)
        assert [event.text for event in heard[:-1]] == ["One. ", "And two"]
        assert isinstance(heard[-1], SonioxConnectionError)
        assert "incomplete" in str(heard[-1])


@pytest.mark.parametrize(
    "withdrawal",
    [
        '{"type":"partial_transcript","transcript":""}',
        '{"type":"final_transcript","transcript":""}',
        '{"type":"final_transcript","transcript":"Two."}',
    ],
)
def test_a_guess_that_was_confirmed_or_withdrawn_is_no_loss(
    raw_peer: RawPeer, withdrawal: str
) -> None:
    """Once no words wait to become final, the orderly close is the good end."""
    with session_line(raw_peer, **V3) as (session, line, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        says(line, '{"type":"partial_transcript","transcript":"Tw"}', withdrawal)
        line.send(close_frame(1000))
        assert list(session)[-1].kind == "finished"


def test_an_utterance_s_end_confirms_no_words(raw_peer: RawPeer) -> None:
    """`utterance_end` behind a guess withdraws it from view, and does not make it final."""
    with session_line(raw_peer, model=ROUTES[1], greeting=READY) as (session, line, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        says(line, '{"type":"partial_transcript","transcript":"Tw"}', '{"type":"utterance_end"}')
        line.send(close_frame(1000))
        heard = drain(session)
        assert [e.kind for e in heard[:-1]] == ["result", "result", "endpoint"]
        assert isinstance(heard[-1], SonioxConnectionError)


# -- before `ready` -------------------------------------------------------------------------------


def opening(peer: RawPeer, model: str, **options: Any) -> Task:
    """Start opening a session, on a thread of its own."""
    return Task(lambda: client_for(peer).realtime.stt(model=model, **RAW, **options))


@pytest.mark.parametrize("model", ROUTES)
def test_a_gateway_that_never_gets_ready_costs_the_connect_timeout(
    raw_peer: RawPeer, model: str
) -> None:
    """Without `ready` opening raises ConnectTimeoutError, which names the option."""
    task = opening(raw_peer, model, options={"connect_timeout_sec": 0.2})
    with raw_peer.line() as line:
        with pytest.raises(ConnectTimeoutError, match="connect_timeout_sec"):
            task.result(WAIT)
        assert hears(line).startswith('{"type":"init"')


def test_a_token_cancels_the_wait_for_ready(raw_peer: RawPeer) -> None:
    """A CancelToken ends an opening that waits for the gateway, with AbortError."""
    token = CancelToken()
    task = opening(raw_peer, "rt-v3", cancel=token)
    with raw_peer.line() as line:
        assert hears(line)
        assert not task.done
        token.cancel("enough")
        with pytest.raises(AbortError, match="enough"):
            task.result(WAIT)
        assert line.recv_to_end() is not None  # and the line was given up


@pytest.mark.parametrize("code", [1000, 1008])
def test_a_close_instead_of_ready_is_a_connection_error(raw_peer: RawPeer, code: int) -> None:
    """A gateway that closes before `ready`, however orderly, has opened nothing."""
    task = opening(raw_peer, "rt-v3")
    with raw_peer.line() as line:
        assert hears(line)
        line.send(close_frame(code, "not today"))
        with pytest.raises(SonioxConnectionError, match="not today"):
            task.result(WAIT)


# -- errors, in all the spellings seen -------------------------------------------------------------


@pytest.mark.parametrize("model", ["rt-v4", *ROUTES])
@pytest.mark.parametrize(
    ("frame", "kind", "said"),
    [
        ('{"type":"error","code":"auth_error","message":"No key."}', AuthError, "No key"),
        ('{"type":"ERROR","code":401,"message":"No key."}', AuthError, "No key"),
        ('{"type":"error","code":"401","message":"No key."}', AuthError, "No key"),
        ('{"type":"error","error_code":"auth_error","error_message":"No."}', AuthError, "No"),
        ('{"type":"error","data":{"code":"auth_error","message":"No."}}', AuthError, "No"),
        ('{"type":"error","error":{"code":400,"message":"No."}}', BadRequestError, "No"),
        ('{"error":{"code":"rate_limit_exceeded","message":"Slow."}}', QuotaError, "Slow"),
        ('{"data":{"type":"error","code":400,"message":"No."}}', BadRequestError, "No"),
        ('{"type":"error","code":"internal_error","message":"Oops."}', NetworkError, "Oops"),
        ('{"type":"error","code":"limit_exceeded","message":"Slow."}', QuotaError, "Slow"),
        ('{"type":"error","error":"Upstream went away"}', RealtimeError, "Upstream went away"),
        ('{"error":"Upstream went away"}', RealtimeError, "Upstream went away"),
        ('{"type":"failed","error_code":400,"error_message":"No."}', BadRequestError, "No"),
        ('{"error_code":400,"error_type":"invalid_request"}', BadRequestError, "without a message"),
        ('{"type":"error"}', RealtimeError, "without a message"),
        ('{"type":"error","code":[1],"message":{"a":1}}', RealtimeError, "without a message"),
    ],
)
def test_an_error_in_any_spelling_ends_the_session(
    raw_peer: RawPeer, model: str, frame: str, kind: type, said: str
) -> None:
    """An error is the mapped exception on every route, after the results before it."""
    greeting = None if model == "rt-v4" else READY
    with session_line(raw_peer, model=model, greeting=greeting) as (session, line, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        says(line, frame)
        line.send(close_frame(1000))
        heard = drain(session)
        assert len(heard) == 1
        assert type(heard[0]) is kind
        assert said in str(heard[0])


@pytest.mark.parametrize("model", ["rt-v4", *ROUTES])
def test_frames_that_are_unknown_change_nothing(raw_peer: RawPeer, model: str) -> None:
    """What the gateway may say of its own is passed over, before the results and between."""
    greeting = None if model == "rt-v4" else READY
    last = (
        '{"tokens":[{"text":"One. ","is_final":true}],"finished":true}' if greeting is None else ONE
    )
    with session_line(raw_peer, model=model, greeting=greeting) as (session, line, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        says(
            line,
            READY,
            '{"type":"metadata","data":{"anything":[1]}}',
            '{"type":"speech_started"}',
            '{"type":17}',
            '{"type":"flushed","error":null}',
            last,
        )
        line.send(close_frame(1000))
        events = [(e.kind, e.text) for e in session if e.text or e.kind != "result"]
        assert events == [("result", "One. "), ("finished", "")]


def test_rt_v4_takes_responses_wrapped_by_the_gateway(raw_peer: RawPeer) -> None:
    """Native responses with a type, or nested under `data`, count like bare ones."""
    with session_line(raw_peer) as (session, line, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        says(
            line,
            '{"type":"result","tokens":[{"text":"a","is_final":true}],"final_audio_proc_ms":10}',
            '{"type":"Result","data":{"tokens":[{"text":"b","is_final":true}]}}',
            '{"data":{"tokens":[{"text":"c","is_final":false}],"total_audio_proc_ms":30}}',
            '{"type":"result","finished":true}',
        )
        events = list(session)
        assert [(e.kind, e.text) for e in events] == [
            ("result", "a"),
            ("result", "b"),
            ("result", "c"),
            ("finished", ""),
        ]
        assert events[-1].result.total_audio_proc_ms == 30
