"""A session may have its own key, given in its options."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soniox_sync import SlngClient, SonioxClient
from soniox_sync.errors import ConfigurationError, RealtimeAuthError
from tests.peers import RawPeer, Remote, close_frame, message
from tests.realtime.servers import RAW, client_for, failure, finished, result, token
from tests.waiting import Task, drain


def key_of(remote: Remote) -> str:
    """Return the key with which a connection was made."""
    assert remote.request is not None
    return remote.request.headers["authorization"]


def test_a_session_has_its_own_key(raw_peer: RawPeer) -> None:
    """Only the key of the options is sent; the client's own is not used."""
    client = client_for(raw_peer.url)
    for options, expected in (({"api_key": "of-session"}, "of-session"), ({}, "snx-Secret0")):
        session = client.realtime.stt(**RAW, options=options)
        with raw_peer.accept() as remote:
            assert key_of(remote).startswith(f"Bearer {expected}")
            assert "api_key" not in remote.recv_message().json
            remote.answer_close()
            session.close()


def test_a_client_without_a_key_can_have_keys_for_its_sessions(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in the default options, or in those of a call, replaces the client's."""
    monkeypatch.delenv("SONIOX_API_KEY", raising=False)
    client = SonioxClient(stt_ws_url=raw_peer.url)
    with pytest.raises(ConfigurationError, match="no API key"):
        client.realtime.stt(**RAW)
    defaults = SonioxClient(
        stt_ws_url=raw_peer.url, default_session_options={"api_key": lambda: "of-defaults"}
    )
    for made, options in ((client, {"api_key": "of-session"}), (defaults, None)):
        session = made.realtime.stt(**RAW, options=options)
        with raw_peer.accept() as remote:
            assert key_of(remote) in ("Bearer of-session", "Bearer of-defaults")
            remote.answer_close()
            session.close()


def test_a_recording_gets_a_key_for_each_session(raw_peer: RawPeer) -> None:
    """A callable is called once per session, so that an expired temporary key does not end it."""
    keys = iter(["first", "second"])

    def chunks() -> Iterator[bytes]:
        yield b"\1\0" * 1600

    transcription = client_for(raw_peer.url).realtime.transcribe(
        chunks(), **RAW, session_options={"api_key": lambda: next(keys)}
    )
    task = Task(lambda: drain(transcription))
    with raw_peer.accept() as remote:
        assert key_of(remote) == "Bearer first"
        expired = failure(403, "temp_api_key_session_expired", tokens=[])
        remote.send(result(token("One", start_ms=0, end_ms=50)), expired, close_frame(1000))
    with raw_peer.accept() as remote:
        assert key_of(remote) == "Bearer second"
        while remote.recv_message().payload:
            pass
        remote.send(finished(), close_frame(1000))
    assert [event.kind for event in task.result()][-1] == "finished"


def test_a_fixed_key_of_the_options_is_not_renewed(raw_peer: RawPeer) -> None:
    """An expired fixed key ends the recording, even if the client's own could be renewed."""
    client = client_for(raw_peer.url, api_key=lambda: "of-client")
    transcription = client.realtime.transcribe(
        iter([b"\1\0" * 1600]), **RAW, session_options={"api_key": "fixed"}
    )
    task = Task(lambda: drain(transcription))
    with raw_peer.accept() as remote:
        remote.recv_message()
        frame = failure(403, "temp_api_key_session_expired", tokens=[])
        remote.send(message(tokens=[], total_audio_proc_ms=50), frame, close_frame(1000))
        error = task.result()[-1]
    assert isinstance(error, RealtimeAuthError)


def test_the_gateway_uses_it_too(raw_peer: RawPeer) -> None:
    """Over SLNG the options' key replaces the gateway's."""
    client = SlngClient("of-client", stt_ws_url=raw_peer.url)
    session = client.realtime.stt(**RAW, options={"api_key": "of-session"})
    with raw_peer.accept() as remote:
        assert key_of(remote) == "Bearer of-session"
        remote.answer_close()
        session.close()
