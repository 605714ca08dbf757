"""Closing a pool: which streams it waits for, and for how long."""

from __future__ import annotations

import base64
import threading
import time

import pytest

from soniox_sync import AbortError, SonioxConnectionError, TtsPool
from tests.peers import message
from tests.realtime.pool.service import (
    AUDIO,
    Service,
    expect,
    lose,
    speak,
    used_connection,
)
from tests.waiting import WAIT, Task, eventually


def test_close_cancels_streams_without_text_at_once(service: Service, pool: TtsPool) -> None:
    """Streams without text do not delay the close, on a connection or between two."""
    remote = used_connection(service, pool)
    adrift = pool.stream()
    lose(remote, "close")
    eventually(lambda: pool.connections == 0)
    pool.warm(1)
    begun = time.monotonic()
    streams = [adrift, *(pool.stream() for _ in range(3))]
    service.peer.accept().fin()  # a peer that does not delay the close
    pool.close(WAIT * 3)
    assert time.monotonic() - begun < WAIT * 2
    for stream in streams:
        assert stream.state == "ended"
        assert list(stream) == []
        with pytest.raises(AbortError):
            stream.read(WAIT)
    assert pool.active_streams == 0


def test_close_waits_for_a_text_being_written(service: Service, pool: TtsPool) -> None:
    """A stream whose text is still being sent is completed."""
    stream = pool.stream()
    stream.send_text("First, ")
    remote = service.peer.accept()
    closing = Task(lambda: pool.close(WAIT))
    eventually(lambda: pool._table.closed)
    stream.send_text("second.", end=True)
    expect(remote, stream, ("First, ", False), ("second.", True))
    speak(remote, stream)
    remote.fin()
    assert stream.read(WAIT) == AUDIO
    closing.result()


def test_close_fails_a_stream_whose_text_stops(
    service: Service, pool: TtsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose text stops fails after the pause, not only after the timeout."""
    monkeypatch.setattr("soniox_sync.realtime.pool.slot._SILENT_SEC", 0.05)
    stream = pool.stream()
    stream.send_text("First, ")
    service.peer.accept().fin()
    closing = Task(lambda: pool.close(WAIT * 3))
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)
    closing.result()


def test_close_in_a_handler_does_not_wait_for_its_stream(service: Service, pool: TtsPool) -> None:
    """The stream whose handler closes the pool is cut off; another one completes."""
    calling, other = pool.stream(), pool.stream()
    closed = threading.Event()

    def close() -> None:
        pool.close(WAIT * 3)
        closed.set()

    calling.on("audio", close)
    calling.send_text("First.", end=True)
    remote = service.peer.accept()
    expect(remote, calling, ("First.", True))
    other.send_text("Second.", end=True)
    expect(remote, other, ("Second.", True))
    audio = base64.b64encode(AUDIO).decode()
    remote.send(message(stream_id=calling.stream_id, audio=audio, audio_end=False))
    eventually(lambda: pool._table.closed)
    speak(remote, other)
    assert other.read(WAIT) == AUDIO
    assert closed.wait(WAIT)
    with pytest.raises(SonioxConnectionError):
        calling.wait(WAIT)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_closes_the_pool_at_once(
    service: Service, pool: TtsPool, raised: type[BaseException]
) -> None:
    """Leaving `with` by Ctrl-C waits neither for streams nor for close frames."""
    begun = time.monotonic()
    with pytest.raises(raised), pool:
        stream = pool.stream()
        stream.send_text("First.", end=True)
        raise raised
    assert time.monotonic() - begun < 5.0, "the time for streams to end is 10 s"
    with pytest.raises(SonioxConnectionError):
        stream.read(WAIT)


def test_timeouts_of_silent_peers_do_not_add_up(service: Service) -> None:
    """Six connections whose servers no longer answer are closed at the same time."""
    pool = service.pool(max_connections=6)
    assert pool.warm(6) == 6
    begun = time.monotonic()
    pool.close()
    assert time.monotonic() - begun < 8.0, "each waits 2 s for a close frame"
