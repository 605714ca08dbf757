"""The gateway's client against the gateway routes of the sandbox. PROTOCOL 8."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    ConfigurationError,
    RealtimeError,
    SonioxConnectionError,
    StateError,
)
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import NumberedRecognizer, numbered_audio
from tests.realtime.servers import raised_by
from tests.slng.wire import RAW, SPEECH_PATH, STT_PATHS, VOICE
from tests.waiting import Task, drain

SAID = "Hello there my friend. How are you?"
SECOND = bytes(32000)
# models whose route reports no times
TIMELESS = list(STT_PATHS)[2:]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a sandbox with tones and a script, as fast as possible."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        box.script(SAID, ms_per_word=200, final_lag_ms=200)
        yield box


def received(sandbox: Sandbox, kind: str) -> list[Any]:
    """Return the messages of a type that the sandbox received."""
    return [m for m in sandbox.log.messages(direction="in") if m.get("type") == kind]


# -- speech ---------------------------------------------------------------------------------------


def test_speech_is_the_same_with_and_without_the_gateway(sandbox: Sandbox) -> None:
    """The gateway's audio is that of the service, byte for byte."""
    spoken = []
    for client in (sandbox.slng_client(), sandbox.client()):
        with client.realtime.tts(**VOICE) as stream:
            stream.send_text("Hello there.", end=True)
            spoken.append(stream.read(20))
    assert spoken[0] == spoken[1]
    assert len(spoken[0]) > 1000


def test_streams_of_a_connection(sandbox: Sandbox) -> None:
    """Five streams share one connection, a sixth is refused, a cancelled one frees its slot."""
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
    assert len(received(sandbox, "init")) == 6
    assert len(received(sandbox, "clear")) == 1


def test_speak_uses_several_streams_with_an_init_each(sandbox: Sandbox) -> None:
    """A long text is one WAV over several streams, each with its own init, without keepalives."""
    text = "This sentence is said quite often in here. " * 90
    speech = sandbox.slng_client(tts_defaults={"voice": "Nina"}).realtime.speak(text)
    audio = speech.read()
    with wave.open(io.BytesIO(audio)) as reader:  # streamed: its header contains no length
        assert (len(audio) - 44) / 2 / reader.getframerate() > 120
    assert audio.count(b"RIFF") == 1
    inits = received(sandbox, "init")
    assert len(inits) > 1
    assert len({init["stream_id"] for init in inits}) == len(inits)
    assert "".join(message["text"] for message in received(sandbox, "text")).split() == text.split()
    assert not [m for m in sandbox.log.messages(direction="in") if "keep_alive" in m]


def test_a_stream_that_failed_before_its_audio_is_retried(sandbox: Sandbox) -> None:
    """`speak()` retries on a new stream through the gateway."""
    sandbox.faults.error_frame("internal_error", kind="tts", after_frames_in=2)
    audio = sandbox.slng_client().realtime.speak("Hello there.", **VOICE).read()
    assert len(audio) > 1000
    assert len(received(sandbox, "init")) == 2


def test_a_pool_speaks_through_the_gateway(sandbox: Sandbox) -> None:
    """The pool works with the gateway's messages."""
    with sandbox.slng_client().realtime.tts.pool(max_connections=1) as pool:
        for _ in range(2):
            with pool.stream(**VOICE) as stream:
                stream.send_text("Hi.", end=True)
                assert stream.read(20)


# -- transcription --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", STT_PATHS)
def test_each_route_recognises_the_same_words(sandbox: Sandbox, model: str) -> None:
    """On every route the same words become final, and the session finishes."""
    client = sandbox.slng_client()
    with client.realtime.stt(model=model, **RAW) as session:
        session.start_sending([SECOND] * 3, finish=True)
        events = list(session)
    finals = "".join(t.text for event in events for t in event.result.final_tokens)
    assert finals.split() == SAID.split()
    assert finals.strip() == SAID
    assert events[-1].kind == "finished"
    assert any(not t.is_final for event in events for t in event.result.tokens)


