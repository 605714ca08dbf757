"""What a transcription sends: chunks, paced streams, a feeding thread."""

from __future__ import annotations

import array
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync._support.checks import kind_of
from soniox_sync.errors import InputTypeError, SonioxConnectionError
from tests.peers import BINARY, RawPeer, close_frame
from tests.realtime.servers import (
    RAW,
    client_for,
    connected_stt,
    finished,
    raised_by,
    result,
    token,
)
from tests.waiting import WAIT, Task, eventually


@pytest.mark.parametrize(
    "kind",
    [bytes, bytearray, memoryview, lambda data: array.array("h", data)],
    ids=["bytes", "bytearray", "memoryview", "array"],
)
def test_audio_may_be_any_bytes_like_object(raw_peer: RawPeer, kind: Any) -> None:
    """Any object with a buffer is sent as its bytes; empty chunks are dropped."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(kind(b""))
        session.send_audio(kind(b"\1\2\3\4"))
        session.send_audio(kind(b""))
        session.send_stream([kind(b""), kind(b"\5\6")])
        session.keep_alive()
        got = [remote.recv_frame() for _ in range(3)]
        assert [(g.opcode, g.payload) for g in got[:2]] == [
            (BINARY, b"\1\2\3\4"),
            (BINARY, b"\5\6"),
        ]
        assert got[2].json == {"type": "keepalive"}


@pytest.mark.parametrize("data", ["text", 7, None, [1, 2], 1.5])
def test_audio_that_is_not_a_buffer_is_refused(raw_peer: RawPeer, data: Any) -> None:
    """Anything without a buffer raises a TypeError that names the field, and sends nothing."""
    with connected_stt(raw_peer) as (session, remote):
        with pytest.raises(InputTypeError, match=f"data: .* got {kind_of(data)}"):
            session.send_audio(data)
        session.send_audio(b"\1\2")
        assert remote.recv_frame().payload == b"\1\2"
        session.close()


def test_a_large_chunk_arrives_whole(raw_peer: RawPeer) -> None:
    """A megabyte in one call arrives byte for byte, in any number of messages."""
    data = bytes(range(256)) * 4096
    with connected_stt(raw_peer) as (session, remote):
        sending = Task(lambda: session.send_audio(data))
        got = b""
        while len(got) < len(data):
            part = remote.recv_frame()
            assert part.opcode == BINARY
            assert part.payload
            got += part.payload
        sending.result()
        assert got == data


def test_send_stream_keeps_a_pace(raw_peer: RawPeer) -> None:
    """With `pace_sec` chunks are sent one by one on a schedule, and the end after the last."""
    arrivals: list[Any] = []
    with connected_stt(raw_peer) as (session, remote):
        sending = Task(
            lambda: session.send_stream([b"\1", b"\2", b"\3"], pace_sec=0.02, finish=True)
        )
        got = [remote.recv_message() for _ in range(4)]
        arrivals = [g.payload for g in got]
        remote.send(finished(), close_frame())
        sending.result()
    assert arrivals == [b"\1", b"\2", b"\3", b""]


def test_a_paced_source_stops_when_the_session_does(raw_peer: RawPeer) -> None:
    """A sender that waits for the time of its next chunk wakes when the session ends."""
    with connected_stt(raw_peer) as (session, remote):
        sending = Task(lambda: session.send_stream(iter([b"\1"] * 10), pace_sec=600))
        assert remote.recv_message().payload == b"\1"
        remote.reset()
        with pytest.raises(SonioxConnectionError):
            sending.result()


def test_start_sending_feeds_from_its_own_thread(raw_peer: RawPeer) -> None:
    """`start_sending` returns at once, feeds in order, ends the audio; `join` waits for that."""
    gate = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"\1"
        gate.wait(WAIT)
        yield b"\2"

    with connected_stt(raw_peer) as (session, remote):
        handle = session.start_sending(chunks(), finish=True)
        assert remote.recv_message().payload == b"\1"
        assert handle.join(0) is False
        gate.set()
        assert [remote.recv_message().payload for _ in range(2)] == [b"\2", b""]
        assert handle.join(WAIT) is True
        remote.send(result(token("x")), finished(), close_frame())
        assert [event.kind for event in session] == ["result", "finished"]


def test_an_exception_of_the_source_is_raised_in_the_iterator(raw_peer: RawPeer) -> None:
    """An exception of the audio source ends the session and is raised unchanged by the iterator."""
    error = LookupError("the microphone went away")

    def chunks() -> Iterator[bytes]:
        yield b"\1"
        eventually(lambda: len(heard) == 1)
        raise error

    heard: list[str] = []
    with connected_stt(raw_peer) as (session, remote):
        handle = session.start_sending(chunks(), finish=True)
        assert remote.recv_message().payload == b"\1"
        remote.send(result(token("before")))
        events = iter(session)
        heard.append(next(events).text)
        assert raised_by(lambda: next(events)) is error
        assert handle.join(WAIT)
        assert handle.error is error
        assert raised_by(session.finish) is error
        assert session.state == "error"
        assert remote.recv_to_end() == b""  # no end of audio: nothing truncated looks complete
    assert heard == ["before"]


def test_a_start_message_is_json_in_utf8(raw_peer: RawPeer) -> None:
    """Text beyond ASCII in the configuration arrives as UTF-8."""
    session = client_for(raw_peer.url).realtime.stt(**RAW, context={"terms": ["Zoë", "東京"]})
    with raw_peer.accept() as remote:
        payload = remote.recv_message().payload
        assert json.loads(payload.decode("utf-8"))["context"]["terms"] == ["Zoë", "東京"]
    session.close()
