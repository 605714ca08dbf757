"""`session.send_message()`: control messages that this library does not know, sent as given."""

from __future__ import annotations

import json
import logging
from types import MappingProxyType
from typing import Any

import pytest

from soniox_sync.errors import AuthError, ConfigurationError, InputTypeError, StateError
from tests.peers import TEXT, RawPeer, close_frame, text
from tests.realtime.servers import client_for, connected_stt, finished, raised_by, result, token
from tests.waiting import Task

# not a message of the service: what it will look like is for its docs to say
NEWER = {"type": "newer", "words": ["Zoë", None], "at": {"ms": 5}}


@pytest.mark.parametrize("message", [NEWER, MappingProxyType(NEWER)], ids=["dict", "mapping"])
def test_a_message_is_sent_as_given(raw_peer: RawPeer, message: Any) -> None:
    """A mapping is sent as one text message of compact JSON, with its `None`s, in its order."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\2")
        session.send_message(message)
        assert remote.recv_frame().payload == b"\1\2"
        got = remote.recv_frame()
        assert got.opcode == TEXT
        assert got.text == '{"type":"newer","words":["Zoë",null],"at":{"ms":5}}'


def test_a_message_is_sent_while_paused(raw_peer: RawPeer) -> None:
    """A pause holds back audio, not messages."""
    with connected_stt(raw_peer) as (session, remote):
        session.pause()
        session.send_message(NEWER)
        assert remote.recv_frame().json == NEWER
        assert session.paused


def test_a_finalize_by_hand_is_answered_by_the_event(raw_peer: RawPeer) -> None:
    """A finalize in a message leaves the state as it is; its answer is the `finalized` event."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\2")
        session.send_message({"type": "finalize"})
        assert remote.recv_frame().payload == b"\1\2"
        assert remote.recv_frame().text == '{"type":"finalize"}'
        remote.send(result(token("Hi"), token("<fin>")))
        assert [next(iter(session)).kind for _ in range(2)] == ["result", "finalized"]
        assert session.state == "connected"
        finishing = Task(session.finish)
        assert remote.recv_frame().payload == b""
        remote.send(finished(), close_frame())
        finishing.result()


def test_an_end_by_hand_ends_the_session_when_the_service_finishes(raw_peer: RawPeer) -> None:
    """The service's last response ends the session, whoever asked for it."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_message({"type": "end"})
        assert remote.recv_frame().json == {"type": "end"}
        remote.send(result(token("Hi")), finished(), close_frame())
        assert [event.kind for event in session] == ["result", "finished"]
        assert isinstance(raised_by(lambda: session.send_message(NEWER)), StateError)


def test_after_the_end_no_message_is_sent(raw_peer: RawPeer) -> None:
    """While finishing, when finished and after `close()` it raises, naming the state."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\2")
        session.end_audio()
        error = raised_by(lambda: session.send_message(NEWER))
        assert isinstance(error, StateError)
        assert str(error) == "cannot send a message: the session is finishing"
        remote.send(finished(), close_frame())
        session.finish()
        with pytest.raises(StateError, match="the session is finished"):
            session.send_message(NEWER)
    with connected_stt(raw_peer) as (session, _):
        session.close()
        with pytest.raises(StateError, match="the session is closed"):
            session.send_message(NEWER)


def test_after_a_failure_the_error_of_the_session_is_raised(raw_peer: RawPeer) -> None:
    """A session that failed raises its own error, as for audio."""
    frame = {"tokens": [], "error_code": 401, "error_message": "Wrong key."}
    with connected_stt(raw_peer) as (session, remote):
        remote.send(text(json.dumps(frame)), close_frame())
        assert isinstance(raised_by(lambda: list(session)), AuthError)
        with pytest.raises(AuthError, match="Wrong key"):
            session.send_message(NEWER)


@pytest.mark.parametrize(
    "message",
    [
        {"api_key": "snx-secret"},
        {"type": "newer", "start": {"api_key": "snx-secret"}},
        {"type": "newer", "list": [{"deep": ({"api_key": "snx-secret"},)}]},
    ],
)
@pytest.mark.parametrize("auth", ["header", "message"])
def test_a_message_with_a_key_is_refused(raw_peer: RawPeer, auth: Any, message: Any) -> None:
    """A key never goes out in a message of the user's, however deep; the error does not show it."""
    client = client_for(raw_peer.url, auth=auth)
    with connected_stt(raw_peer, client=client) as (session, remote):
        with pytest.raises(ConfigurationError) as caught:
            session.send_message(message)
        assert str(caught.value) == (
            "message: expected fields without a key, got 'api_key'; pass the key to the client"
        )
        session.send_message(NEWER)
        assert remote.recv_frame().json == NEWER  # and nothing before it


def test_a_mapping_that_contains_itself_is_refused(raw_peer: RawPeer) -> None:
    """A circle has no end as JSON: it is refused like any value that JSON cannot represent."""
    circle: dict[str, Any] = {"type": "newer"}
    circle["self"] = circle
    with connected_stt(raw_peer) as (session, _), pytest.raises(ConfigurationError) as caught:
        session.send_message(circle)
    assert "message: expected values that JSON can represent" in str(caught.value)


def test_none_is_not_a_message(raw_peer: RawPeer) -> None:
    """`None`, an optional mapping elsewhere, is refused."""
    with connected_stt(raw_peer) as (session, _):
        with pytest.raises(InputTypeError, match="message: expected a mapping, got None"):
            session.send_message(None)


def test_the_log_has_the_size_of_a_message_and_not_its_words(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """What a message says is private: the log has its length."""
    with caplog.at_level(logging.DEBUG, "soniox_sync"), connected_stt(raw_peer) as (session, _):
        session.send_message({"type": "newer", "text": "private words"})
    assert "> message 39 chars" in caplog.text
    assert "private words" not in caplog.text
