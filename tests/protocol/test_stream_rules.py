"""Rules of one connection's speech streams: room, resending, whose failure it is, what is freed."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from soniox_sync import SonioxConnectionError, StateError
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.protocol.tts import (
    MAX_STREAMS,
    AudioChunk,
    StreamRecord,
    TtsFrame,
    TtsStreams,
    end_detached,
)
from tests.recorder.driver import frame_error

CONFIG = {"stream_id": "s1", "model": "m"}


def speaking(*texts: str, end: bool = False) -> tuple[TtsStreams, StreamRecord]:
    """Return a connection with one stream that has been sent texts."""
    streams = TtsStreams()
    record = streams.open("s1", CONFIG)
    for text in texts:
        streams.text(record, text, False)
    if end:
        streams.text(record, "", True)
    return streams, record


def receive(
    streams: TtsStreams,
    record: StreamRecord,
    chunk: Optional[AudioChunk] = None,
    error: Any = None,
    terminated: bool = False,
) -> Optional[AudioChunk]:
    return streams.receive(record, TtsFrame("s1", chunk, error, terminated))


def test_there_is_room_for_five_streams() -> None:
    """The sixth is refused, and one whose id is in use; a freed one makes room."""
    streams = TtsStreams()
    records = [streams.open(f"s{number}", CONFIG) for number in range(MAX_STREAMS - 1)]
    assert MAX_STREAMS == 5 and not streams.is_full
    with pytest.raises(StateError, match="'s1' is in use"):
        streams.check_room("s1")
    records.append(streams.open("s4", CONFIG))
    assert streams.is_full
    with pytest.raises(StateError, match="5 live streams"):
        streams.open("s5", CONFIG)
    streams.free(records[0])
    assert not streams.is_full and "s0" not in streams.live
    streams.open("s0", CONFIG)
    streams.free(records[0])  # another stream has that id now
    assert "s0" in streams.live


def test_a_new_stream_has_nothing() -> None:
    """Neither texts nor audio nor an error, and keeps nothing for another connection."""
    _, record = speaking()
    assert (record.phase, record.text_bytes, record.audio_ended) == (TtsPhase.NEW, 0, False)
    assert record.error is None and record.unanswered is None


def test_texts_are_counted_in_bytes() -> None:
    """The service's limit is one of bytes."""
    _, record = speaking("é", "ab")
    assert record.text_bytes == 4


def test_half_a_surrogate_pair_changes_nothing() -> None:
    """It cannot be sent: the stream is as it was before."""
    streams, record = speaking("a")
    with pytest.raises(UnicodeEncodeError):
        streams.text(record, "\ud800", True)
    assert (record.phase, record.text_bytes) == (TtsPhase.ACTIVE, 1)


def test_an_end_without_text_needs_no_server() -> None:
    """Only at the beginning: later it is a message."""
    streams, record = speaking()
    assert streams.text(record, "", True) == []
    assert record.phase is TtsPhase.ENDED and streams.live == {}
    streams, record = speaking()
    assert [json.loads(m) for m in streams.text(record, "", False)][1]["text_end"] is False
    assert len(streams.text(record, "", True)) == 1
    assert record.phase is TtsPhase.FINISHING


def test_what_was_not_answered_is_sent_again() -> None:
    """On another connection: the config as given there, then each text as it was sent."""
    streams, record = speaking()
    record.unanswered = []
    streams.text(record, "one", False)
    streams.text(record, "two", True)
    other = TtsStreams()
    messages = [json.loads(message) for message in other.attach(record, {"voice": "v"})]
    assert messages == [
        {"voice": "v"},
        {"text": "one", "text_end": False, "stream_id": "s1"},
        {"text": "two", "text_end": True, "stream_id": "s1"},
    ]
    assert other.live == {"s1": record} and record.config == {"voice": "v"}


def test_a_stream_without_texts_moves_without_a_word() -> None:
    """Its first text brings the config."""
    _, record = speaking()
    other = TtsStreams()
    assert other.attach(record, {"voice": "v"}) == []
    assert json.loads(other.text(record, "a", False)[0]) == {"voice": "v"}


def test_any_answer_ends_the_keeping_of_texts() -> None:
    """From then on the server knows the stream: sent again, it would be spoken twice."""
    streams, record = speaking()
    record.unanswered = []
    streams.text(record, "one", False)
    receive(streams, record)
    assert record.unanswered is None
    streams.text(record, "two", False)
    assert record.unanswered is None