@pytest.mark.parametrize("model", STT_PATHS)
def test_transcribe_keeps_a_transcript(sandbox: Sandbox, model: str) -> None:
    """`transcribe()` over any route delivers all the text, in events and in the transcript."""
    transcription = sandbox.slng_client().realtime.transcribe(
        SECOND * 3, pace=False, auto_reconnect=model not in TIMELESS, model=model, **RAW
    )
    texts = "".join(t.text for event in transcription for t in event.result.final_tokens)
    assert texts == transcription.transcript.final_text
    assert texts.strip() == SAID


@pytest.mark.parametrize("model", STT_PATHS)
def test_utterances_and_read_on_any_route(sandbox: Sandbox, model: str) -> None:
    """`utterances()` and `read()` work on each route, with endpoint detection where supported.

    The bridge always reports ends of utterances.
    """
    sandbox.hear_with(NumberedRecognizer())
    audio = numbered_audio(0, 3, ms_per_word=2700, gap_ms=2500)
    options = {"auto_reconnect": model not in TIMELESS, "model": model, "pace": False, **RAW}
    realtime = sandbox.slng_client().realtime
    utterances = list(realtime.transcribe(audio, **options).utterances())
    words = [f"w{n}" for n in range(3)]
    together = model == "rt-v3"
    assert [each.text.split() for each in utterances] == (
        [words] if together else [[w] for w in words]
    )
    transcript = realtime.transcribe(audio, **options).read()
    assert transcript.final_text.split() == words


def wav(channels: int) -> bytes:
    """Return a WAV of three seconds of silence."""
    whole = io.BytesIO()
    with wave.open(whole, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(SECOND * 3 * channels)
    return whole.getvalue()


@pytest.mark.parametrize("model", STT_PATHS)
def test_a_wav_needs_no_audio_format(sandbox: Sandbox, model: str) -> None:
    """The header of a WAV defines the format, also on routes that need it in advance."""
    transcription = sandbox.slng_client().realtime.transcribe(
        wav(1), pace=False, auto_reconnect=model not in TIMELESS, model=model
    )
    texts = "".join(t.text for event in transcription for t in event.result.final_tokens)
    assert texts.strip() == SAID


@pytest.mark.parametrize("model", TIMELESS)
def test_two_channels_are_refused_where_the_route_has_one(sandbox: Sandbox, model: str) -> None:
    """A stereo WAV on a route without a field for channels ends with ConfigurationError."""
    realtime = sandbox.slng_client().realtime
    transcription = realtime.transcribe(wav(2), pace=False, auto_reconnect=False, model=model)
    error = drain(transcription)[-1]
    assert isinstance(error, ConfigurationError)
    assert "num_channels=2" in str(error)
    assert sandbox.log.totals["stt.connections"] == 0


def test_a_recording_survives_a_lost_connection(sandbox: Sandbox) -> None:
    """Over rt-v4 a lost connection loses no word and repeats none."""
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
def test_a_recording_without_replay_is_refused(sandbox: Sandbox, model: str) -> None:
    """Routes without times refuse lossless reconnects, with advice."""
    realtime = sandbox.slng_client().realtime
    error = raised_by(lambda: realtime.transcribe(SECOND, model=model, **RAW))
    assert isinstance(error, ConfigurationError)
    assert "auto_reconnect=False" in str(error)
    assert "rt-v4" in str(error)
    assert sandbox.log.totals["stt.connections"] == 0


@pytest.mark.parametrize("model", TIMELESS)
def test_there_are_no_captions_without_times(sandbox: Sandbox, model: str) -> None:
    """Routes without times give the words, without blanks round them, and refuse captions."""
    transcript = (
        sandbox.slng_client()
        .realtime.transcribe(SECOND * 3, pace=False, auto_reconnect=False, model=model, **RAW)
        .read()
    )
    assert transcript.text == SAID
    for write in (transcript.to_srt, transcript.to_vtt):
        with pytest.raises(StateError, match="the transcript has no times"):
            write()


def test_a_lost_connection_without_reconnects_is_an_error(sandbox: Sandbox) -> None:
    """On rt-v3 a lost connection raises after the results: nothing truncated looks complete."""
    sandbox.faults.drop(kind="stt", after_audio_ms=2000)
    transcription = sandbox.slng_client().realtime.transcribe(
        SECOND * 3, pace=False, auto_reconnect=False, model="rt-v3", **RAW
    )
    assert isinstance(drain(transcription)[-1], SonioxConnectionError)


def test_finalize_is_answered_by_a_final_result(sandbox: Sandbox) -> None:
    """`finalize()` makes the words so far final; on rt-v4 there is an event, too."""
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


# -- the upgrade, and the service behind the gateway -----------------------------------------------


def test_the_gateway_s_refusals_have_advice(sandbox: Sandbox) -> None:
    """A wrong key is refused at the upgrade."""
    bad = raised_by(sandbox.slng_client(api_key="invalid-key").realtime.tts.multi_stream)
    assert isinstance(bad, AuthError)
    assert "Incorrect API key" in str(bad)
    assert "SLNG_API_KEY" in str(bad)


PLACES: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"world_part": "us-east"}, {"x-world-part-override": "us-east"}),
    ({"region": "eu-north-1"}, {"x-region-override": "eu-north-1"}),
    (
        {"agent_id": "a1", "session_id": "s 1"},
        {"x-slng-agent-id": "a1", "x-slng-session-id": "s 1"},
    ),
    ({}, {}),
]


