"""The differences in docs/comparison.rst, shown by running both libraries.

If a test fails because the official SDK has changed, that page must change as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import NetworkError, SonioxClient, SonioxConnectionError, StateError
from soniox_sync.errors import WebhookSignatureError
from soniox_sync.sandbox import Sandbox

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
VOICE = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 16000}
TEXT = "One two three four five six seven eight nine ten."
QUIET = bytes(3840)
# generous, for a loaded machine
TIMEOUT_SEC = 20.0
FORGED = b'{"id":"73d4357d-cad2-4338-a60d-ec6f2044f721","status":"completed"}'


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Provide a sandbox whose speech is paced, so that a fault can occur in the middle of it."""
    return make_sandbox({"tts_pace": 20.0})


@pytest.fixture
def official(sandbox: Sandbox) -> Iterator[Any]:
    """Provide the official client for the sandbox."""
    from soniox import SonioxClient as OfficialClient

    urls = sandbox.urls
    client = OfficialClient(
        api_key="sandbox-key",
        api_base_url=urls.api,
        websocket_base_url=urls.stt,
        tts_api_base_url=urls.tts_api,
        tts_websocket_base_url=urls.tts,
    )
    yield client
    client.close()


@pytest.fixture
def ours(sandbox: Sandbox) -> Iterator[SonioxClient]:
    """Provide our client for the sandbox."""
    with sandbox.client() as client:
        yield client


def official_session(official: Any) -> Any:
    """Open a transcription session with the official SDK."""
    from soniox.types.realtime import RealtimeSTTConfig

    return official.realtime.stt.connect(config=RealtimeSTTConfig(model="stt-rt-v6", **RAW))


def voice(stream_id: str) -> Any:
    """Return the configuration of a stream of the official SDK."""
    from soniox.types.realtime import RealtimeTTSConfig

    return RealtimeTTSConfig(stream_id=stream_id, model="tts-rt-v2", **VOICE)


def official_events(session: Any) -> list[Any]:
    """Send ten chunks with the official SDK and return the events of its loop."""
    from soniox.errors import SonioxRealtimeError

    def send() -> None:
        try:
            for _ in range(10):
                session.send_byte_chunk(QUIET)
            session.finish()
        except SonioxRealtimeError:
            pass  # the connection is lost; the test looks at the loop

    sender = threading.Thread(target=send)
    sender.start()
    events = list(session.receive_events())
    sender.join(TIMEOUT_SEC)
    return events


def read_ours(client: SonioxClient) -> None:
    """Send ten chunks with our client and read to the end."""
    with client.realtime.stt(**RAW) as session:
        session.start_sending([QUIET] * 10, finish=True)
        for _ in session:
            pass


