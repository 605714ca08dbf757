"""A server that finishes before it has processed all audio is detected by its counter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.errors import SonioxConnectionError, is_retriable
from tests.peers import RawPeer, Remote, close_frame
from tests.realtime.servers import (
    RAW,
    client_for,
    connected_stt,
    finished,
    raised_by,
    result,
    token,
)
from tests.waiting import Task, drain

SECOND = b"\1\0" * 16_000


def counted(ms: int, **fields: Any) -> dict[str, Any]:
    """Return both counters, as in the last response."""
    return {"final_audio_proc_ms": ms, "total_audio_proc_ms": ms, **fields}


def test_an_early_end_is_an_error_after_the_words(raw_peer: RawPeer) -> None:
    """`finished` after 2 of 5 seconds raises in iteration and calls; it does not look complete."""
    with connected_stt(raw_peer) as (session, remote):
        for _ in range(5):
            session.send_audio(SECOND)
        session.end_audio()
        remote.send(result(token("One"), **counted(2000)), finished(**counted(2000)), close_frame())
        got = drain(session)
        assert [event.kind for event in got[:-1]] == ["result"]
        assert [event.text for event in got[:-1]] == ["One"]
        for error in (got[-1], raised_by(session.finish)):
            assert isinstance(error, SonioxConnectionError)
            assert error.code == "incomplete"
            assert "after 2000 ms of the 5000 ms" in str(error)
            assert is_retriable(error)
        assert session.state == "error"


@pytest.mark.parametrize(
    ("config", "counters"),
    [
        ({}, {}),
        ({}, {"final_audio_proc_ms": 2000}),
        ({}, {"total_audio_proc_ms": None}),
        ({}, {"total_audio_proc_ms": "?"}),
        ({}, counted(4100)),
        ({}, counted(5000)),
        ({}, counted(9000)),
        ({"audio_format": "mp3", "sample_rate": None, "num_channels": None}, counted(10)),
    ],
    ids=["none", "final only", "null", "nonsense", "rounded", "all", "more", "container"],
)
def test_without_a_usable_counter_finished_is_the_end(
    raw_peer: RawPeer, config: dict[str, Any], counters: dict[str, Any]
) -> None:
    """Without a counter, with a rounded one, and for containers `finished` is the end."""
    with connected_stt(raw_peer, **config) as (session, remote):
        for _ in range(5):
            session.send_audio(SECOND)
        session.end_audio()
        remote.send(result(token("One"), total_audio_proc_ms=4000), finished(**counters))
        assert [event.kind for event in session] == ["result", "finished"]
        session.finish()


def test_a_recording_sends_the_rest_again(raw_peer: RawPeer) -> None:
    """With reconnecting on, audio left out by an early end is sent to another session."""
    client = client_for(raw_peer.url)
    transcription = client.realtime.transcribe(
        iter([SECOND] * 5), catch_up_speed=None, reconnect_base_delay_sec=0.01, **RAW
    )
    task = Task(lambda: drain(transcription))
    with raw_peer.accept() as remote:
        assert audio_until_end(remote) == 5 * len(SECOND)
        word = token("One", start_ms=0, end_ms=1900)
        remote.send(result(word, **counted(2000)), finished(**counted(2000)), close_frame())
    with raw_peer.accept() as remote:
        again = audio_until_end(remote)
        assert again >= 3 * len(SECOND)
        ms = again // 32
        word = token("Two", start_ms=ms - 1000, end_ms=ms)
        remote.send(result(word, **counted(ms)), finished(**counted(ms)), close_frame())
    got = task.result()
    assert [event.text for event in got if event.text] == ["One", " Two"]
    assert got[-1].kind == "finished"
    assert transcription.recording.lost_ms == 0
    transcription.close()


def test_a_recording_without_reconnect_raises(raw_peer: RawPeer) -> None:
    """Without reconnecting a truncated recording ends with the error, not with `finished`."""

    def chunks() -> Iterator[bytes]:
        yield from [SECOND] * 5

    transcription = client_for(raw_peer.url).realtime.transcribe(
        chunks(), catch_up_speed=None, auto_reconnect=False, **RAW
    )
    task = Task(lambda: drain(transcription))
    with raw_peer.accept() as remote:
        audio_until_end(remote)
        remote.send(finished(**counted(2000)), close_frame())
    got = task.result()
    assert isinstance(got[-1], SonioxConnectionError)
    assert "after 2000 ms of the 5000 ms" in str(got[-1])
    assert "finished" not in [getattr(event, "kind", "") for event in got]
    transcription.close()


def audio_until_end(remote: Remote) -> int:
    """Receive a session's messages up to the end of its audio; return the bytes of audio."""
    assert remote.recv_message().json["model"]
    size = 0
    while (got := remote.recv_message()).payload:
        size += len(got.payload) if got.opcode == 2 else 0
    return size