@pytest.mark.parametrize(("options", "headers"), PLACES)
def test_zones_and_ids_are_in_the_log(
    sandbox: Sandbox, options: dict[str, Any], headers: dict[str, str]
) -> None:
    """Any zone is served, as the documents' lists differ; the log has zones and ids."""
    with sandbox.slng_client(**options).realtime.tts(**VOICE) as stream:
        stream.send_text("Hi.", end=True)
        assert stream.read(20)
    upgrade = [m for m in sandbox.log.messages(direction="event") if m["event"] == "upgrade"][-1]
    assert upgrade.get("headers", {}) == headers


@pytest.mark.parametrize("name", ["X-SLNG-Agent-Id", "X-SLNG-Session-Id"])
@pytest.mark.parametrize("value", ["", "a,b", "x" * 129, "a\tb"])
def test_an_id_that_the_gateway_refuses(sandbox: Sandbox, name: str, value: str) -> None:
    """An id out of its bounds is a 400 at the upgrade, so a client that sends it is noticed."""
    headers = {"Authorization": "Bearer good-key", name: value}
    with pytest.raises(InvalidStatus) as caught:
        connect(f"{sandbox.urls.slng}{SPEECH_PATH}", additional_headers=headers)
    assert caught.value.response.status_code == 400
    assert name.lower().encode() in (caught.value.response.body or b"")


@pytest.mark.parametrize("model", STT_PATHS)
def test_a_wrong_provider_key_is_an_error_frame(sandbox: Sandbox, model: str) -> None:
    """The service refuses its key after the upgrade; the error names the key."""
    client = sandbox.slng_client(provider_key="invalid-provider-key")

    def use() -> None:
        with client.realtime.stt(model=model, **RAW) as session:
            session.start_sending([SECOND], finish=True)
            list(session)

    error = raised_by(use)
    assert isinstance(error, RealtimeError)
    assert error.error_type == "backend_connection_failed"
    assert "provider_key" in str(error)

    def speak() -> None:
        with client.realtime.tts(**VOICE) as stream:
            stream.send_text("Hi.", end=True)
            stream.read(20)

    spoken = raised_by(speak)
    assert isinstance(spoken, RealtimeError)
    assert "provider_key" in str(spoken)


def test_errors_of_the_service_are_passed_on(sandbox: Sandbox) -> None:
    """A voice that does not exist is the service's error, in the gateway's frame."""
    with sandbox.slng_client().realtime.tts(**{**VOICE, "voice": "Nobody"}) as stream:
        stream.send_text("Hi.", end=True)
        (error,) = drain(stream)
    assert isinstance(error, BadRequestError)
    assert "Invalid voice" in str(error)


def test_no_key_is_in_the_sandbox_s_log(sandbox: Sandbox) -> None:
    """The sandbox's log contains neither key."""
    client = sandbox.slng_client(api_key="slng-Secret-17", provider_key="snx-Provider-17")
    with client.realtime.stt(model="rt-v3", **RAW) as session:
        session.start_sending([SECOND], finish=True)
        list(session)
    shown = repr([vars(entry) for entry in sandbox.log.entries()])
    assert "Secret" not in shown and "Provider" not in shown
