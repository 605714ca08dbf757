"""What a paused session does with audio, and what the log tells of its beginning."""

from __future__ import annotations

import logging

import pytest

from soniox_sync.errors import StateError
from tests.peers import RawPeer
from tests.realtime.servers import KEY, RAW, client_for, connected_stt
from tests.waiting import WAIT, Task


def test_dropped_audio_is_not_waited_for(raw_peer: RawPeer) -> None:
    """With `pause(drop=True)` a stream that is sent goes on, and nothing of it goes out."""
    with connected_stt(raw_peer) as (session, remote):
        session.pause(drop=True)
        Task(lambda: session.send_stream([b"\1\1", b"\2\2"])).result()
        session.resume()
        session.send_audio(b"\3\3")
        assert remote.recv_frame().payload == b"\3\3"


def test_kept_audio_waits_for_the_end_of_a_pause(raw_peer: RawPeer) -> None:
    """Without `drop` a chunk is refused, and a stream that is fed waits and loses nothing."""
    with connected_stt(raw_peer) as (session, remote):
        session.pause()
        with pytest.raises(StateError):
            session.send_audio(b"\0\0")
        feeder = session.start_sending([b"\1\1"])
        session.resume()
        assert remote.recv_frame().payload == b"\1\1"
        feeder.join(WAIT)


def test_the_log_shows_the_configuration_without_its_key(
    raw_peer: RawPeer, caplog: pytest.LogCaptureFixture
) -> None:
    """At level DEBUG the first message is there, as it is sent, but for the key."""
    with caplog.at_level(logging.DEBUG, "soniox_sync"):
        client = client_for(raw_peer.url, auth="message")
        with connected_stt(raw_peer, client=client) as (session, _):
            session.close()
    (line,) = [r.getMessage() for r in caplog.records if "> config" in r.getMessage()]
    assert RAW["audio_format"] in line and "***" in line and KEY not in line
