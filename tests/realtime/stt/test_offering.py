"""Sending without waiting, which a recording does on its source's thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.errors import SonioxError, StateError
from tests.peers import BINARY, RawPeer
from tests.realtime.servers import connected_stt
from tests.waiting import Task

CHUNK = 32_000


@pytest.fixture
def narrow_peer() -> Iterator[RawPeer]:
    """Server whose receive window is small, so that the uplink is full soon."""
    peer = RawPeer(receive_buffer=4096)
    yield peer
    peer.close()


def numbered(number: int) -> bytes:
    return number.to_bytes(4, "big") * (CHUNK // 4)


def audio_from(remote: Any, size: int) -> bytes:
    """Read audio messages until they have so many bytes."""
    got = bytearray()
    while len(got) < size:
        frame = remote.recv_frame()
        if frame.opcode == BINARY:
            got += frame.payload
    return bytes(got)


def test_audio_that_fits_is_sent(raw_peer: RawPeer) -> None:
    """With room for it nothing is left to do, and the server gets it at once."""
    with connected_stt(raw_peer) as (session, remote):
        assert session._core.offer_audio(b"\1\2") is None
        assert remote.recv_frame().payload == b"\1\2"


def test_a_full_uplink_takes_no_more(narrow_peer: RawPeer) -> None:
    """What is accepted arrives whole and in order; what is returned was not accepted."""
    with connected_stt(narrow_peer) as (session, remote):
        core = session._core
        accepted = 0
        while (left := core.offer_audio(numbered(accepted))) is None:
            accepted += 1
        assert left == b"", "the message that met the end of the room was accepted, and cut"
        accepted += 1
        assert core.offer_audio(numbered(accepted)) == numbered(accepted)
        flushing = Task(core.flush)
        got = audio_from(remote, accepted * CHUNK)
        assert got == b"".join(map(numbered, range(accepted)))
        flushing.result()
        assert core.offer_audio(b"\1\2") is None
        assert remote.recv_frame().payload == b"\1\2"


def test_nothing_is_accepted_while_another_thread_sends(narrow_peer: RawPeer) -> None:
    """While a send waits for room, audio is returned at once instead of waiting behind it."""
    with connected_stt(narrow_peer) as (session, remote):
        core = session._core
        sending = Task(lambda: core.send_audio(bytes(20_000_000)))
        while core.connection._sender._lock.acquire(blocking=False):
            core.connection._sender._lock.release()
        assert core.offer_audio(b"\1\2") == b"\1\2"
        assert not sending.done
        assert len(audio_from(remote, 20_000_000)) == 20_000_000
        sending.result()


def test_after_the_end_it_says_so(raw_peer: RawPeer) -> None:
    """On a session that is over it raises its error, or returns what `send_audio()` refuses."""
    with connected_stt(raw_peer) as (session, remote):
        session._core.end_audio()
        remote.close()
        session.close()
        try:
            assert session._core.offer_audio(b"\1\2") == b"\1\2"
        except SonioxError:
            pass
        with pytest.raises((StateError, SonioxError)):
            session._core.send_audio(b"\1\2")
