"""The sandbox's faults on the gateway's routes: each is an error, never a shorter result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

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
from tests.realtime.servers import raised_by
from tests.slng.wire import RAW, SPEECH_PATH, STT_PATHS, VOICE
from tests.waiting import drain

SAID = "Hello there my friend. How are you?"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a sandbox with a script, and tones at a pace that leaves time for faults."""
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


@pytest.mark.parametrize("model", STT_PATHS)
@pytest.mark.parametrize("cut", CUTS)
def test_a_lost_transcription_raises_on_every_route(sandbox: Sandbox, model: str, cut: str) -> None:
    """A fault in the middle fails the session with its error; `path=` selects the route."""
    order, kind = CUTS[cut]
    fault = order(sandbox.faults, path=STT_PATHS[model], after_audio_ms=1000)
    session = sandbox.slng_client().realtime.stt(model=model, **RAW)
    handle = session.start_sending([bytes(3200)] * 30)
    received = drain(session)
    assert fault.fired.is_set()
    assert isinstance(received[-1], kind)
    assert not any(getattr(event, "kind", "") == "finished" for event in received)
    handle.join(10)
    session.close()


@pytest.mark.parametrize("cut", CUTS)
def test_lost_speech_raises(sandbox: Sandbox, cut: str) -> None:
    """A fault in the middle of the audio fails the stream, after the audio before it."""
    order, kind = CUTS[cut]
    order(sandbox.faults, path=SPEECH_PATH, after_audio_ms=200)
    with sandbox.slng_client().realtime.tts(**VOICE) as stream:
        stream.send_text("One more sentence. " * 20, end=True)
        received = drain(stream)
    assert received[0]
    assert isinstance(received[-1], kind)


def test_a_bare_terminated_is_an_error(sandbox: Sandbox) -> None:
    """A stream that the gateway terminates before the end of its audio fails."""
    sandbox.faults.terminate(path=SPEECH_PATH, after_audio_ms=200)
    with sandbox.slng_client().realtime.tts(**VOICE) as stream:
        stream.send_text("One more sentence. " * 20, end=True)
        assert isinstance(drain(stream)[-1], NetworkError)


def test_harmless_faults_change_no_word(sandbox: Sandbox) -> None:
    """With split, fragmented and delayed messages the transcript is the same."""
    sandbox.faults.split(3, kind="stt")
    sandbox.faults.fragment(2, kind="stt")
    sandbox.faults.delay(0.01, kind="stt")
    with sandbox.slng_client().realtime.stt(model="rt-v3", **RAW) as session:
        session.start_sending([bytes(32000)] * 3, finish=True)
        finals = "".join(t.text for event in session for t in event.result.final_tokens)
    assert finals.strip() == SAID


@pytest.mark.parametrize("path", [SPEECH_PATH, *STT_PATHS.values()])
def test_an_upgrade_can_be_refused(sandbox: Sandbox, path: str) -> None:
    """`faults.refuse` refuses the upgrade with its status and text, on every route."""
    sandbox.faults.refuse(429, body=b"Too many at once, said the gateway.", path=path)
    realtime = sandbox.slng_client().realtime
    model = next((name for name in STT_PATHS if STT_PATHS[name] == path), None)
    error = raised_by(
        lambda: realtime.tts(**VOICE) if model is None else realtime.stt(model=model, **RAW)
    )
    assert isinstance(error, QuotaError)
    assert "Too many at once, said the gateway" in str(error)


def test_a_gateway_that_hangs_is_a_connect_timeout(sandbox: Sandbox) -> None:
    """An upgrade that is never answered, and a route that never becomes ready, time out."""
    options = {"connect_timeout_sec": 0.3}
    sandbox.faults.hang(path=STT_PATHS["rt-v3"])
    sandbox.faults.stall(path=STT_PATHS["rt-v3"], skip=1)
    for _ in range(2):
        error = raised_by(
            lambda: sandbox.slng_client().realtime.stt(model="rt-v3", options=options, **RAW)
        )
        assert isinstance(error, ConnectTimeoutError)


def test_a_route_that_does_not_exist_is_a_404(sandbox: Sandbox) -> None:
    """A model without a route gets HTTP 404; the error has the text and our advice."""
    realtime = sandbox.slng_client().realtime
    for use in (
        lambda: realtime.stt(model="rt-v9", **RAW),
        sandbox.slng_client(tts_defaults={"model": "tts-rt-v9"}).realtime.tts.multi_stream,
    ):
        error = raised_by(use)
        assert isinstance(error, RealtimeError)
        assert error.status_code == 404
        assert "no endpoint" in str(error)
        assert "the path names the model: check model= (" in str(error)
        assert "X-World-Part-Override" in str(error)


def test_permissions_of_keys_apply_on_the_gateway() -> None:
    """A key for speech only is refused at the upgrade of the transcription routes."""
    rules = {"speech-only-key": {"permissions": ["tts"]}}
    with Sandbox(engines="tones", api_keys=rules) as box:
        realtime = box.slng_client(api_key="speech-only-key").realtime
        realtime.tts.multi_stream().close()
        for model in STT_PATHS:
            error = raised_by(lambda model=model: realtime.stt(model=model, **RAW))
            assert isinstance(error, AuthError)
            assert "HTTP 403" in str(error)


def test_the_gateway_s_routes_are_served_on_loopback_only() -> None:
    """The gateway's base URL is a loopback address; a sandbox on any other host is refused."""
    with Sandbox(engines="tones") as box:
        assert box.urls.slng.startswith("ws://127.0.0.1:")
    with pytest.raises(ConfigurationError, match="loopback"):
        Sandbox(host="0.0.0.0")
