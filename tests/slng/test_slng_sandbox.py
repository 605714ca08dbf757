"""The whole of the gateway's client against the sandbox's gateway routes. PROTOCOL 8."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from peers import Task, drain
from servers import raised_by

from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    ConfigurationError,
    RealtimeError,
    SonioxConnectionError,
    StateError,
)
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.numbered import NumberedRecognizer, numbered_audio

VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": 24000}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
SAID = "Hello there my friend. How are you?"
SECOND = bytes(32000)
MODELS = ["rt-v4", "rt-v5", "rt-v3", "unmute/soniox/speech-ai:rt-v3"]
TIMELESS = MODELS[2:]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve tones and a script, as fast as can be."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        box.script(SAID, ms_per_word=200, final_lag_ms=200)
        yield box


def typed(sandbox: Sandbox, kind: str) -> list[Any]:
    """Give the messages of a type that the sandbox received."""
    return [m for m in sandbox.log.messages(direction="in") if m.get("type") == kind]


# -- speech ---------------------------------------------------------------------------------------


def test_one_stream_and_the_same_audio_as_without_the_gateway(sandbox: Sandbox) -> None:
    """A text spoken through the gateway is, byte for byte, what the service speaks."""
    heard = []
    for client in (sandbox.slng_client(), sandbox.client()):
        with client.realtime.tts(**VOICE) as stream:
            stream.send_text("Hello there.", end=True)
            heard.append(stream.read(20))
    assert heard[0] == heard[1]
    assert len(heard[0]) > 1000


def test_five_streams_a_sixth_and_a_cancel(sandbox: Sandbox) -> None:
    """Five streams share one line, a sixth is refused, a cancelled one frees its place."""
    long = "One more sentence. " * 40
    with sandbox.slng_client().realtime.tts.multi_stream() as connection:
        streams = [connection.stream(**VOICE) for _ in range(5)]
        assert isinstance(raised_by(lambda: connection.stream(**VOICE)), StateError)
        for stream in streams:
            stream.send_text(long)
        chunks = iter(streams[0])
        assert next(chunks)
        streams[0].cancel()
        assert list(chunks) == []
        streams[0].wait(20)
        sixth = connection.stream(**VOICE)
        sixth.send_text("Now.", end=True)
        assert sixth.read(20)
        for stream in streams[1:]:
            stream.finish()
        readers = [Task(lambda s=stream: len(s.read(60))) for stream in streams[1:]]
        assert len({reader.result(60) for reader in readers}) == 1
    assert sandbox.log.totals["tts.connections"] == 1
    assert len(typed(sandbox, "init")) == 6
    assert len(typed(sandbox, "clear")) == 1


def test_speak_rolls_streams_and_initialises_each(sandbox: Sandbox) -> None:
    """A long text is one WAV over several streams, each with an init of its own, no keepalive."""
    text = "This sentence is said quite often in here. " * 90
    speech = sandbox.slng_client(tts_defaults={"voice": "Nina"}).realtime.speak(text)
    audio = speech.read()
    with wave.open(io.BytesIO(audio)) as reader:  # streamed: its header knows no length
        assert (len(audio) - 44) / 2 / reader.getframerate() > 120
    assert audio.count(b"RIFF") == 1
    inits = typed(sandbox, "init")
    assert len(inits) > 1
    assert len({init["stream_id"] for init in inits}) == len(inits)
    assert "".join(message["text"] for message in typed(sandbox, "text")).split() == text.split()
    assert not [m for m in sandbox.log.messages(direction="in") if "keep_alive" in m]


def test_a_stream_that_failed_before_its_audio_is_spoken_all_the_same(sandbox: Sandbox) -> None:
    """`speak()` retries on a new stream through the gateway, too."""
    sandbox.faults.error_frame("internal_error", kind="tts", after_frames_in=2)
    audio = sandbox.slng_client().realtime.speak("Hello there.", **VOICE).read()
    assert len(audio) > 1000
    assert len(typed(sandbox, "init")) == 2


def test_a_pool_speaks_through_the_gateway(sandbox: Sandbox) -> None:
    """Web workers' pool works on the gateway's dialect."""
    with sandbox.slng_client().realtime.tts.pool(max_connections=1) as pool:
        for _ in range(2):
            with pool.stream(**VOICE) as stream:
                stream.send_text("Hi.", end=True)
                assert stream.read(20)


# -- transcription --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_each_route_hears_the_same(sandbox: Sandbox, model: str) -> None:
    """Whatever the route, the same words become final, and the session finishes."""
    client = sandbox.slng_client()
    with client.realtime.stt(model=model, **RAW) as session:
        session.start_sending([SECOND] * 3, finish=True)
        events = list(session)
    finals = "".join(t.text for event in events for t in event.result.final_tokens)
    assert finals.split() == SAID.split()
    assert finals.strip() == SAID
    assert events[-1].kind == "finished"
    assert any(not t.is_final for event in events for t in event.result.tokens)


@pytest.mark.parametrize("model", MODELS)
def test_transcribe_keeps_a_transcript(sandbox: Sandbox, model: str) -> None:
    """`transcribe()` over any route gives the whole text, in events and in the transcript."""
    transcription = sandbox.slng_client().realtime.transcribe(
        SECOND * 3, pace=False, auto_reconnect=model not in TIMELESS, model=model, **RAW
    )
    texts = "".join(t.text for event in transcription for t in event.result.final_tokens)
    assert texts == transcription.transcript.final_text
    assert texts.strip() == SAID


def wav(channels: int) -> bytes:
    """Make a WAV of three seconds of silence."""
    whole = io.BytesIO()
    with wave.open(whole, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(SECOND * 3 * channels)
    return whole.getvalue()


@pytest.mark.parametrize("model", MODELS)
def test_a_wav_needs_no_words_about_its_format(sandbox: Sandbox, model: str) -> None:
    """A WAV says itself what it holds, also on routes that want to be told."""
    transcription = sandbox.slng_client().realtime.transcribe(
        wav(1), pace=False, auto_reconnect=model not in TIMELESS, model=model
    )
    texts = "".join(t.text for event in transcription for t in event.result.final_tokens)
    assert texts.strip() == SAID


@pytest.mark.parametrize("model", TIMELESS)
def test_two_channels_are_refused_where_only_one_can_be_said(sandbox: Sandbox, model: str) -> None:
    """A stereo WAV on a route without a word for channels ends with ConfigurationError."""
    realtime = sandbox.slng_client().realtime
    transcription = realtime.transcribe(wav(2), pace=False, auto_reconnect=False, model=model)
    error = drain(transcription)[-1]
    assert isinstance(error, ConfigurationError)
    assert "num_channels=2" in str(error)
    assert sandbox.log.totals["stt.connections"] == 0


def test_a_recording_survives_a_cut_line(sandbox: Sandbox) -> None:
    """Over rt-v4 a dropped connection costs no word and doubles none."""
    sandbox.hear_with(NumberedRecognizer())
    sandbox.faults.drop(kind="stt", after_audio_ms=4000)
    transcription = sandbox.slng_client().realtime.transcribe(
        numbered_audio(0, 60), pace=False, reconnect_base_delay_sec=0.01, **RAW
    )
    text = "".join(t.text for event in transcription for t in event.result.final_tokens)
    assert text.split() == [f"w{n}" for n in range(60)]
    assert sandbox.log.totals["stt.connections"] == 2
    assert transcription.recording.lost_ms == 0


@pytest.mark.parametrize("model", TIMELESS)
def test_a_recording_that_could_not_replay_is_refused(sandbox: Sandbox, model: str) -> None:
    """Routes that tell no times refuse to promise lossless reconnects, and say what to do."""
    realtime = sandbox.slng_client().realtime
    error = raised_by(lambda: realtime.transcribe(SECOND, model=model, **RAW))
    assert isinstance(error, ConfigurationError)
    assert "auto_reconnect=False" in str(error)
    assert "rt-v4" in str(error)
    assert sandbox.log.totals["stt.connections"] == 0


def test_a_cut_line_of_the_gateway_s_own_route_is_a_loss(sandbox: Sandbox) -> None:
    """On rt-v3 a lost line raises after what was heard: nothing truncated looks complete."""
    sandbox.faults.drop(kind="stt", after_audio_ms=2000)
    transcription = sandbox.slng_client().realtime.transcribe(
        SECOND * 3, pace=False, auto_reconnect=False, model="rt-v3", **RAW
    )
    assert isinstance(drain(transcription)[-1], SonioxConnectionError)


def test_finalize_is_answered_by_a_final_piece(sandbox: Sandbox) -> None:
    """On rt-v3 `finalize()` brings the present piece to its end; on rt-v4 also an event."""
    client = sandbox.slng_client()
    for model, kinds in (("rt-v3", {"result"}), ("rt-v4", {"result", "finalized"})):
        with client.realtime.stt(model=model, **RAW) as session:
            session.send_audio(bytes(3200 * 4))
            session.finalize()
            seen = set()
            for event in session:
                seen.add(event.kind)
                if event.result.final_tokens and "finalized" not in kinds - seen:
                    break
                if event.kind == "finalized":
                    break
            assert seen == kinds


# -- the door, and the service behind --------------------------------------------------------------


def test_the_gateway_s_refusals_name_what_to_do(sandbox: Sandbox) -> None:
    """A bad key and a zone that does not serve the route are refused at the upgrade, in words."""
    bad = raised_by(sandbox.slng_client(api_key="invalid-key").realtime.tts.multi_stream)
    assert isinstance(bad, AuthError)
    assert "Incorrect API key" in str(bad)
    assert "SLNG_API_KEY" in str(bad)
    away = raised_by(sandbox.slng_client(world_part="ap").realtime.tts.multi_stream)
    assert isinstance(away, BadRequestError)
    assert "is served in na, not in ap" in str(away)
    assert "X-World-Part-Override" in str(away)


@pytest.mark.parametrize("options", [{"world_part": "na"}, {"world_part": "ap", "region": "us-1"}])
def test_places_are_obeyed(sandbox: Sandbox, options: dict[str, Any]) -> None:
    """A zone that serves the route is let in; a datacenter wins over the zone."""
    with sandbox.slng_client(**options).realtime.tts(**VOICE) as stream:
        stream.send_text("Hi.", end=True)
        assert stream.read(20)


@pytest.mark.parametrize("model", MODELS)
def test_a_wrong_provider_key_is_an_error_frame(sandbox: Sandbox, model: str) -> None:
    """The service behind refuses its key after the upgrade; the error says which key is meant."""
    client = sandbox.slng_client(provider_key="invalid-provider-key")

    def use() -> None:
        with client.realtime.stt(model=model, **RAW) as session:
            session.start_sending([SECOND], finish=True)
            list(session)

    error = raised_by(use)
    assert isinstance(error, RealtimeError)
    assert error.error_type == "backend_connection_failed"
    assert "provider_key" in str(error)

    def say() -> None:
        with client.realtime.tts(**VOICE) as stream:
            stream.send_text("Hi.", end=True)
            stream.read(20)

    spoken = raised_by(say)
    assert isinstance(spoken, RealtimeError)
    assert "provider_key" in str(spoken)


def test_errors_of_the_service_come_through(sandbox: Sandbox) -> None:
    """A voice that does not exist is the service's error, told in the gateway's frame."""
    with sandbox.slng_client().realtime.tts(**{**VOICE, "voice": "Nobody"}) as stream:
        stream.send_text("Hi.", end=True)
        (error,) = drain(stream)
    assert isinstance(error, BadRequestError)
    assert "Invalid voice" in str(error)


def test_no_key_is_in_the_sandbox_s_log(sandbox: Sandbox) -> None:
    """The sandbox keeps neither key."""
    client = sandbox.slng_client(api_key="slng-Secret-17", provider_key="snx-Provider-17")
    with client.realtime.stt(model="rt-v3", **RAW) as session:
        session.start_sending([SECOND], finish=True)
        list(session)
    shown = repr(sandbox.log.entries())
    assert "-17" not in shown
