"""Every error of the service is raised with all fields, everywhere, followed by advice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import pytest

from soniox_sync.errors import NetworkError, SonioxError, StateError
from tests.peers import RawPeer, Remote, close_frame, message
from tests.realtime.servers import (
    RAW,
    VOICE,
    audio,
    begin,
    client_for,
    connected_stt,
    connected_tts,
    raised_by,
    result,
    terminated,
    token,
    whole,
)
from tests.service_errors import OF_SPEECH, OF_TRANSCRIPTION, ServiceError, name_of
from tests.waiting import Task, drain

of_transcription = pytest.mark.parametrize("each", OF_TRANSCRIPTION, ids=name_of)
of_speech = pytest.mark.parametrize("each", OF_SPEECH, ids=name_of)


@of_transcription
def test_in_a_session(raw_peer: RawPeer, each: ServiceError) -> None:
    """A session raises the error from iteration and from every call."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\0" * 1600)
        remote.send(
            result(token("One"), total_audio_proc_ms=100),
            message(tokens=[], **each.frame),
            close_frame(1000),
        )
        for error in (drain(session)[-1], raised_by(session.finish), raised_by(session.finalize)):
            each.check(error)


@of_transcription
def test_in_a_recording(raw_peer: RawPeer, each: ServiceError) -> None:
    """A recording that has used up its attempts raises the error of its last session."""

    def chunks() -> Iterator[bytes]:
        yield b"\1\0" * 1600
        task.result()

    recording = client_for(raw_peer.url).realtime.transcribe(
        chunks(), auto_reconnect=True, max_reconnect_attempts=0, **RAW
    )
    seen: list[Any] = []
    recording.recording.on("error", seen.append)

    def serve() -> None:
        with raw_peer.accept() as remote:
            remote.recv_message()
            remote.recv_message()
            remote.send(result(token("One"), total_audio_proc_ms=100))
            remote.send(message(tokens=[], **each.frame), close_frame(1000))

    task = Task(serve)
    received = drain(recording)
    assert received[0].text == "One"
    each.check(received[-1])
    each.check(raised_by(lambda: recording.recording.wait(5)))
    recording.close()
    each.check(seen[0])


@of_speech
@pytest.mark.parametrize("whose", ["s1", ""], ids=["stream", "connection"])
def test_in_a_stream(raw_peer: RawPeer, each: ServiceError, whose: str) -> None:
    """A stream raises its own error and its connection's, from iteration and from every call."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        stream.finish()
        remote.send(audio("s1", b"one"), message(stream_id=whose, **each.frame))
        if whose:
            remote.send(terminated("s1"))
        got = drain(stream)
        assert got[0] == b"one"
        for error in (got[-1], raised_by(lambda: stream.wait(5)), raised_by(stream.read)):
            each.check(error)


@of_speech
def test_in_a_speech(raw_peer: RawPeer, each: ServiceError) -> None:
    """A speech that cannot continue raises the error of its stream, after the audio before it."""
    client = client_for(raw_peer.url)
    speech = client.realtime.speak("Hello there.", **VOICE)
    with raw_peer.accept() as remote:
        name = remote.recv_message().json["stream_id"]
        remote.send(audio(name, b"\1\0" * 100))
        chunks = iter(speech)
        assert next(chunks) == b"\1\0" * 100  # delivered: it cannot be spoken again
        remote.send(message(stream_id=name, **each.frame), terminated(name))
        remote.answer_close()
        each.check(raised_by(lambda: next(chunks)))
        each.check(raised_by(speech.read))
        speech.close()


# -- advice ---------------------------------------------------------------------------------------


def refuse_audio(remote: Remote, code: int, said: str) -> None:
    """Receive the first audio, then refuse it without a result."""
    remote.recv_message()
    remote.recv_message()
    fields = {"error_code": code, "error_message": said, "request_id": "r-17"}
    remote.send(message(tokens=[], **fields), close_frame(1000))


@pytest.mark.parametrize(
    ("code", "said", "advice"),
    [
        (408, "Request timeout.", "Is this an audio file?"),
        (400, "Audio decode error", "Is this an audio file?"),
        (400, "Invalid language hint", None),
        (401, "Bad key", None),
    ],
)
def test_text_sent_as_audio_gets_advice(
    raw_peer: RawPeer, code: int, said: str, advice: Optional[str]
) -> None:
    """Text sent as audio ends with the service's error and advice, in session and recording."""
    client = client_for(raw_peer.url)
    text = b"This is no audio at all, \xff but some text. " * 10
    transcription = client.realtime.transcribe(text, pace=False).start()
    with raw_peer.accept() as remote:
        refuse_audio(remote, code, said)
        of_recording = drain(transcription)[-1]
    session = client.realtime.stt()
    session.send_audio(text)
    with raw_peer.accept() as remote:
        refuse_audio(remote, code, said)
        of_session = drain(session)[-1]
        session.close()
    for error in (of_recording, of_session):
        assert isinstance(error, SonioxError)
        assert str(error).startswith(said.rstrip("."))
        assert (getattr(error, "status_code", 0), getattr(error, "request_id", "")) == (
            code,
            "r-17",
        )
        assert ("audio file" in str(error)) is (advice is not None)


def test_advice_names_the_declared_raw_format(raw_peer: RawPeer) -> None:
    """A 408 for raw audio names the declared format."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\0" * 1600)
        remote.send(message(error_code=408, error_message="Request timeout"))
        error = drain(session)[-1]
        assert isinstance(error, NetworkError)
        assert "Is the audio really pcm_s16le at 16000 Hz with 1 channel(s)" in str(error)


def test_advice_is_not_given_after_results(raw_peer: RawPeer) -> None:
    """A 408 after results has nothing to do with the format: its message stays as it is."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1\0" * 1600)
        remote.send(result(total_audio_proc_ms=100))
        remote.send(message(error_code=408, error_message="Request timeout"))
        assert str(drain(session)[-1]) == "Request timeout (408, request_timeout)"


@pytest.mark.parametrize("ended", [True, False])
def test_a_text_without_an_end_gets_advice(raw_peer: RawPeer, ended: bool) -> None:
    """A 408 for a text that was not ended mentions how to end it; for an ended text it does not."""
    each = next(each for each in OF_SPEECH if each.code == 408)
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        if ended:
            stream.finish()
            remote.recv_message()
        remote.send(message(stream_id="s1", **each.frame), terminated("s1"))
        advice = "the text was not ended: pass end=True or call finish()"
        for error in (drain(stream)[-1], raised_by(stream.finish)):
            each.check(error)
            assert (advice in str(error)) is not ended


def test_reading_before_any_text_is_refused(raw_peer: RawPeer) -> None:
    """`read()` of a stream without text would wait forever: it raises, the stream stays usable."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = connection.stream(stream_id="s1", **VOICE)
        assert isinstance(raised_by(stream.read), StateError)
        assert isinstance(raised_by(lambda: stream.read(timeout_sec=5)), StateError)
        stream.send_text("Hello.", end=True)
        remote.send(whole("s1", b"one"))
        assert stream.read(5) == b"one"
