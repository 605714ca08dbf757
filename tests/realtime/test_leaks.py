"""Many sessions leave nothing behind: no thread, no descriptor, hardly any memory."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from soniox_sync.errors import SonioxError
from tests.realtime.servers import (
    RAW,
    VOICE,
    SttService,
    TtsService,
    client_for,
    descriptors,
    drain_to,
    names,
)
from tests.waiting import eventually

pytestmark = pytest.mark.slow

# sessions of each kind here; tests/soak/many_sessions.py runs 300
MANY = 40
# what one session may leave: the interpreter's caches grow a little, a leaked object is larger
BYTES_PER_SESSION = 2_000
# a set or a dict of the interpreter's that happens to be made larger meanwhile is not a leak, which
# grows each time
ROUNDS = 3


def transcribe(client: Any) -> None:
    with client.realtime.stt(**RAW) as session:
        session.send_audio(b"\0\0" * 160)
    assert drain_to(session) == "w0 "


def transcribe_with_handlers(client: Any) -> None:
    with client.realtime.stt(**RAW) as session:
        session.on("result", lambda r: r.text).on("state_change", lambda change: None)
        session.start_sending([b"\0\0"] * 3).join(10)


def abandon_transcription(client: Any) -> None:
    session = client.realtime.stt(**RAW)
    session.send_audio(b"\0\0")
    session.close()


def speak(client: Any) -> None:
    with client.realtime.tts(**VOICE) as stream:
        stream.send_text("Hello.", end=True)
        assert len(stream.read(10)) == 20 * 960


def speak_with_handlers(client: Any) -> None:
    over = threading.Event()
    with client.realtime.tts(**VOICE) as stream:
        stream.on("audio", lambda chunk: len(chunk)).on("terminated", over.set)
        stream.send_text("Hello.", end=True)
        assert over.wait(10)


def cancel_speech(client: Any) -> None:
    with client.realtime.tts(**{**VOICE, "voice": "endless"}) as stream:
        stream.send_text("Hello.")
        assert next(iter(stream))


def fail_speech(client: Any) -> None:
    with client.realtime.tts(**{**VOICE, "voice": "fail"}) as stream:
        stream.send_text("Hello.")
        with pytest.raises(SonioxError):
            stream.read(10)


def share_a_connection(client: Any) -> None:
    with client.realtime.tts.multi_stream() as connection:
        streams = [connection.stream(**VOICE) for _ in range(3)]
        for stream in streams:
            stream.send_text("Hello.", end=True)
        assert all(len(stream.read(10)) == 20 * 960 for stream in streams)


KINDS: dict[str, Callable[[Any], None]] = {
    "transcribe": transcribe,
    "transcribe with handlers": transcribe_with_handlers,
    "abandon a transcription": abandon_transcription,
    "speak": speak,
    "speak with handlers": speak_with_handlers,
    "cancel speech": cancel_speech,
    "fail speech": fail_speech,
    "share a connection": share_a_connection,
}


def left_behind(work: Callable[[Any], None], many: int) -> tuple[list[str], int, float]:
    """Run `work` many times; return the threads, descriptors and bytes per session that it left.

    Again if those are many: what is left of the last round counts.
    """
    with SttService() as stt, TtsService() as tts:
        client = client_for(stt.url, tts_ws_url=tts.url)
        for _ in range(5):
            work(client)  # objects made once are not a leak
        eventually(lambda: tts.idle and stt.idle, "the servers being idle")
        gc.collect()
        open_before = descriptors()
        tracemalloc.start(1)
        try:
            for _ in range(ROUNDS):
                before = tracemalloc.get_traced_memory()[0]
                for _ in range(many):
                    work(client)
                eventually(lambda: tts.idle and stt.idle, "the servers being idle")
                stt.log.clear(), tts.log.clear(), stt.requests.clear(), tts.requests.clear()
                eventually(lambda: not names(threading.enumerate()), "the end of all threads")
                gc.collect()
                grown = (tracemalloc.get_traced_memory()[0] - before) / many
                if grown < BYTES_PER_SESSION:
                    break
        finally:
            tracemalloc.stop()
        return names(threading.enumerate()), descriptors() - open_before, grown


@pytest.mark.parametrize("kind", KINDS)
def test_many_sessions_leave_nothing_behind(kind: str) -> None:
    """Sessions of each kind, one after another, leave no thread, descriptor or memory."""
    threads, descriptors_left, grown = left_behind(KINDS[kind], MANY)
    assert threads == []
    assert descriptors_left <= 0
    assert grown < BYTES_PER_SESSION


def test_objects_are_freed_once_closed() -> None:
    """Sessions and streams that were closed and dropped are freed, with all they referred to."""
    from soniox_sync.realtime.stt.session import SttSession
    from soniox_sync.realtime.tts.handle import TtsConnection, TtsStream
    from soniox_sync.runtime.connection import Connection

    kinds = (SttSession, TtsConnection, TtsStream, Connection)
    gc.collect()
    before = [o for o in gc.get_objects() if type(o) in kinds]  # held by other tests
    with SttService() as stt, TtsService() as tts:
        client = client_for(stt.url, tts_ws_url=tts.url)
        for work in KINDS.values():
            work(client)
        eventually(lambda: not names(threading.enumerate()), "the end of all threads")
        gc.collect()
        alive = [o for o in gc.get_objects() if type(o) in kinds]
        alive = [type(o).__name__ for o in alive if not any(o is old for old in before)]
    assert alive == []
