"""The bridge and the service behind it: limits, faults, HTTP, transcription. PROTOCOL 8.3, 8.4."""

from __future__ import annotations

import io
import json
import wave
from typing import Any

import pytest
import requests
from websockets.exceptions import InvalidStatus

from soniox_sync.sandbox import Sandbox
from tests.slng.bridge.client import (
    BRIDGE,
    DEEP,
    INIT,
    LONG,
    PATIENCE,
    ROUTES,
    BridgeClient,
    audio,
    kinds,
    spoken_natively,
    text,
)

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
    with (
        Sandbox(engines="tones", limits={"tts_pace": None, **limits}) as box,
        BridgeClient(box) as client,
    ):
        client.send(INIT, text(words, flush=True), text("a", flush=True), '{"type":"close"}')
        received = client.receive_all()
        assert client.close_code == 1000
    found = kinds(received)
    assert [m["code"] for m in received if m["type"] == "error"] == [code]
    assert found.count("flushed") == 1
    assert found.index("flushed") > found.index("error")
    assert found[-1] == "audio_end"


def test_a_segment_whose_text_stops_is_lost() -> None:
    """A segment without a flush ends with the service's 408; later text starts another."""
    with (
        Sandbox(engines="tones", limits={"tts_writer_quiet_sec": 0.2}) as box,
        BridgeClient(box) as client,
    ):
        client.send(INIT, text("Hello"))
        assert client.receive_until("error")[-1]["code"] == "request_timeout"
        client.send(text("Hello.", flush=True))
        assert kinds(client.receive_until("flushed"))[0] == "segment_start"


def test_each_refused_segment_gets_an_error() -> None:
    """Each segment beyond the requests per minute gets an error, however many there are."""
    limits = {"tts_pace": None, "tts_requests_per_minute": 2}
    with Sandbox(engines="tones", limits=limits) as box, BridgeClient(box) as client:
        client.send(INIT, text(LONG, flush=True))
        client.send(*(text("Hi.", flush=True) for _ in range(1500)), '{"type":"close"}')
        received = client.receive_all()
        assert client.close_code == 1000
    found = kinds(received)
    assert found.count("flushed") == 2
    assert [m["code"] for m in received if m["type"] == "error"] == ["limit_exceeded"] * 1499
    assert found[-1] == "error"  # and no audio_end


def test_an_idle_connection_is_closed() -> None:
    """The service's idle timeout applies."""
    with Sandbox(engines="tones", limits={"tts_idle_sec": 0.8}) as box, BridgeClient(box) as client:
        client.send(INIT, '{"type":"keepalive"}')
        assert [m["type"] for m in client.receive_all()] == ["ready"]
        assert client.close_code == 1001


FAULTS = {"error_frame": "error", "terminate": "segment_end", "drop": "", "fin": ""}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_in_the_middle(paced: Sandbox, name: str) -> None:
    """After a fault in the middle of the audio neither `flushed` nor `audio_end` is sent."""
    fault = getattr(paced.faults, name)(kind="tts", path=BRIDGE, after_audio_ms=300)
    with BridgeClient(paced) as client:
        client.send(INIT, text(LONG, flush=True), '{"type":"close"}')
        received = client.receive_all()
    assert fault.fired.is_set()
    assert audio(received)
    assert not {"flushed", "audio_end"} & set(kinds(received))
    if FAULTS[name]:
        assert FAULTS[name] in kinds(received)[-2:]
        assert client.close_code == 1000


def test_a_fault_replaces_a_queued_end(sandbox: Sandbox) -> None:
    """An error injected while the whole session is queued is sent in place of its end."""
    sandbox.faults.delay(0.6, kind="tts")
    sandbox.faults.error_frame("service_unavailable", kind="tts", after_sec=0.3)
    with BridgeClient(sandbox) as client:
        client.send(INIT, text("Hello there.", flush=True), '{"type":"close"}')
        received = client.receive_all()
        assert client.close_code == 1000
    assert [m["code"] for m in received if m["type"] == "error"] == ["service_unavailable"]
    assert not {"flushed", "audio_end"} & set(kinds(received))


def test_an_upgrade_can_be_refused(sandbox: Sandbox) -> None:
    """`faults.refuse` refuses the upgrade of the bridge."""
    sandbox.faults.refuse(429, path="/bridges/unmute/tts")
    with pytest.raises(InvalidStatus) as caught:
        BridgeClient(sandbox)
    assert caught.value.response.status_code == 429


