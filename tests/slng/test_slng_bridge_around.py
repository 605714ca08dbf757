"""What surrounds the sandbox's bridge: limits, faults, HTTP, transcription. PROTOCOL 8.3, 8.4."""

from __future__ import annotations

import io
import json
import logging
import wave
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from bridge_talk import (
    BRIDGE,
    DEEP,
    INIT,
    LONG,
    PATIENCE,
    ROUTES,
    Talk,
    audio,
    kinds,
    natively,
    text,
)
from websockets.exceptions import InvalidStatus

from soniox_sync.sandbox import Sandbox


@pytest.fixture(autouse=True)
def nothing_breaks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test if a thread of the sandbox met an exception nobody expected."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve tones and a script, as fast as can be."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        box.script("Hello there my friend. How are you?", ms_per_word=200, final_lag_ms=200)
        yield box


@pytest.fixture
def paced() -> Iterator[Sandbox]:
    """Serve tones at a pace that leaves time to interrupt."""
    with Sandbox(engines="tones", limits={"tts_pace": 5.0}) as box:
        yield box


# -- the service's limits and faults --------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "words", "code"),
    [
        ({"tts_max_text_bytes": 50}, "Hello there. " * 5, "invalid_request"),
        ({"tts_max_audio_sec": 0.2}, "Hello there, my friend.", "max_audio_duration_reached"),
    ],
)
def test_limits_of_a_segment(limits: dict[str, Any], words: str, code: str) -> None:
    """Too much text or audio fails its segment, which is not flushed; the next is spoken."""
    with Sandbox(engines="tones", limits={"tts_pace": None, **limits}) as box, Talk(box) as talk:
        talk.say(INIT, text(words, flush=True), text("a", flush=True), '{"type":"close"}')
        heard = talk.hear_all()
        assert talk.code == 1000
    found = kinds(heard)
    assert [m["code"] for m in heard if m["type"] == "error"] == [code]
    assert found.count("flushed") == 1
    assert found.index("flushed") > found.index("error")
    assert found[-1] == "audio_end"


def test_a_silent_writer_loses_its_segment() -> None:
    """Text without a flush ends with the service's 408; later text starts another segment."""
    with Sandbox(engines="tones", limits={"tts_writer_quiet_sec": 0.2}) as box, Talk(box) as talk:
        talk.say(INIT, text("Hello"))
        assert talk.hear_until("error")[-1]["code"] == "request_timeout"
        talk.say(text("Hello.", flush=True))
        assert kinds(talk.hear_until("flushed"))[0] == "segment_start"


def test_refused_segments_are_told_one_by_one() -> None:
    """Segments beyond the requests per minute are errors each, however many, and nothing breaks."""
    limits = {"tts_pace": None, "tts_requests_per_minute": 2}
    with Sandbox(engines="tones", limits=limits) as box, Talk(box) as talk:
        talk.say(INIT, text(LONG, flush=True))
        talk.say(*(text("Hi.", flush=True) for _ in range(1500)), '{"type":"close"}')
        heard = talk.hear_all()
        assert talk.code == 1000
    found = kinds(heard)
    assert found.count("flushed") == 2
    assert [m["code"] for m in heard if m["type"] == "error"] == ["limit_exceeded"] * 1499
    assert found[-1] == "error"  # and no audio_end


def test_an_idle_line_is_closed() -> None:
    """The service's timer of an idle connection holds here."""
    with Sandbox(engines="tones", limits={"tts_idle_sec": 0.8}) as box, Talk(box) as talk:
        talk.say(INIT, '{"type":"keepalive"}')
        assert [m["type"] for m in talk.hear_all()] == ["ready"]
        assert talk.code == 1001


FAULTS = {"error_frame": "error", "terminate": "segment_end", "drop": "", "fin": ""}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_in_the_middle(paced: Sandbox, name: str) -> None:
    """A fault in the middle of the audio leaves no `flushed` and no `audio_end` behind."""
    fault = getattr(paced.faults, name)(kind="tts", path=BRIDGE, after_audio_ms=300)
    with Talk(paced) as talk:
        talk.say(INIT, text(LONG, flush=True), '{"type":"close"}')
        heard = talk.hear_all()
    assert fault.fired.wait(PATIENCE)
    assert audio(heard)
    assert not {"flushed", "audio_end"} & set(kinds(heard))
    if FAULTS[name]:
        assert FAULTS[name] in kinds(heard)[-2:]
        assert talk.code == 1000


def test_a_fault_overtakes_even_the_end(sandbox: Sandbox) -> None:
    """An error ordered while all of a session waits to be sent still comes, in place of its end."""
    sandbox.faults.delay(0.6, kind="tts")
    sandbox.faults.error_frame("service_unavailable", kind="tts", after_sec=0.3)
    with Talk(sandbox) as talk:
        talk.say(INIT, text("Hello there.", flush=True), '{"type":"close"}')
        heard = talk.hear_all()
        assert talk.code == 1000
    assert [m["code"] for m in heard if m["type"] == "error"] == ["service_unavailable"]
    assert not {"flushed", "audio_end"} & set(kinds(heard))


