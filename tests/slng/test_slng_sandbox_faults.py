"""Faults of the sandbox on the gateway's routes: each is an error here, never a shorter result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from peers import drain
from servers import raised_by

from soniox_sync.errors import (
    AuthError,
    ConfigurationError,
    ConnectTimeoutError,
    NetworkError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
)
from soniox_sync.sandbox import Faults, Sandbox

VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": 24000}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
SAID = "Hello there my friend. How are you?"
MODELS = ["rt-v4", "rt-v5", "rt-v3", "unmute/soniox/speech-ai:rt-v3"]
PATHS = {
    "rt-v4": "/v1/stt/soniox/speech-ai:rt-v4",
    "rt-v5": "/v1/stt/soniox/speech-ai:rt-v5",
    "rt-v3": "/v1/stt/soniox/speech-ai:rt-v3",
    "unmute/soniox/speech-ai:rt-v3": "/v1/bridges/unmute/stt/soniox/speech-ai:rt-v3",
}
SPEECH = "/v1/tts/soniox/tts-rt:v1"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve tones, at a pace that leaves time for faults, and a script."""
    with Sandbox(engines="tones") as box:
        box.script(SAID, ms_per_word=200, final_lag_ms=200)
        yield box


CUTS: dict[str, tuple[Callable[..., Any], type[Exception]]] = {
    "drop": (Faults.drop, SonioxConnectionError),
    "fin": (Faults.fin, SonioxConnectionError),
    "close 1000": (Faults.close, SonioxConnectionError),
    "inject": (lambda faults, **when: faults.inject(b"\xff" * 9, **when), SonioxConnectionError),
    "garbage": (lambda faults, **when: faults.message("{", **when), SonioxConnectionError),
    "error": (
        lambda faults, **when: faults.error_frame("service_unavailable", **when),
        NetworkError,
    ),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_transcription_raises_on_every_route(sandbox: Sandbox, model: str, cut: str) -> None:
    """A fault in the middle ends the session with its error; `path=` picks the route."""
    order, kind = CUTS[cut]
    fault = order(sandbox.faults, path=PATHS[model], after_audio_ms=1000)
    session = sandbox.slng_client().realtime.stt(model=model, **RAW)
    handle = session.start_sending([bytes(3200)] * 30)
    heard = drain(session)
    assert fault.fired.wait(10)  # set behind the act, which we may see first
    assert isinstance(heard[-1], kind)
    assert not any(getattr(event, "kind", "") == "finished" for event in heard)
    handle.join(10)
    session.close()


@pytest.mark.parametrize("cut", CUTS)
def test_cut_speech_raises(sandbox: Sandbox, cut: str) -> None:
    """A fault in the middle of the audio fails the stream after what came."""
    order, kind = CUTS[cut]
    order(sandbox.faults, path=SPEECH, after_audio_ms=200)
    with sandbox.slng_client().realtime.tts(**VOICE) as stream:
        stream.send_text("One more sentence. " * 20, end=True)
        heard = drain(stream)
    assert heard[0]
    assert isinstance(heard[-1], kind)


def test_a_bare_terminated_is_an_error(sandbox: Sandbox) -> None:
    """A stream that the gateway ends before its audio is complete is not complete here."""
    sandbox.faults.terminate(path=SPEECH, after_audio_ms=200)
    with sandbox.slng_client().realtime.tts(**VOICE) as stream:
        stream.send_text("One more sentence. " * 20, end=True)
        assert isinstance(drain(stream)[-1], NetworkError)


def test_harmless_faults_change_no_word(sandbox: Sandbox) -> None:
    """Split, fragmented, delayed messages are the same transcript on the gateway's own route."""
    sandbox.faults.split(3, kind="stt")
    sandbox.faults.fragment(2, kind="stt")
    sandbox.faults.delay(0.01, kind="stt")
    with sandbox.slng_client().realtime.stt(model="rt-v3", **RAW) as session:
        session.start_sending([bytes(32000)] * 3, finish=True)
        finals = "".join(t.text for event in session for t in event.result.final_tokens)
    assert finals.strip() == SAID


@pytest.mark.parametrize("path", [SPEECH, *PATHS.values()])
def test_a_refusal_befalls_the_upgrade(sandbox: Sandbox, path: str) -> None:
    """`faults.refuse` turns the upgrade down with its status and words, on every route."""
    sandbox.faults.refuse(429, body=b"Too many at once, said the gateway.", path=path)
    realtime = sandbox.slng_client().realtime
    model = next((name for name in PATHS if PATHS[name] == path), None)
    error = raised_by(
        lambda: realtime.tts(**VOICE) if model is None else realtime.stt(model=model, **RAW)
    )
    assert isinstance(error, QuotaError)
    assert "Too many at once, said the gateway" in str(error)


def test_a_gateway_that_hangs_costs_the_connect_timeout(sandbox: Sandbox) -> None:
    """An upgrade that is never answered, and a route that never gets ready, time out."""
    options = {"connect_timeout_sec": 0.3}
    sandbox.faults.hang(path=PATHS["rt-v3"])
    sandbox.faults.stall(path=PATHS["rt-v3"], skip=1)
    for _ in range(2):
        error = raised_by(
            lambda: sandbox.slng_client().realtime.stt(model="rt-v3", options=options, **RAW)
        )
        assert isinstance(error, ConnectTimeoutError)


def test_a_route_that_does_not_exist_is_refused_in_words(sandbox: Sandbox) -> None:
    """A model without a route gets HTTP 404, whose text and advice are in the error."""
    realtime = sandbox.slng_client().realtime
    for use in (
        lambda: realtime.stt(model="rt-v9", **RAW),
        sandbox.slng_client(tts_defaults={"model": "tts-rt-v9"}).realtime.tts.multi_stream,
    ):
        error = raised_by(use)
        assert isinstance(error, RealtimeError)
        assert error.status_code == 404
        assert "no endpoint" in str(error)
        assert "X-World-Part-Override" in str(error)


def test_keys_may_do_on_the_gateway_what_they_may_do_elsewhere() -> None:
    """A key for speech alone is refused by the transcription's routes at the upgrade, in words."""
    rules = {"speech-only-key": {"permissions": ["tts"]}}
    with Sandbox(engines="tones", api_keys=rules) as box:
        realtime = box.slng_client(api_key="speech-only-key").realtime
        realtime.tts.multi_stream().close()
        for model in MODELS:
            error = raised_by(lambda model=model: realtime.stt(model=model, **RAW))
            assert isinstance(error, AuthError)
            assert "HTTP 403" in str(error)


def test_the_gateway_s_routes_are_served_on_loopback_only() -> None:
    """The gateway's base is a loopback address, and a sandbox for others cannot be made."""
    with Sandbox(engines="tones") as box:
        assert box.urls.slng.startswith("ws://127.0.0.1:")
    with pytest.raises(ConfigurationError, match="loopback"):
        Sandbox(host="0.0.0.0")