@pytest.mark.parametrize("who", ["official", "ours"])
def test_an_error_frame_in_a_transcription(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """The official loop ends after an event with the error; ours raises it."""
    sandbox.faults.error_frame("internal_error", kind="stt", after_frames_in=4)
    if who == "ours":
        with pytest.raises(NetworkError):
            read_ours(ours)
        return
    with official_session(official) as session:
        assert official_events(session)[-1].error_code == 500


@pytest.mark.parametrize("who", ["official", "ours"])
def test_a_lost_connection_in_a_transcription(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """The official loop ends normally; ours raises."""
    sandbox.faults.drop(kind="stt", after_frames_in=4)
    if who == "ours":
        with pytest.raises(SonioxConnectionError):
            read_ours(ours)
        return
    with official_session(official) as session:
        assert not any(event.finished or event.error_code for event in official_events(session))


@pytest.mark.parametrize("who", ["official", "ours"])
def test_a_lost_connection_in_speech(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """In the official SDK an incomplete sentence looks complete; ours raises after the audio."""
    sandbox.faults.drop(kind="tts", after_audio_ms=300)
    if who == "ours":
        with ours.realtime.tts(**VOICE) as stream, pytest.raises(SonioxConnectionError):
            stream.send_text(TEXT, end=True)
            stream.read()
        return
    with official.realtime.tts.connect(config=voice("one")) as stream:
        stream.send_text_chunk(TEXT, text_end=True)
        list(stream.receive_audio_chunks())
        assert not stream.last_message.terminated


@pytest.mark.parametrize("who", ["official", "ours"])
def test_an_error_frame_in_speech(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """Both raise."""
    from soniox.errors import SonioxRealtimeError

    sandbox.faults.error_frame("internal_error", kind="tts", after_audio_ms=300)
    if who == "ours":
        with ours.realtime.tts(**VOICE) as stream, pytest.raises(NetworkError):
            stream.send_text(TEXT, end=True)
            stream.read()
        return
    with official.realtime.tts.connect(config=voice("one")) as stream:
        stream.send_text_chunk(TEXT, text_end=True)
        with pytest.raises(SonioxRealtimeError):
            list(stream.receive_audio_chunks())


def test_audio_while_paused(official: Any, ours: SonioxClient) -> None:
    """The official SDK drops it; ours raises."""
    with official_session(official) as session:
        session.pause()
        session.send_byte_chunk(QUIET)
    with ours.realtime.stt(**RAW) as session:
        session.pause()
        with pytest.raises(StateError):
            session.send_audio(QUIET)


def test_leaving_the_block(official: Any, ours: SonioxClient, sandbox: Sandbox) -> None:
    """In the official SDK the last words can no longer be read; in ours they can."""
    from soniox.errors import SonioxRealtimeError

    sandbox.script("One two three.", ms_per_word=50)
    with official_session(official) as session:
        session.send_byte_chunk(QUIET * 5)
    with pytest.raises(SonioxRealtimeError):
        session.receive_event()
    sandbox.script("One two three.", ms_per_word=50)
    with ours.realtime.stt(**RAW) as session:
        session.send_audio(QUIET * 5)
    assert "".join(token.text for result in session.results() for token in result.final_tokens)


def seconds_beside(read_silent: Callable[[], Any], speak: Callable[[], Any]) -> float:
    """Measure how long one stream takes while a thread waits for another, which is silent."""
    from soniox.errors import SonioxRealtimeError

    def wait() -> None:
        try:
            read_silent()
        except (SonioxRealtimeError, SonioxConnectionError, NetworkError, StateError):
            pass  # it times out or is cancelled in the end

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)  # until the thread is reading, which nothing signals
    began = time.monotonic()
    speak()
    took = time.monotonic() - began
    waiting.join(TIMEOUT_SEC)
    return took


def test_a_stream_beside_a_silent_one(make_sandbox: Any) -> None:
    """In the official SDK it waits until the silent one times out; in ours it does not."""
    from soniox import SonioxClient as OfficialClient

    sandbox = make_sandbox({"tts_no_audio_start_sec": 2.0})
    official = OfficialClient(api_key="k", tts_websocket_base_url=sandbox.urls.tts)
    with official, official.realtime.tts.connect_multi_stream() as connection:
        silent = connection.open_stream(config=voice("silent"))
        other = connection.open_stream(config=voice("other"))

        def speak() -> None:
            other.send_text_chunk(TEXT, text_end=True)
            list(other.receive_audio_chunks())

        theirs = seconds_beside(lambda: list(silent.receive_audio_chunks()), speak)
    with sandbox.client().realtime.tts.multi_stream() as connection:
        silent, other = connection.stream(**VOICE), connection.stream(**VOICE)
        silent.send_text("A")

        def speak_ours() -> None:
            other.send_text(TEXT, end=True)
            other.read()
            silent.cancel()

        ours = seconds_beside(lambda: list(silent), speak_ours)
    assert ours < theirs
    assert theirs > 1.0


def test_a_read_after_a_503(official: Any, ours: SonioxClient, sandbox: Sandbox) -> None:
    """The official SDK raises; ours retries."""
    from soniox.errors import SonioxServerError

    sandbox.faults.refuse(503, kind="rest")
    with pytest.raises(SonioxServerError):
        official.models.list()
    sandbox.faults.refuse(503, kind="rest")
    assert ours.models.list()


def test_a_forged_webhook(official: Any, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Without a secret the official SDK accepts it; ours refuses it."""
    monkeypatch.delenv("SONIOX_API_WEBHOOK_SECRET", raising=False)
    assert official.webhooks.unwrap(FORGED, {}).status == "completed"
    with sandbox.client() as ours, pytest.raises(WebhookSignatureError):
        ours.webhooks.unwrap(FORGED, {})