def test_an_upgrade_may_be_refused_by_order(sandbox: Sandbox) -> None:
    """`faults.refuse` turns the upgrade of the bridge down."""
    sandbox.faults.refuse(429, path="/bridges/unmute/tts")
    with pytest.raises(InvalidStatus) as caught:
        Talk(sandbox)
    assert caught.value.response.status_code == 429


def test_a_client_that_leaves_stops_the_voice(paced: Sandbox) -> None:
    """A line that is cut in the middle, with more waiting, leaves no stream behind."""
    with Talk(paced) as talk:
        talk.say(INIT, *(text(LONG, flush=True) for _ in range(5)))
        talk.hear_until("audio_chunk")
    assert paced.log.wait_until_idle()
    assert paced.log.counts["tts.streams"] == 0
    assert paced.log.totals["tts.streams"] == 1


# -- the other protocol, and the other side --------------------------------------------------------


def test_a_newer_model_s_route_speaks_both_protocols(sandbox: Sandbox) -> None:
    """A client that names streams in its init is served as on the older model's route."""
    client = sandbox.slng_client(tts_defaults={"model": "tts-rt-v2"})
    voice = {"voice": "Nina", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 16000}
    with client.realtime.tts(**voice) as stream:
        stream.send_text("Hello there.", end=True)
        assert stream.read(PATIENCE) == natively(sandbox, "Hello there.")
    paths = {(entry.message or {}).get("path") for entry in sandbox.log.entries()}
    assert "/v1/tts/soniox/tts-rt:v2" in paths


def post(sandbox: Sandbox, body: bytes, key: str = "good-key", path: str = BRIDGE) -> Any:
    """Ask for speech over HTTP."""
    url = sandbox.urls.slng.replace("ws://", "http://") + path
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return requests.post(url, body, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize("path", [*ROUTES, "/v1/tts/soniox/tts-rt:v1"])
def test_speech_over_http(sandbox: Sandbox, path: str) -> None:
    """A POST of text and voice is answered with a WAV of what the service speaks."""
    response = post(sandbox, b'{"text":"Hello there.","voice":"Nina"}', path=path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(response.content)) as reader:
        assert (reader.getframerate(), reader.getnchannels()) == (24000, 1)
    assert response.content[44:] == natively(sandbox, "Hello there.", sample_rate=24000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"Hi.","voice":"Nina","config":{"encoding":"mp3"}}',
        b'{"voice":"Nina"}',
        b'{"text":""}',
        b'{"text":["Hi."]}',
        b'{"text":"Hi.","voice":["Nina"]}',
        b'{"text":"Hi.","voice":"Nobody"}',
        b"[]",
        b"\xff",
        DEEP.encode(),
    ],
)
def test_odd_bodies_are_refused(sandbox: Sandbox, body: bytes) -> None:
    """A body with more or less than text and voice gets 400."""
    assert post(sandbox, body).status_code == 400


def test_http_needs_a_key_and_a_model(sandbox: Sandbox) -> None:
    """A bad key is 401 over HTTP, an unknown model 404."""
    assert post(sandbox, b'{"text":"Hi."}', key="invalid-key").status_code == 401
    assert post(sandbox, b'{"text":"Hi."}', path=f"{BRIDGE}0").status_code == 404


STT = "/v1/bridges/unmute/stt/soniox/speech-ai:rt-"
SECOND = bytes(32000)


def transcribed(sandbox: Sandbox, path: str, **config: Any) -> list[dict[str, Any]]:
    """Transcribe four seconds over the bridge."""
    with Talk(sandbox, path) as talk:
        talk.say(
            json.dumps({"type": "init", "config": {"sample_rate": 16000, **config}}),
            *[SECOND] * 4,
            '{"type":"close"}',
        )
        heard = talk.hear_all()
        assert talk.code == 1000
    return heard


@pytest.mark.parametrize("model", ["v3", "v4", "v5"])
def test_transcription_over_the_bridge(sandbox: Sandbox, model: str) -> None:
    """Each model is heard over the bridge, with pauses, unless the start says otherwise."""
    full = {"encoding": "linear16", "language": "en", "enable_vad": True, "enable_partials": True}
    heard = transcribed(sandbox, f"{STT}{model}", **full)
    finals = " ".join(m["transcript"] for m in heard if m["type"] == "final_transcript")
    assert finals == "Hello there my friend. How are you?"
    assert heard[0]["type"] == "ready"
    assert {"partial_transcript", "utterance_end"} <= {m["type"] for m in heard}


def test_partials_and_pauses_can_be_switched_off(sandbox: Sandbox) -> None:
    """Without partials and pauses only the final words come."""
    heard = transcribed(sandbox, f"{STT}v4", enable_vad=False, enable_partials=False)
    assert {m["type"] for m in heard} == {"ready", "final_transcript"}


@pytest.mark.parametrize(
    "config", [{"enable_vad": "yes"}, {"encoding": ["mp3"]}, {"sample_rate": "16000"}]
)
def test_an_odd_transcription_is_refused(sandbox: Sandbox, config: dict[str, Any]) -> None:
    """A start of the wrong types gets an error and a normal close."""
    heard = transcribed(sandbox, f"{STT}v4", **config)
    assert heard[-1]["type"] == "error"
    assert heard[-1]["code"] == "invalid_request"
