"""What the README's comparison says of both libraries, shown by running both.

A line here that fails is a line there to be changed: the official SDK moves on.
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
# both are waited for in vain; a loaded machine is no reason to miss what does come
PATIENCE_SEC = 20.0
FORGED = b'{"id":"73d4357d-cad2-4338-a60d-ec6f2044f721","status":"completed"}'


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Serve speech at twenty times its pace, so that a fault in its middle comes in its middle."""
    return make_sandbox({"tts_pace": 20.0})


@pytest.fixture
def official(sandbox: Sandbox) -> Iterator[Any]:
    """Give the official client, pointed at the sandbox as its options allow."""
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
    """Give our client for the same sandbox."""
    with sandbox.client() as client:
        yield client


def listening(official: Any) -> Any:
    """Begin a transcription with the official SDK."""
    from soniox.types.realtime import RealtimeSTTConfig

    return official.realtime.stt.connect(config=RealtimeSTTConfig(model="stt-rt-v5", **RAW))


def voice(stream_id: str) -> Any:
    """Give the settings of one stream of the official SDK."""
    from soniox.types.realtime import RealtimeTTSConfig

    return RealtimeTTSConfig(stream_id=stream_id, model="tts-rt-v2", **VOICE)


def told(session: Any) -> list[Any]:
    """Send ten pieces in the official SDK's way and give what its loop gives."""
    from soniox.errors import SonioxRealtimeError

    def send() -> None:
        try:
            for _ in range(10):
                session.send_byte_chunk(QUIET)
            session.finish()
        except SonioxRealtimeError:
            pass  # the line is gone; the loop is what is looked at

    sender = threading.Thread(target=send)
    sender.start()
    events = list(session.receive_events())
    sender.join(PATIENCE_SEC)
    return events


def heard(client: SonioxClient) -> None:
    """Send ten pieces in our way and read to the end."""
    with client.realtime.stt(**RAW) as session:
        session.start_sending([QUIET] * 10, finish=True)
        for _ in session:
            pass


@pytest.mark.parametrize("who", ["official", "ours"])
def test_an_error_frame_in_a_transcription(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """There the loop ends after an event that tells of it; here it is raised."""
    sandbox.faults.error_frame("internal_error", kind="stt", after_frames_in=4)
    if who == "ours":
        with pytest.raises(NetworkError):
            heard(ours)
        return
    with listening(official) as session:
        assert told(session)[-1].error_code == 500


@pytest.mark.parametrize("who", ["official", "ours"])
def test_a_lost_line_in_a_transcription(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """There the loop ends as if all were well; here it raises."""
    sandbox.faults.drop(kind="stt", after_frames_in=4)
    if who == "ours":
        with pytest.raises(SonioxConnectionError):
            heard(ours)
        return
    with listening(official) as session:
        assert not any(event.finished or event.error_code for event in told(session))


@pytest.mark.parametrize("who", ["official", "ours"])
def test_a_lost_line_in_speech(
    who: str, official: Any, ours: SonioxClient, sandbox: Sandbox
) -> None:
    """There half a sentence looks complete; here it raises after what came."""
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
    """There it vanishes; here it raises."""
    with listening(official) as session:
        session.pause()
        session.send_byte_chunk(QUIET)
    with ours.realtime.stt(**RAW) as session:
        session.pause()
        with pytest.raises(StateError):
            session.send_audio(QUIET)


def test_leaving_the_block(official: Any, ours: SonioxClient, sandbox: Sandbox) -> None:
    """There nobody can read the last words any more; here they wait."""
    from soniox.errors import SonioxRealtimeError

    sandbox.script("One two three.", ms_per_word=50)
    with listening(official) as session:
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
            pass  # it is killed or cancelled at last

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)  # the thread is in its read: nothing tells of it
    began = time.monotonic()
    speak()
    took = time.monotonic() - began
    waiting.join(PATIENCE_SEC)
    return took


def test_a_stream_beside_a_silent_one(make_sandbox: Any) -> None:
    """There it waits until the silent one is killed; here it does not."""
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

        ours = seconds_beside(silent.read, speak_ours)
    assert ours < theirs
    assert theirs > 1.0


def test_a_read_after_a_503(official: Any, ours: SonioxClient, sandbox: Sandbox) -> None:
    """There it raises; here it is asked again."""
    from soniox.errors import SonioxServerError

    sandbox.faults.refuse(503, kind="rest")
    with pytest.raises(SonioxServerError):
        official.models.list()
    sandbox.faults.refuse(503, kind="rest")
    assert ours.models.list()


def test_a_forged_webhook(official: Any, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Where no secret is set it is believed there, and refused here."""
    monkeypatch.delenv("SONIOX_API_WEBHOOK_SECRET", raising=False)
    assert official.webhooks.unwrap(FORGED, {}).status == "completed"
    with sandbox.client() as ours, pytest.raises(WebhookSignatureError):
        ours.webhooks.unwrap(FORGED, {})