@pytest.mark.parametrize("end", [False, True])
def test_only_a_stream_that_the_server_knows_is_cancelled(end: bool) -> None:
    """Once: a second cancellation has nothing to say."""
    streams, record = speaking()
    assert streams.cancel(record) == []
    streams, record = speaking("a", end=end)
    assert [json.loads(m) for m in streams.cancel(record)] == [{"stream_id": "s1", "cancel": True}]
    assert streams.cancel(record) == []


def test_audio_behind_its_end_is_not_whole() -> None:
    """A frame with neither audio nor an end says nothing about it."""
    streams, record = speaking("a", end=True)
    receive(streams, record, AudioChunk(b"xy", audio_end=True))
    assert record.audio_ended
    receive(streams, record, AudioChunk(b""))
    assert record.audio_ended
    receive(streams, record, AudioChunk(b"z"))
    assert not record.audio_ended
    receive(streams, record, terminated=True)
    assert record.phase is TtsPhase.DEAD and streams.live == {}
    assert getattr(record.error, "error_type", None) == "terminated_early"


def test_an_empty_end_is_an_end() -> None:
    """The last frame may have no audio."""
    streams, record = speaking("a", end=True)
    receive(streams, record, AudioChunk(b"", audio_end=True))
    receive(streams, record, terminated=True)
    assert (record.phase, record.error) == (TtsPhase.ENDED, None)


@pytest.mark.parametrize(("end", "code", "advice"), [(False, 408, True), (True, 408, False)])
def test_a_text_that_was_not_ended_in_time_has_advice(end: bool, code: int, advice: bool) -> None:
    """After the end of the text a 408 has another cause."""
    streams, record = speaking("a", end=end)
    receive(streams, record, error=frame_error(code))
    assert ("pass end=True or call finish()" in str(record.error)) is advice


def test_another_error_has_no_advice_about_the_end() -> None:
    """Only a 408 says that no text came in time."""
    streams, record = speaking("a")
    receive(streams, record, error=frame_error(500))
    assert "finish()" not in str(record.error)


def test_the_first_error_of_a_stream_counts() -> None:
    """What follows it is a consequence; the id is in use until the stream is terminated."""
    streams, record = speaking("a")
    first = frame_error(500)
    receive(streams, record, error=first)
    receive(streams, record, error=frame_error(400))
    assert record.error is first and record.phase is TtsPhase.FAILED
    assert streams.live == {"s1": record}
    receive(streams, record, terminated=True)
    assert record.error is first and record.phase is TtsPhase.DEAD
    assert streams.live == {}
    streams.connection_lost(record, SonioxConnectionError("lost"))
    assert record.error is first


def test_a_cancelled_stream_has_no_error() -> None:
    """Nobody wants to know any more: neither an error nor an early end."""
    streams, record = speaking("a")
    streams.cancel(record)
    assert receive(streams, record, AudioChunk(b"late"), error=frame_error(500)) is None
    assert record.error is None
    receive(streams, record, terminated=True)
    assert (record.error, record.phase) == (None, TtsPhase.ENDED)


def test_a_lost_connection_fails_what_is_open() -> None:
    """With its error; what was cancelled has ended instead."""
    lost = SonioxConnectionError("lost")
    streams, record = speaking("a")
    streams.connection_lost(record, lost)
    assert record.error is lost and record.phase is TtsPhase.DEAD and streams.live == {}
    streams, record = speaking("a")
    streams.cancel(record)
    streams.connection_lost(record, lost)
    assert record.error is None and record.phase is TtsPhase.ENDED


def test_a_stream_that_failed_here_keeps_its_error() -> None:
    """It may still be open on the connection when that is lost."""
    streams, record = speaking("a")
    record.error = own = SonioxConnectionError("own")
    streams.connection_lost(record, SonioxConnectionError("lost"))
    assert record.error is own and record.phase is TtsPhase.DEAD


@pytest.mark.parametrize("phase", [TtsPhase.NEW, TtsPhase.ENDED, TtsPhase.DEAD])
def test_a_frame_for_an_earlier_stream_is_dropped(phase: TtsPhase) -> None:
    """Its id is the same: a stream that was sent nothing, or is over, can have no frame."""
    streams, record = speaking()
    record.phase = phase
    assert receive(streams, record, AudioChunk(b"x"), frame_error(500), True) is None
    assert (record.phase, record.error) == (phase, None)


def test_a_detached_stream_ends_without_a_connection() -> None:
    """Cancelled, or failed with an error."""
    _, record = speaking("a")
    end_detached(record, None)
    assert (record.phase, record.error) == (TtsPhase.ENDED, None)
    _, record = speaking("a")
    error = SonioxConnectionError("lost")
    end_detached(record, error)
    assert record.phase is TtsPhase.DEAD and record.error is error
