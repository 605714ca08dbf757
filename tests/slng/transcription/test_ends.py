"""How a transcription over the gateway's own protocol ends: nothing truncated looks complete.

The ways to lose a connection are those of the native tests. PROTOCOL 8.4.
"""

from __future__ import annotations

from typing import Any

import pytest

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
from tests.peers import RawPeer, close_frame
from tests.realtime.stt.test_faults import CUTS
from tests.slng.wire import RAW, READY, client_for, connected_session, recv_text, send_texts
from tests.waiting import WAIT, Task, drain

V3 = {"model": "rt-v3", "greeting": READY}
ROUTES = ["rt-v3", "unmute/soniox/speech-ai:rt-v4"]
ONE = '{"type":"final_transcript","transcript":"One."}'


# -- lost connections -----------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [False, True], ids=["sending", "finishing"])
@pytest.mark.parametrize("name", CUTS)
def test_a_lost_session_raises_after_what_was_received(
    raw_peer: RawPeer, name: str, ended: bool
) -> None:
    """However the connection ends, the session fails, except with a close 1000 after our end."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(b"\0\0")
        assert recv_text(remote).startswith('{"type":"audio"')
        if ended:
            session.end_audio()
            assert recv_text(remote) == '{"type":"close"}'
        send_texts(remote, ONE)
        CUTS[name][0](remote)
        received = drain(session)
        assert received[0].text == "One."
        if ended and name == "close 1000":
            assert received[-1].kind == "finished"
            return
        assert type(received[-1]) is SonioxConnectionError
        assert session.state == "error"


@pytest.mark.parametrize("model", ROUTES)
def test_a_close_with_partial_words_left_is_a_loss(raw_peer: RawPeer, model: str) -> None:
    """A gateway that closes before its last partials are final has not sent everything."""
    with connected_session(raw_peer, model=model, greeting=READY) as (session, remote, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        send_texts(remote, ONE, '{"type":"partial_transcript","transcript":"And two"}')
        remote.send(close_frame(1000))
        received = drain(session)
        assert [event.text for event in received[:-1]] == ["One.", " And two"]
        assert isinstance(received[-1], SonioxConnectionError)
        assert "incomplete" in str(received[-1])


@pytest.mark.parametrize(
    "withdrawal",
    [
        '{"type":"partial_transcript","transcript":""}',
        '{"type":"final_transcript","transcript":""}',
        '{"type":"final_transcript","transcript":"Two."}',
    ],
)
def test_confirmed_or_withdrawn_partials_are_not_a_loss(raw_peer: RawPeer, withdrawal: str) -> None:
    """If no partial words are left, a close with 1000 finishes the session."""
    with connected_session(raw_peer, **V3) as (session, remote, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        send_texts(remote, '{"type":"partial_transcript","transcript":"Tw"}', withdrawal)
        remote.send(close_frame(1000))
        assert list(session)[-1].kind == "finished"


def test_the_end_of_an_utterance_confirms_no_words(raw_peer: RawPeer) -> None:
    """`utterance_end` after partial words withdraws them; it does not make them final."""
    with connected_session(raw_peer, model=ROUTES[1], greeting=READY) as (session, remote, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        send_texts(
            remote, '{"type":"partial_transcript","transcript":"Tw"}', '{"type":"utterance_end"}'
        )
        remote.send(close_frame(1000))
        received = drain(session)
        assert [e.kind for e in received[:-1]] == ["result", "result", "endpoint"]
        assert isinstance(received[-1], SonioxConnectionError)


# -- before `ready` -------------------------------------------------------------------------------


def opening(peer: RawPeer, model: str, **options: Any) -> Task:
    """Open a session on its own thread."""
    return Task(lambda: client_for(peer).realtime.stt(model=model, **RAW, **options))


@pytest.mark.parametrize("model", ROUTES)
def test_a_gateway_that_is_never_ready_is_a_connect_timeout(raw_peer: RawPeer, model: str) -> None:
    """Without `ready` opening raises ConnectTimeoutError, which names the option and its value."""
    task = opening(raw_peer, model, options={"connect_timeout_sec": 0.2})
    with raw_peer.accept() as remote:
        with pytest.raises(ConnectTimeoutError, match=r"within 0\.2 s .* connect_timeout_sec$"):
            task.result(WAIT)
        assert recv_text(remote).startswith('{"type":"init"')


def test_a_token_cancels_the_wait_for_ready(raw_peer: RawPeer) -> None:
    """A CancelToken ends an opening that waits for the gateway, with AbortError."""
    token = CancelToken()
    task = opening(raw_peer, "rt-v3", cancel=token)
    with raw_peer.accept() as remote:
        assert recv_text(remote)
        assert not task.done
        token.cancel("enough")
        with pytest.raises(AbortError, match="enough"):
            task.result(WAIT)
        assert remote.recv_to_end() is not None  # the client has closed


@pytest.mark.parametrize("code", [1000, 1008])
def test_a_close_instead_of_ready_is_a_connection_error(raw_peer: RawPeer, code: int) -> None:
    """If the gateway closes before `ready`, even orderly, opening fails."""
    task = opening(raw_peer, "rt-v3")
    with raw_peer.accept() as remote:
        assert recv_text(remote)
        remote.send(close_frame(code, "not today"))
        with pytest.raises(SonioxConnectionError, match="not today"):
            task.result(WAIT)


# -- errors, in all known spellings ----------------------------------------------------------------


@pytest.mark.parametrize("model", ["rt-v4", *ROUTES])
@pytest.mark.parametrize(
    ("frame", "kind", "text"),
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
    raw_peer: RawPeer, model: str, frame: str, kind: type, text: str
) -> None:
    """On every route an error raises its exception, after the results before it."""
    greeting = None if model == "rt-v4" else READY
    with connected_session(raw_peer, model=model, greeting=greeting) as (session, remote, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        send_texts(remote, frame)
        remote.send(close_frame(1000))
        received = drain(session)
        assert len(received) == 1
        assert isinstance(received[0], kind)
        assert text in str(received[0])


@pytest.mark.parametrize("model", ["rt-v4", *ROUTES])
def test_unknown_frames_change_nothing(raw_peer: RawPeer, model: str) -> None:
    """Unknown messages of the gateway are ignored, before the results and between them."""
    greeting = None if model == "rt-v4" else READY
    last = (
        '{"tokens":[{"text":"One.","is_final":true}],"finished":true}' if greeting is None else ONE
    )
    with connected_session(raw_peer, model=model, greeting=greeting) as (session, remote, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        send_texts(
            remote,
            READY,
            '{"type":"metadata","data":{"anything":[1]}}',
            '{"type":"speech_started"}',
            '{"type":17}',
            '{"type":"flushed","error":null}',
            last,
        )
        remote.send(close_frame(1000))
        events = [(e.kind, e.text) for e in session if e.text or e.kind != "result"]
        assert events == [("result", "One."), ("finished", "")]


def test_rt_v4_accepts_wrapped_responses(raw_peer: RawPeer) -> None:
    """Native responses with a type, or nested under `data`, are read like bare ones."""
    with connected_session(raw_peer) as (session, remote, _):
        session.send_audio(b"\0\0")
        session.end_audio()
        send_texts(
            remote,
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
