"""A speech survives streams and connections that fail, or raises after the audio before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import BadRequestError, RealtimeError, SonioxConnectionError
from soniox_sync.sandbox import Sandbox
from tests.peers import RawPeer, Remote
from tests.realtime.servers import VOICE, client_for, raised_by
from tests.realtime.speech.letters import (
    LONG,
    client_of,
    collapsed,
    read_letters,
    spoken_in,
    streams_of,
)

WAIT = 20.0


def test_a_stream_that_failed_before_its_audio_is_repeated(sandbox: Sandbox) -> None:
    """A connection lost before the first audio is replaced; nothing is missing or spoken twice."""
    sandbox.faults.drop(kind="tts", after_frames_in=2)
    client = client_of(sandbox)
    text = "Hello there. How are you? " * 3
    sandbox.faults.delay(0.3, kind="tts")  # the connection is to be lost before any audio
    assert spoken_in(client.realtime.speak(text).read(WAIT)) == collapsed(text)
    assert sandbox.log.totals["tts.connections"] == 2


def test_a_connection_lost_between_streams_is_replaced(sandbox: Sandbox) -> None:
    """A connection lost while the writer is silent is replaced for the next sentence."""
    lost = sandbox.faults.close(kind="tts", after_sec=0.6)

    def writer() -> Iterator[str]:
        yield "Hello there. "
        assert lost.fired.wait(WAIT)
        yield "Bye."

    speech = client_of(sandbox).realtime.speak(writer(), max_quiet_sec=0.1)
    assert spoken_in(speech.read(WAIT)) == "Hellothere.Bye."
    assert sandbox.log.totals["tts.connections"] == 2


def test_a_speech_with_timestamps_continues_where_it_broke(sandbox: Sandbox) -> None:
    """After the loss of a stream the speech continues at the first character not yet spoken."""
    for number, at in enumerate((1500, 700, 3000)):
        sandbox.faults.drop(kind="tts", after_audio_ms=at, skip=number)
    speech = client_of(sandbox).realtime.speak(LONG, timestamps=True)
    audio = speech.read(WAIT)
    assert spoken_in(audio) == collapsed(LONG)
    assert sandbox.log.totals["tts.connections"] == 4
    partial = [count for _, count in read_letters(audio) if count < 519]
    assert len(partial) <= 3
    assert speech.spoken_text == LONG


def test_a_speech_without_timestamps_raises_after_its_audio(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """A stream lost in the middle of its audio raises, with the milliseconds delivered."""
    # paced: a stream of which no audio was delivered yet would be repeated
    sandbox = make_sandbox(tts_pace=2.0)
    sandbox.faults.fin(kind="tts", after_audio_ms=1500)
    audio = b""
    with pytest.raises(SonioxConnectionError) as caught:
        for chunk in client_of(sandbox).realtime.speak(LONG):
            audio += chunk
    assert caught.value.audio_ms == len(audio) // 16
    assert collapsed(LONG).startswith(spoken_in(audio))


def test_a_refusal_is_raised_at_once_and_not_repeated(sandbox: Sandbox) -> None:
    """A request that the service will never accept raises its error after one attempt."""
    speech = client_of(sandbox).realtime.speak("Hello.", voice="Nobody-of-that-name")
    with pytest.raises(BadRequestError) as caught:
        speech.read(WAIT)
    assert caught.value.audio_ms == 0
    assert streams_of(sandbox) <= 1
    assert sandbox.log.totals["tts.connections"] == 1


@pytest.mark.parametrize(
    ("status", "times"), [(400, 1), (401, 1), (402, 1), (403, 1), (404, 1), (503, 4)]
)
def test_a_refused_upgrade_is_the_answer(status: int, times: int) -> None:
    """A speech whose connection is refused for good connects once; after a 503, again."""
    refusal = f"HTTP/1.1 {status} No\r\nContent-Length: 4\r\n\r\nnope".encode()
    upgrades: list[int] = []

    def refuse(_: Remote) -> bytes:
        upgrades.append(status)
        return refusal

    with RawPeer(answer=refuse) as peer:
        speech = client_for(peer.url).realtime.speak(
            "One.",
            **VOICE,
            max_reconnect_attempts=2,
            reconnect_base_delay_sec=0.01,
        )
        error = raised_by(lambda: speech.read())
        speech.close()
    assert f"HTTP {status}" in str(error)
    assert getattr(error, "status_code", None) == status
    assert len(upgrades) == times


def test_an_error_of_the_next_stream_waits_for_the_audio_before_it(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """When the next stream fails for good, the audio before it is delivered to its end."""
    sandbox = make_sandbox(tts_max_text_bytes=500)  # stricter than the documented limit
    audio = b""
    quiet = threading.Event()

    def writer() -> Iterator[str]:
        yield "Hello there. "
        quiet.wait(0.5)  # for longer than max_quiet_sec
        yield LONG

    with pytest.raises(BadRequestError):
        for chunk in client_of(sandbox).realtime.speak(writer(), max_quiet_sec=0.1):
            audio += chunk
    assert spoken_in(audio).startswith("Hellothere.")


def test_the_accounts_limit_of_streams_is_waited_for(make_sandbox: Callable[..., Sandbox]) -> None:
    """If only one stream is allowed at a time, the next one is retried until it is accepted."""
    sandbox = make_sandbox(tts_max_streams=1, tts_pace=100.0)
    assert spoken_in(client_of(sandbox).realtime.speak(LONG).read(WAIT)) == collapsed(LONG)
    assert sandbox.log.peaks["tts.streams"] == 1


@pytest.mark.parametrize(
    "limits", [{"reconnect_base_delay_sec": 1e5}, {"max_reconnect_attempts": 0}]
)
def test_a_part_refused_for_too_many_streams_follows_at_once(
    make_sandbox: Callable[..., Sandbox], limits: dict[str, Any]
) -> None:
    """When a stream of the speech ends the refused one is repeated, whatever the delay."""
    sandbox = make_sandbox(tts_max_streams=1, tts_pace=100.0)
    speech = client_of(sandbox).realtime.speak(LONG, **limits, max_reconnect_delay_sec=1e5)
    assert spoken_in(speech.read(WAIT)) == collapsed(LONG)
    assert sandbox.log.peaks["tts.streams"] == 1


def test_another_stream_continues_after_two_minutes(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """A voice slower than estimated reaches the limit of audio; another stream speaks the rest."""
    sandbox = make_sandbox(tts_max_audio_sec=5.0)
    text = LONG[:600]
    speech = client_of(sandbox).realtime.speak(text, timestamps=True)
    assert spoken_in(speech.read(WAIT)) == collapsed(text)


def test_audio_before_a_limit_waits_for_a_slow_consumer(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """Audio before the limit of two minutes is kept; another stream continues after it."""
    sandbox = make_sandbox(tts_max_audio_sec=5.0)
    text = LONG[:600]
    speech = client_of(sandbox).realtime.speak(text, timestamps=True)
    assert sandbox.log.wait_for(refused(413), timeout_sec=WAIT)
    assert spoken_in(speech.read(WAIT)) == collapsed(text)


@pytest.mark.parametrize(
    ("error_type", "code"), [("max_audio_duration_reached", 413), ("invalid_request", 400)]
)
def test_audio_before_an_error_waits_for_a_slow_consumer(
    sandbox: Sandbox, error_type: str, code: int
) -> None:
    """An error that another stream cannot avoid is raised after the audio before it."""
    sandbox.faults.error_frame(error_type, kind="tts", after_audio_ms=1500)
    speech = client_of(sandbox).realtime.speak(LONG)
    assert sandbox.log.wait_for(refused(code), timeout_sec=WAIT)
    audio = b""
    with pytest.raises(RealtimeError) as caught:
        for chunk in speech:
            audio += chunk
    assert caught.value.status_code == code
    assert caught.value.audio_ms == len(audio) // 16 > 0
    assert collapsed(LONG).startswith(spoken_in(audio))


def refused(code: int) -> Callable[[Any], bool]:
    """Return a predicate for the log entry of an error frame."""
    return lambda entry: (entry.message or {}).get("error_code") == code


def test_a_server_that_never_answers_is_replaced(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that sends no audio for too long is replaced by another."""
    from soniox_sync.realtime.speech import opening
    from soniox_sync.realtime.speech.planner import SpeechLimits

    monkeypatch.setattr(opening, "quiet_limits", lambda _: SpeechLimits(stall_sec=0.2))
    sandbox.faults.stall(kind="tts")
    assert spoken_in(client_of(sandbox).realtime.speak("Hello.").read(WAIT)) == "Hello."
    assert sandbox.log.totals["tts.connections"] == 2
