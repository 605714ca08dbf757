"""Speech streams from the user's side: order of frames, slots, ends. PROTOCOL 3."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.errors import (
    NetworkError,
    RealtimeError,
    SonioxTimeoutError,
    StateError,
    is_retriable,
)
from tests.peers import RawPeer
from tests.realtime.servers import (
    VOICE,
    TtsService,
    assert_nothing_received,
    audio,
    audio_of,
    begin,
    client_for,
    connected_tts,
    raised_by,
    terminated,
    whole,
)
from tests.waiting import Task, drain, eventually


def test_one_stream_speaks_over_its_own_connection() -> None:
    """A single stream delivers all its audio, and closing it closes its connection."""
    with TtsService() as service:
        with client_for(service.url).realtime.tts(**VOICE) as stream:
            stream.send_text("Hello.")
            stream.finish()
            chunks = list(stream)
            stream.wait(10)
        assert b"".join(chunks) == b"".join(audio_of(stream.stream_id, 20))
        assert stream.state == "ended"
        config, first, last = (frame for frame in service.log if "keep_alive" not in frame)
    assert config == {
        "stream_id": stream.stream_id,
        "model": "tts-rt-v2",
        "language": "en",
        "voice": "Adrian",
        "audio_format": "pcm_s16le",
        "sample_rate": 24000,
    }
    assert first == {"text": "Hello.", "text_end": False, "stream_id": stream.stream_id}
    assert last == {"text": "", "text_end": True, "stream_id": stream.stream_id}


def test_five_streams_share_a_connection() -> None:
    """Two streams get all their audio beside one never read, one that fails and one cancelled."""
    with TtsService() as service, client_for(service.url).realtime.tts.multi_stream() as shared:
        voices = {
            "a": "frames-40",
            "b": "frames-40",
            "unread": "frames-99",
            "bad": "fail",
            "gone": "endless",
        }
        streams = {
            name: shared.stream(**{**VOICE, "voice": voice}, stream_id=name)
            for name, voice in voices.items()
        }
        assert shared.active_streams == 5
        assert isinstance(raised_by(lambda: shared.stream(**VOICE)), StateError)
        for name, stream in streams.items():
            stream.send_text("Hello.", end=name in ("a", "b", "unread"))
        endless = iter(streams["gone"])
        assert next(endless)
        streams["gone"].cancel()
        readers = {n: Task(lambda s=streams[n]: s.read(20)) for n in ("a", "b")}
        received = drain(streams["bad"])
        assert received[:-1] == audio_of("bad", 3)
        assert isinstance(received[-1], NetworkError)
        for name, reader in readers.items():
            assert reader.result(20) == b"".join(audio_of(name, 40))
        assert list(endless) == []
        streams["unread"].wait(10)
        streams["gone"].wait(10)
        assert b"".join(streams["unread"]) == b"".join(audio_of("unread", 99))
        eventually(lambda: shared.active_streams == 0)
        again = shared.stream(**VOICE, stream_id="a")
        again.send_text("Once more.", end=True)
        assert again.read(10) == b"".join(audio_of("a", 20))
        assert service.opened == 1


def test_a_slot_is_free_after_terminated(raw_peer: RawPeer) -> None:
    """An id is reusable once `terminated` has arrived, even if the audio was not read."""
    with connected_tts(raw_peer) as (connection, remote):
        unread = begin(connection, remote, "s1")
        remote.send(audio("s1", b"one", end=True))
        chunk = next(unread.events())
        assert chunk.audio_end
        error = raised_by(lambda: connection.stream(**VOICE, stream_id="s1"))
        assert isinstance(error, StateError)
        assert "'s1'" in str(error)
        remote.send(terminated("s1"))
        unread.wait(10)
        second = begin(connection, remote, "s1")
        remote.send(whole("s1", b"two"))
        assert second.read(10) == b"two"


def test_a_sixth_stream_waits_for_a_slot(raw_peer: RawPeer) -> None:
    """With `wait_sec` a sixth stream waits for a slot, or raises an error that names the time."""
    with connected_tts(raw_peer) as (connection, remote):
        streams = [begin(connection, remote, f"s{n}") for n in range(5)]
        assert isinstance(raised_by(lambda: connection.stream(**VOICE)), StateError)
        error = raised_by(lambda: connection.stream(**VOICE, wait_sec=0.05))
        assert isinstance(error, SonioxTimeoutError)
        assert str(error) == "no slot of this connection became free within 0.05 s"
        waiting = Task(lambda: connection.stream(**VOICE, wait_sec=20, stream_id="six"))
        remote.send(whole("s3", b"done"))
        assert waiting.result().stream_id == "six"
        assert streams[3].read(10) == b"done"


def test_waiting_for_a_slot_ends_with_the_connection(raw_peer: RawPeer) -> None:
    """Waiting for a slot raises the error of a lost connection at once."""
    with connected_tts(raw_peer) as (connection, remote):
        for n in range(5):
            begin(connection, remote, f"s{n}")
        waiting = Task(lambda: connection.stream(**VOICE, wait_sec=600))
        remote.reset()
        with pytest.raises(RealtimeError):
            waiting.result()


def test_nothing_is_sent_before_the_first_text(raw_peer: RawPeer) -> None:
    """The config is sent with the first text, since it starts the server's timers."""
    with connected_tts(raw_peer) as (connection, remote):
        lazy = connection.stream(**VOICE, stream_id="lazy")
        assert_nothing_received(remote)
        lazy.send_text("")  # empty text is never sent
        lazy.send_text("Now.")
        assert remote.recv_message().json["stream_id"] == "lazy"
        assert remote.recv_message().json == {
            "text": "Now.",
            "text_end": False,
            "stream_id": "lazy",
        }


