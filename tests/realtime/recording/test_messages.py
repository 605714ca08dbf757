"""`recording.send_message()`: to the session that takes the audio, and to no other."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from soniox_sync import Recording
from soniox_sync.errors import ConfigurationError, InputTypeError, StateError
from soniox_sync.sources import IterableSource
from tests.peers import RawPeer
from tests.realtime.servers import (
    KEY,
    RAW,
    assert_nothing_received,
    client_for,
    connected_stt,
    finished,
    result,
    token,
)
from tests.waiting import WAIT, Task

NEWER = {"type": "newer"}
SPEECH = b"\1\2" * 1600  # 100 ms


class Feed:
    """Chunks of audio that the test hands over one at a time; `None` ends them."""

    def __init__(self) -> None:
        self.chunks: queue.SimpleQueue[Optional[bytes]] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self.chunks.get(timeout=WAIT)) is not None:
            yield chunk


def recording_of(peer: RawPeer, feed: Feed, **options: Any) -> Recording:
    """Start a recording of `feed` whose reconnects are immediate."""
    client = client_for(peer.url)
    return client.realtime.record(
        source=IterableSource(feed),
        auto_reconnect=True,
        reconnect_base_delay_sec=0.0,
        **RAW,
        **options,
    )


def test_a_message_goes_to_the_session_of_the_moment(raw_peer: RawPeer) -> None:
    """It is sent to the session that takes the audio, and after a reconnect to the next one."""
    feed = Feed()
    with recording_of(raw_peer, feed) as recording:
        for number in (0, 1):
            feed.chunks.put(SPEECH)
            remote = raw_peer.accept()
            assert remote.recv_message().json["model"]
            assert remote.recv_frame().payload  # this session takes the audio
            recording.send_message({**NEWER, "number": number})
            while not (got := remote.recv_frame()).payload.startswith(b"{"):
                assert got.payload  # audio that was sent again
            assert got.json == {**NEWER, "number": number}
            if number == 0:
                remote.reset()
        feed.chunks.put(None)
        stopping = Task(recording.stop)
        while remote.recv_frame().payload:
            pass
        remote.send(result(token("Hi")), finished())
        stopping.result(WAIT)
        remote.close()
        with pytest.raises(StateError, match="the recording is stopped, and no session"):
            recording.send_message(NEWER)


def test_a_standby_gets_no_message(raw_peer: RawPeer) -> None:
    """While the next session waits for a pause, messages go to the one that still takes audio."""
    feed = Feed()
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    with recording_of(raw_peer, feed, rotate_after_sec=1) as recording:
        recording.on("result", lambda result: heard.put(result.text))
        feed.chunks.put(SPEECH)
        current = raw_peer.accept()
        assert current.recv_message().json["model"]
        assert current.recv_frame().payload
        # a word is being spoken: no time to switch
        current.send(result(token("Hel", final=False, start_ms=0, end_ms=90)))
        assert heard.get(timeout=WAIT) == "Hel"
        feed.chunks.put(SPEECH * 12)
        standby = raw_peer.accept()
        assert standby.recv_message().json["model"]
        recording.send_message(NEWER)
        while not (got := current.recv_frame()).payload.startswith(b"{"):
            assert got.payload
        assert got.json == NEWER
        assert_nothing_received(standby)
        feed.chunks.put(None)
        recording.cancel()
        for remote in (current, standby):
            remote.close()


def test_without_a_session_there_is_nowhere_to_send_it() -> None:
    """While connecting it raises, naming the state and the event to wait for; nothing is kept."""
    feed = Feed()
    with RawPeer(answer=lambda remote: b"") as silent:  # accepts, and never answers the upgrade
        recording = recording_of(silent, feed)
        try:
            feed.chunks.put(SPEECH)
            remote = silent.accept()
            with pytest.raises(StateError) as caught:
                recording.send_message(NEWER)
            assert str(caught.value) == (
                f"cannot send a message: the recording is {recording.state}, and no session is "
                'connected; send it in a handler of "session_restart"'
            )
            with pytest.raises(InputTypeError, match="message: expected a mapping"):
                recording.send_message([NEWER])  # type: ignore[arg-type]
        finally:
            feed.chunks.put(None)
            recording.cancel()
            remote.close()
            recording.close()


@pytest.mark.parametrize(
    "message",
    [
        *({"a": [{name: "x"}]} for name in ("api_key", "API_KEY", "apiKey", "Api-Key", "apikey")),
        {"note": f"mine is {KEY}"},
        {KEY: 1},
    ],
)
@pytest.mark.parametrize("kind", ["session", "recording"])
def test_no_message_contains_a_key(raw_peer: RawPeer, message: dict[str, Any], kind: str) -> None:
    """A key is refused by its name in any spelling, and the session's own wherever it is."""
    if kind == "session":
        with connected_stt(raw_peer) as (session, remote):
            with pytest.raises(ConfigurationError, match="key") as caught:
                session.send_message(message)
            assert_nothing_received(remote)
    else:
        feed = Feed()
        with recording_of(raw_peer, feed) as recording:
            feed.chunks.put(SPEECH)
            remote = raw_peer.accept()
            remote.recv_message()
            remote.recv_frame()
            with pytest.raises(ConfigurationError, match="key") as caught:
                recording.send_message(message)
            feed.chunks.put(None)
            recording.cancel()
    assert KEY not in str(caught.value)