def test_a_lost_client_ends_its_stream(paced: Sandbox) -> None:
    """A connection lost in the middle, with more queued, leaves no stream behind."""
    with BridgeClient(paced) as client:
        client.send(INIT, *(text(LONG, flush=True) for _ in range(5)))
        client.receive_until("audio_chunk")
    assert paced.log.wait_until_idle()
    assert paced.log.counts["tts.streams"] == 0
    assert paced.log.totals["tts.streams"] == 1


# -- the other protocol, HTTP, and transcription ---------------------------------------------------


def test_a_newer_model_s_route_speaks_both_protocols(sandbox: Sandbox) -> None:
    """A client that names streams in its init is served as on the older model's route."""
    client = sandbox.slng_client(tts_defaults={"model": "tts-rt-v2"})
    voice = {"voice": "Nina", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 16000}
    with client.realtime.tts(**voice) as stream:
        stream.send_text("Hello there.", end=True)
        assert stream.read(PATIENCE) == spoken_natively(sandbox, "Hello there.")
    paths = {(entry.message or {}).get("path") for entry in sandbox.log.entries()}
    assert "/v1/tts/soniox/tts-rt:v2" in paths


def post(sandbox: Sandbox, body: bytes, key: str = "good-key", path: str = BRIDGE) -> Any:
    """Request speech over HTTP."""
    url = sandbox.urls.slng.replace("ws://", "http://") + path
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return requests.post(url, body, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize("path", [*ROUTES, "/v1/tts/soniox/tts-rt:v1"])
def test_speech_over_http(sandbox: Sandbox, path: str) -> None:
    """A POST of text and voice returns a WAV of what the service speaks."""
    response = post(sandbox, b'{"text":"Hello there.","voice":"Nina"}', path=path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(response.content)) as reader:
        assert (reader.getframerate(), reader.getnchannels()) == (24000, 1)
    assert response.content[44:] == spoken_natively(sandbox, "Hello there.", sample_rate=24000)


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
def test_malformed_bodies_are_refused(sandbox: Sandbox, body: bytes) -> None:
    """A body with other fields than text and voice, or wrong values, gets 400."""
    assert post(sandbox, body).status_code == 400


def test_http_needs_a_key_and_a_model(sandbox: Sandbox) -> None:
    """A bad key is 401 over HTTP, an unknown model 404."""
    assert post(sandbox, b'{"text":"Hi."}', key="invalid-key").status_code == 401
    assert post(sandbox, b'{"text":"Hi."}', path=f"{BRIDGE}0").status_code == 404


STT = "/v1/bridges/unmute/stt/soniox/speech-ai:rt-"
SECOND = bytes(32000)


def transcribed(sandbox: Sandbox, path: str, **config: Any) -> list[dict[str, Any]]:
    """Transcribe four seconds over the bridge."""
    with BridgeClient(sandbox, path) as client:
        client.send(
            json.dumps({"type": "init", "config": {"sample_rate": 16000, **config}}),
            *[SECOND] * 4,
            '{"type":"close"}',
        )
        received = client.receive_all()
        assert client.close_code == 1000
    return received


@pytest.mark.parametrize("model", ["v3", "v4", "v5"])
def test_transcription_over_the_bridge(sandbox: Sandbox, model: str) -> None:
    """Each model is served over the bridge, with partials and ends of utterances."""
    full = {"encoding": "linear16", "language": "en", "enable_vad": True, "enable_partials": True}
    received = transcribed(sandbox, f"{STT}{model}", **full)
    finals = " ".join(m["transcript"] for m in received if m["type"] == "final_transcript")
    assert finals == "Hello there my friend. How are you?"
    assert received[0]["type"] == "ready"
    assert {"partial_transcript", "utterance_end"} <= {m["type"] for m in received}


def test_partials_and_utterance_ends_can_be_switched_off(sandbox: Sandbox) -> None:
    """Without partials and ends of utterances only final transcripts are sent."""
    received = transcribed(sandbox, f"{STT}v4", enable_vad=False, enable_partials=False)
    assert {m["type"] for m in received} == {"ready", "final_transcript"}


@pytest.mark.parametrize(
    "config", [{"enable_vad": "yes"}, {"encoding": ["mp3"]}, {"sample_rate": "16000"}]
)
def test_a_malformed_start_of_a_transcription_is_refused(
    sandbox: Sandbox, config: dict[str, Any]
) -> None:
    """A start with values of the wrong type gets an error and a normal close."""
    received = transcribed(sandbox, f"{STT}v4", **config)
    assert received[-1]["type"] == "error"
    assert received[-1]["code"] == "invalid_request"