def test_finish_before_any_text_ends_the_stream_locally(raw_peer: RawPeer) -> None:
    """A stream finished before its first text ends at once, and nothing is sent."""
    with connected_tts(raw_peer) as (connection, remote):
        silent = connection.stream(**VOICE, stream_id="silent")
        silent.finish()
        silent.wait(5)
        assert list(silent) == []
        assert silent.state == "ended"
        assert connection.active_streams == 0
        assert_nothing_received(remote)


@pytest.mark.parametrize("end", ["finish", "text_end", "cancel", "close"])
def test_text_after_the_end_is_refused(raw_peer: RawPeer, end: str) -> None:
    """Sending text after its end, a cancel or a close raises StateError, naming the id."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        if end == "text_end":
            stream.send_text("Bye.", end=True)
        elif end == "close":
            closing = Task(stream.close)
            assert remote.recv_message().json["cancel"] is True
            remote.send(terminated("s1"))
            closing.result()
        else:
            getattr(stream, end)()
        for call in (lambda: stream.send_text("more"), lambda: stream.send_text("", end=True)):
            error = raised_by(call)
            assert isinstance(error, StateError)
            assert "'s1'" in str(error)


def test_cancel_ends_iteration_at_once_and_drops_late_audio(raw_peer: RawPeer) -> None:
    """After cancel the iterator ends, late audio is dropped, the slot is kept until the answer."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(audio("s1", b"one"))
        chunks = iter(stream)
        assert next(chunks) == b"one"
        blocked = Task(lambda: list(chunks))
        stream.cancel()
        assert blocked.result() == []
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}
        remote.send(audio("s1", b"late"))
        other = begin(connection, remote, "s2")  # the connection is still open
        remote.send(audio("s2", b"other"))
        assert next(iter(other)) == b"other"
        assert list(stream) == []
        assert stream.state == "finishing"
        assert connection.active_streams == 2
        waiting = Task(lambda: stream.wait(10))
        remote.send(terminated("s1"))
        waiting.result()
        assert stream.state == "ended"
        assert connection.active_streams == 1


def test_cancel_is_idempotent_and_silent_at_the_end(raw_peer: RawPeer) -> None:
    """A second cancel, and one of an ended stream, send nothing and raise nothing."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.cancel()
        stream.cancel()
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}
        remote.send(terminated("s1"))
        stream.wait(10)
        stream.cancel()
        assert_nothing_received(remote)


def test_leaving_the_block_cancels_an_unfinished_stream(raw_peer: RawPeer) -> None:
    """Leaving `with` early cancels, waits for `terminated`, and raises nothing."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")

        def use() -> None:
            with stream:
                pass

        leaving = Task(use)
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}
        assert not leaving.done
        remote.send(terminated("s1"))
        leaving.result()
        assert connection.active_streams == 0


def test_close_after_cancel_waits_for_the_answer(raw_peer: RawPeer) -> None:
    """`close()` after `cancel()` waits for `terminated`, as leaving the block does."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.cancel()
        closing = Task(stream.close)
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}
        remote.send(terminated("s1"))
        closing.result()
        assert connection.active_streams == 0


def test_send_stream_sends_chunk_by_chunk_and_ends(raw_peer: RawPeer) -> None:
    """`send_stream` sends every chunk as it arrives, but no empty ones, then the end."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.send_stream(["One, ", "", "two."])
        sent = [remote.recv_message().json for _ in range(4)]
        assert [(m["text"], m["text_end"]) for m in sent[1:]] == [
            ("One, ", False),
            ("two.", False),
            ("", True),
        ]
        remote.send(whole("s1", b"x"))
        assert stream.read(10) == b"x"


def test_send_stream_joins_characters_that_were_cut_in_two(raw_peer: RawPeer) -> None:
    """Halves of a surrogate pair are sent as one character, and `None` is skipped."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = connection.stream(**VOICE, stream_id="s1")
        sending = Task(lambda: stream.send_stream(["Hi \ud83d", None, "\ude00", "!\ud83d"]))
        remote.recv_message()
        texts = [remote.recv_message().json["text"] for _ in range(5)]
        assert texts == ["Hi ", "\U0001f600", "!", "\ufffd", ""]
        sending.result()


def test_send_stream_cancels_when_the_text_source_fails(raw_peer: RawPeer) -> None:
    """An exception of the text source cancels the stream and is raised unchanged."""

    def text() -> Any:
        yield "One, "
        raise LookupError("the model went away")

    with connected_tts(raw_peer) as (connection, remote):
        stream = connection.stream(**VOICE, stream_id="s1")
        with pytest.raises(LookupError, match="the model went away"):
            stream.send_stream(text())
        sent = [remote.recv_message().json for _ in range(3)]
        assert sent[2] == {"stream_id": "s1", "cancel": True}
        assert list(stream) == []


def test_an_abort_by_the_server_is_retriable(raw_peer: RawPeer) -> None:
    """`terminated` without the end of the audio is a retriable error after the audio received."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.finish()
        remote.send(audio("s1", b"half"), terminated("s1"))
        received = drain(stream)
        assert received[0] == b"half"
        assert isinstance(received[1], NetworkError)
        assert is_retriable(received[1])
        assert stream.state == "error"
        with pytest.raises(NetworkError):
            stream.wait(5)
