"""Objects dropped without `close()` warn and end when collected; those in use do not."""

from __future__ import annotations

import gc
import threading
import warnings
from typing import Any

import pytest

from soniox_sync import CancelToken
from soniox_sync.sources import SourceAudio
from tests.peers import RawPeer, close_frame
from tests.realtime.servers import RAW, VOICE, audio, client_for, finished, result, token, whole
from tests.waiting import WAIT, eventually


def collected(*kinds: str) -> Any:
    """Expect a `ResourceWarning` that names the objects."""
    return pytest.warns(ResourceWarning, match="|".join(f"unclosed {kind}" for kind in kinds))


def test_a_dropped_stream_is_cancelled_and_its_connection_closed(raw_peer: RawPeer) -> None:
    """The connection of a stream that owns it is closed, so that nothing is billed."""
    stream = client_for(raw_peer.url).realtime.tts(**VOICE)
    remote = raw_peer.accept()
    stream.send_text("Hello.")
    stream_id = stream.stream_id
    remote.recv_message()
    remote.recv_message()
    with collected("TtsStream"):
        del stream
        gc.collect()
    assert remote.recv_message().json == {"stream_id": stream_id, "cancel": True}
    assert remote.recv_message().opcode == 8
    remote.close()
    eventually(lambda: not any("reader" in each.name for each in threading.enumerate()))


def test_a_stream_that_was_read_is_dropped_without_a_warning(raw_peer: RawPeer) -> None:
    """`tts(...).read()` is complete: its connection is closed, and nothing was forgotten."""
    stream = client_for(raw_peer.url).realtime.tts(**VOICE, stream_id="s1")
    remote = raw_peer.accept()
    stream.send_text("Hello.", end=True)
    remote.recv_message()
    remote.recv_message()
    remote.send(whole("s1", b"12"))
    assert stream.read(WAIT) == b"12"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del stream
        gc.collect()
    assert remote.recv_message().opcode == 8
    remote.close()


def test_a_stream_keeps_its_connection_alive(raw_peer: RawPeer) -> None:
    """A shared connection referenced only by its stream stays open, and closes after it."""
    stream = client_for(raw_peer.url).realtime.tts.multi_stream().stream(**VOICE, stream_id="s1")
    remote = raw_peer.accept()
    gc.collect()
    stream.send_text("Hello.", end=True)
    remote.recv_message()
    remote.recv_message()
    remote.send(whole("s1", b"12"))
    assert stream.read(WAIT) == b"12"
    with collected("TtsConnection"):
        del stream
        gc.collect()
    assert remote.recv_message().opcode == 8
    remote.close()


def test_a_stream_that_is_iterated_is_in_use(raw_peer: RawPeer) -> None:
    """`for chunk in connection.stream(...)` refers only to the iterator: that is enough."""
    with client_for(raw_peer.url).realtime.tts.multi_stream() as connection:
        remote = raw_peer.accept()
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.send_text("Hello.", end=True)
        chunks = iter(stream)
        del stream
        gc.collect()
        remote.send(audio("s1", b"1"), whole("s1", b"2"))
        assert list(chunks) == [b"1", b"2"]
        remote.close()


def test_a_stream_with_handlers_lives_until_its_end(raw_peer: RawPeer) -> None:
    """With handlers a stream needs no other reference until its end; then it is freed."""
    over = threading.Event()
    heard: list[bytes] = []
    with client_for(raw_peer.url).realtime.tts.multi_stream() as connection:
        remote = raw_peer.accept()
        stream = connection.stream(**VOICE, stream_id="s1")
        stream.on("audio", lambda chunk: heard.append(chunk)).on("terminated", over.set)
        stream.send_text("Hello.", end=True)
        del stream
        gc.collect()
        remote.send(audio("s1", b"1"), whole("s1", b"2"))
        assert over.wait(WAIT)
        assert heard == [b"1", b"2"]
        remote.close()


def test_a_dropped_pool_closes_its_connections(raw_peer: RawPeer) -> None:
    """An unreferenced pool warns and closes its connections."""
    pool = client_for(raw_peer.url).realtime.tts.pool()
    opening = threading.Thread(target=pool.warm)
    opening.start()
    remote = raw_peer.accept()
    opening.join(WAIT)
    with collected("TtsPool", "TtsConnection"):
        del pool, opening
        gc.collect()
    assert remote.recv_message().opcode == 8
    remote.close()


def test_closed_objects_do_not_warn(raw_peer: RawPeer) -> None:
    """No warning for a stream, a connection or a pool that was closed, or never opened."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = client_for(raw_peer.url)
        with client.realtime.tts.multi_stream() as connection:
            remote = raw_peer.accept()
            stream = connection.stream(**VOICE)
            closing = threading.Thread(target=stream.close)
            closing.start()
            closing.join(WAIT)
            remote.close()
        client.realtime.tts.pool()
        del stream, connection, closing
        gc.collect()


def test_a_dropped_session_is_closed(raw_peer: RawPeer) -> None:
    """An unreferenced session warns and closes its connection, which would be billed forever."""
    session = client_for(raw_peer.url).realtime.stt(**RAW)
    remote = raw_peer.accept()
    assert remote.recv_message().json["audio_format"] == RAW["audio_format"]
    session.send_audio(b"\0\0")
    remote.recv_message()
    with collected("SttSession connected"):
        del session
        gc.collect()
    assert remote.recv_message().opcode == 8
    remote.close()


@pytest.mark.parametrize("way", ["events", "results", "utterances"])
def test_a_session_that_is_iterated_is_in_use(raw_peer: RawPeer, way: str) -> None:
    """Every iterator of a session keeps it alive."""
    session = client_for(raw_peer.url).realtime.stt(**RAW)
    remote = raw_peer.accept()
    session.send_audio(b"\0\0")
    items = {"events": session.__iter__, "results": session.results}.get(way, session.utterances)()
    del session
    gc.collect()
    remote.send(result(token("Hello.")), finished(), close_frame())
    assert "Hello." in [item.text for item in items]
    remote.close()


def test_a_session_with_handlers_lives_until_its_end(raw_peer: RawPeer) -> None:
    """Handlers of an otherwise unreferenced session get every result, and the end."""
    seen: list[str] = []
    over = threading.Event()
    session = client_for(raw_peer.url).realtime.stt(**RAW)
    remote = raw_peer.accept()
    session.on("result", lambda result: seen.append(result.text)).on("disconnected", over.set)
    session.send_audio(b"\0\0")
    del session
    gc.collect()
    remote.send(result(token("Hello.")), finished(), close_frame())
    assert over.wait(WAIT)
    assert "Hello." in seen
    remote.close()


def test_a_dropped_recording_is_cancelled(raw_peer: RawPeer) -> None:
    """An unreferenced recording stops its source and its session."""
    token_ = CancelToken()  # does not refer to the recording
    source = Endless()
    recording = client_for(raw_peer.url).realtime.record(source=source, cancel=token_)
    remote = raw_peer.accept()
    remote.recv_message()
    with collected("Recording"):
        del recording
        gc.collect()
    assert source.stopped.wait(WAIT)
    remote.close()


class Endless:
    """Live source that never delivers anything."""

    is_live = True
    audio = SourceAudio("pcm_s16le", 16_000, 1)

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def start(self, handlers: Any) -> None:
        """Deliver nothing."""

    def stop(self) -> None:
        self.stopped.set()
