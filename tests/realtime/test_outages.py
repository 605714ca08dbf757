"""Outages over real sockets: every kind, at connect and in the middle, for whatever reconnects."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import pytest

from soniox_sync import SonioxClient
from soniox_sync.errors import (
    BadRequestError,
    ConnectTimeoutError,
    NetworkError,
    QuotaError,
    RateLimitError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
)
from soniox_sync.realtime.recording.recording import Recording
from soniox_sync.recorder import outage
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import NumberedRecognizer, numbered_audio
from tests.network import Network
from tests.peers import Authority, RawPeer, close_frame, message
from tests.realtime.servers import RAW, client_for, finished, raised_by, result, token
from tests.realtime.speech.letters import LONG, RATE, collapsed, letter_engines, spoken_in
from tests.waiting import WAIT, Task, drain

FAST: dict[str, Any] = {"reconnect_base_delay_sec": 0.01}
UNPACED: dict[str, Any] = {**FAST, "catch_up_speed": None, **RAW}
# what the defaults of transcribe() are for a recording
PATIENT: dict[str, Any] = {"max_reconnect_attempts": None, "give_up_after_sec": 60.0}
WORDS = [f"w{number}" for number in range(40)]
ATTEMPTS = 6  # twice as many as `record()` makes by default


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    made = Network(monkeypatch)
    yield made
    made.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Provide a service that recognises numbered audio and speaks in letters."""
    with Sandbox(engines=letter_engines(), limits={"tts_pace": None}) as box:
        box.hear_with(NumberedRecognizer())
        yield box


@pytest.fixture
def client(sandbox: Sandbox) -> SonioxClient:
    return sandbox.client(
        tts_defaults={"voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": RATE}
    )


Fail = Callable[[Sandbox, Network, str, int], None]


def connecting(outcome: str) -> Fail:
    """Return what lets connections fail after the first `skip`."""

    def fail(sandbox: Sandbox, network: Network, kind: str, skip: int) -> None:
        network.schedule(*["ok"] * skip, *[outcome] * ATTEMPTS)

    return fail


def refusing(status: int, **headers: str) -> Fail:
    """Return what lets upgrades be refused with an HTTP status after the first `skip`."""

    def fail(sandbox: Sandbox, network: Network, kind: str, skip: int) -> None:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        sandbox.faults.refuse(status, kind=kind, skip=skip, times=ATTEMPTS, headers=shown)

    return fail


def answering(error_type: str) -> Fail:
    """Return what lets sessions and streams fail with an error frame after the first `skip`."""

    def fail(sandbox: Sandbox, network: Network, kind: str, skip: int) -> None:
        after = {"after_audio_ms": 1} if kind == "stt" else {"after_frames_in": 1}
        sandbox.faults.error_frame(error_type, kind=kind, skip=skip, times=ATTEMPTS, **after)

    return fail


KINDS: dict[str, Fail] = {
    "no address": connecting("dns"),
    "refused": connecting("refused"),
    "cut off": connecting("cut"),
    "HTTP 500": refusing(500),
    "HTTP 502": refusing(502),
    "HTTP 503": refusing(503),
    "HTTP 429": refusing(429),
    "HTTP 429 with Retry-After": refusing(429, Retry_After="0.02"),
    "503": answering("service_unavailable"),
    "500": answering("internal_error"),
    "429": answering("limit_exceeded"),
}


class LiveSource:
    """Source of the user that is live: it cannot be held back."""

    is_live = True

    def __init__(self, audio: bytes) -> None:
        self._audio = audio

    def start(self, handlers: Any) -> None:
        for at in range(0, len(self._audio), 6400):
            handlers.on_data(self._audio[at : at + 6400])
        handlers.on_end()

    def stop(self) -> None:
        """Do nothing: everything was delivered."""


def finite(client: SonioxClient, audio: bytes, **options: Any) -> Recording:
    transcription = client.realtime.transcribe(audio, pace=False, **UNPACED, **options)
    transcription.start()
    return transcription.recording


def live(client: SonioxClient, audio: bytes, **options: Any) -> Recording:
    return client.realtime.record(
        source=LiveSource(audio), auto_reconnect=True, **UNPACED, **{**PATIENT, **options}
    )


SOURCES = {"finite": finite, "live": live}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("moment", ["at connect", "in the middle"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_costs_no_word(
    sandbox: Sandbox, network: Network, client: SonioxClient, kind: str, moment: str, source: str
) -> None:
    """Whatever the kind of outage, every word is there once, and no audio is lost."""
    skip = 0
    if moment == "in the middle":
        skip = 1
        sandbox.faults.drop(kind="stt", after_audio_ms=2000)
    KINDS[kind](sandbox, network, "stt", skip)
    recording = SOURCES[source](client, numbered_audio(0, 40))
    assert recording.read(WAIT).final_text.split() == WORDS
    assert recording.lost_ms == 0
    recording.close()


def test_a_408_in_the_middle_is_waited_out(sandbox: Sandbox, client: SonioxClient) -> None:
    """After the first results a 408, repeated, is an outage like any other."""
    sandbox.faults.error_frame("request_timeout", kind="stt", after_audio_ms=2000, times=ATTEMPTS)
    recording = finite(client, numbered_audio(0, 40))
    assert recording.read(WAIT).final_text.split() == WORDS
    recording.close()


@pytest.mark.parametrize("where", ["connection", "pool"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_costs_no_part_of_a_speech(
    sandbox: Sandbox, network: Network, client: SonioxClient, kind: str, where: str
) -> None:
    """Whatever the kind of outage, a speech waits for the service and is complete."""
    KINDS[kind](sandbox, network, "tts", 0)
    if where == "connection":
        speech = client.realtime.speak("Hello there. How are you?", **FAST)
        assert spoken_in(speech.read(WAIT)) == "Hellothere.Howareyou?"
        return
    with client.realtime.tts.pool(max_connections=1) as pool:
        speeches = [pool.speak(f"Hello {name}.", **FAST) for name in ("Ann", "Bob")]
        spoken = [spoken_in(speech.read(WAIT)) for speech in speeches]
        assert spoken == ["HelloAnn.", "HelloBob."]
        assert pool.active_streams == 0


@pytest.mark.parametrize("kind", ["no address", "refused", "cut off", "HTTP 503", "HTTP 429"])
def test_a_speech_continues_after_an_outage(
    sandbox: Sandbox, network: Network, client: SonioxClient, kind: str
) -> None:
    """A speech with timestamps that is lost in its middle goes on there after the outage."""
    sandbox.faults.drop(kind="tts", after_audio_ms=1500)
    KINDS[kind](sandbox, network, "tts", 1)
    speech = client.realtime.speak(LONG, timestamps=True, **FAST)
    assert spoken_in(speech.read(WAIT)) == collapsed(LONG)
    assert speech.spoken_text == LONG


def test_a_tls_handshake_that_is_cut_off_is_an_outage(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS handshakes cut off, again and again, are waited out by a recording and by a speech."""
    authority = Authority()
    with RawPeer(tls=authority.server) as peer:
        client = client_for(peer.url, ssl_context=authority.client)
        network.schedule(*["cut"] * ATTEMPTS)
        recording = finite(client, b"\1\0" * 16_000)
        with peer.accept() as remote:
            while remote.recv_message().payload:
                pass
            remote.send(result(token("One")), finished(), close_frame())
            assert recording.read(WAIT).final_text == "One"
        recording.close()
    assert network.attempts == ATTEMPTS + 1


# -- patience --------------------------------------------------------------------------------------


@contextmanager
def patience_ends(network: Network, *, attempts: int = 4) -> Iterator[list[BaseException]]:
    """Expect an error of connecting, with the reason to stop, after several attempts."""
    caught: list[BaseException] = []
    before = network.attempts
    yield caught
    (error,) = caught
    assert isinstance(error, SonioxConnectionError)
    assert "could not be resolved" in str(error)
    assert "Gave up after" in str(error) and "(give_up_after_sec)" in str(error)
    assert network.attempts - before >= attempts


@pytest.mark.parametrize("source", SOURCES)
def test_an_outage_longer_than_patience_ends_a_recording(
    sandbox: Sandbox, network: Network, client: SonioxClient, source: str
) -> None:
    """When patience ends, what was recognised is delivered, then the last error is raised."""
    sandbox.faults.fin(kind="stt", after_frames_out=9)
    network.schedule("ok", rest="dns")
    recording = SOURCES[source](client, numbered_audio(0, 40), give_up_after_sec=0.2)
    with patience_ends(network) as caught:
        caught.append(raised_by(lambda: drain_all(recording)))
    words = recording.transcript.final_text.split()
    assert words == WORDS[: len(words)] and words
    recording.close()


def drain_all(recording: Recording) -> None:
    for _ in recording:
        pass


@pytest.mark.parametrize("where", ["connection", "pool"])
def test_an_outage_longer_than_patience_ends_a_speech(
    network: Network, client: SonioxClient, where: str
) -> None:
    """When patience ends the last error is raised; a pool has its slot back and works again."""
    network.schedule(rest="dns")
    limits: dict[str, Any] = {**FAST, "give_up_after_sec": 0.2}
    with client.realtime.tts.pool() as pool, patience_ends(network) as caught:
        speak = pool.speak if where == "pool" else client.realtime.speak
        caught.append(raised_by(lambda: speak("Hello.", **limits).read(WAIT)))
        assert pool.active_streams == 0
        network.schedule(rest="ok")
        assert spoken_in(speak("Hello.", **limits).read(WAIT)) == "Hello."


def test_without_more_patience_the_count_still_limits(
    network: Network, client: SonioxClient
) -> None:
    """`max_reconnect_attempts` ends a recording and a speech before their time is over."""
    network.schedule(rest="refused")
    limits: dict[str, Any] = {**FAST, "max_reconnect_attempts": 2}
    recording = finite(client, numbered_audio(0, 4), max_reconnect_attempts=2)
    errors = [raised_by(lambda: recording.wait(WAIT))]
    assert network.attempts == 3
    recording.close()
    errors.append(raised_by(lambda: client.realtime.speak("Hello.", **limits).read(WAIT)))
    assert network.attempts == 3 + 4  # one before there is any text
    for error in errors:
        assert isinstance(error, SonioxConnectionError)
        assert "Gave up after 2 attempts" in str(error)


@pytest.mark.parametrize("what", ["recording", "speech"])
def test_a_connection_that_hangs_ends_with_patience(
    network: Network, client: SonioxClient, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A service that accepts and never answers does not outlast patience by its own time limit."""
    monkeypatch.setattr(outage, "_LAST_ATTEMPT_SEC", 0.1)
    network.schedule(rest="hang")
    began = time.monotonic()
    if what == "recording":
        recording = finite(client, numbered_audio(0, 4), give_up_after_sec=0.3)
        error = raised_by(lambda: recording.wait(WAIT))
        recording.close()
    else:
        speech = client.realtime.speak("Hello.", **FAST, give_up_after_sec=0.3)
        error = raised_by(lambda: speech.read(WAIT))
    assert isinstance(error, ConnectTimeoutError)
    assert time.monotonic() - began < 10.0  # each connection alone would take 20 s


def test_a_word_and_a_cut_again_and_again_is_given_up(
    sandbox: Sandbox, client: SonioxClient
) -> None:
    """A service that cuts after every first word is opened a few times, not 20 times a second."""
    sandbox.faults.fin(kind="stt", after_frames_out=9, times=1000)
    recording = client.realtime.record(
        source=LiveSource(numbered_audio(0, 100)),
        auto_reconnect=True,
        catch_up_speed=None,
        reconnect_base_delay_sec=0.1,
        max_reconnect_attempts=None,
        give_up_after_sec=1.0,
        **RAW,
    )
    error = raised_by(lambda: drain_all(recording))
    assert isinstance(error, SonioxConnectionError) and "Gave up after" in str(error)
    words = recording.transcript.final_text.split()
    assert words == [f"w{number}" for number in range(len(words))] and words
    # at most 1 s of delays of at least 0.05, 0.1, 0.2, 0.4 s, and the attempts before and after
    assert sandbox.log.totals["stt.connections"] <= 8
    recording.close()


def test_the_wait_that_a_429_asks_for_is_announced(sandbox: Sandbox, client: SonioxClient) -> None:
    """`Retry-After` of a refused upgrade is the delay that `reconnecting` handlers are told."""
    sandbox.faults.refuse(429, kind="stt", headers={"Retry-After": "0.3"})
    delays: list[tuple[int, Any, float]] = []
    transcription = client.realtime.transcribe(numbered_audio(0, 10), pace=False, **UNPACED)
    transcription.recording.on(
        "reconnecting",
        lambda event: delays.append((event.attempt, event.max_attempts, event.delay_sec)),
    )
    assert transcription.read(WAIT).final_text.split() == WORDS[:10]
    assert delays == [(1, None, 0.3)]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_a_refusal_is_no_outage(
    sandbox: Sandbox, network: Network, client: SonioxClient, status: int
) -> None:
    """402 and other 4xx are raised after one attempt, by recordings and speeches."""
    sandbox.faults.refuse(status, times=10)
    recording = finite(client, numbered_audio(0, 4))
    errors = [raised_by(lambda: recording.wait(WAIT))]
    recording.close()
    assert network.attempts == 1
    errors.append(raised_by(lambda: client.realtime.speak("Hello.").read(WAIT)))
    assert network.attempts <= 3
    for error in errors:
        assert isinstance(error, RealtimeError) and error.status_code == status
        assert isinstance(error, QuotaError) is (status == 402)
        assert not isinstance(error, RateLimitError)


@pytest.mark.parametrize(
    ("audio", "config", "advice"),
    [
        (bytes(range(128, 256)) * 10, {}, "Is this an audio file?"),
        (b"\1\0" * 8000, RAW, "pcm_s16le"),
    ],
    ids=["unknown", "raw"],
)
@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [(408, "request_timeout", "Request timeout"), (400, "invalid_request", "Audio decode error")],
)
def test_advice_about_wrong_audio_comes_at_once(
    raw_peer: RawPeer,
    audio: bytes,
    config: dict[str, Any],
    advice: str,
    code: int,
    kind: str,
    said: str,
) -> None:
    """A 408 or 400 before any result is raised with advice, by default, after one connection."""
    transcription = client_for(raw_peer.url).realtime.transcribe(audio, pace=False, **config)
    task = Task(lambda: drain(transcription))
    with raw_peer.accept() as remote:
        remote.recv_message()
        assert remote.recv_message().payload
        said_so = {"error_code": code, "error_type": kind, "error_message": said}
        remote.send(message(**said_so, request_id="r-5"), close_frame())
        error = task.result()[-1]
    assert isinstance(error, NetworkError if code == 408 else BadRequestError)
    assert (error.status_code, error.error_type, error.request_id) == (code, kind, "r-5")
    assert said in str(error) and advice in str(error)
    assert raw_peer.idle
    transcription.close()


# -- events ----------------------------------------------------------------------------------------

EVENTS = ("reconnecting", "reconnected", "connected", "session_restart", "result", "error")


def heard(recording: Recording) -> list[str]:
    """Collect the names of events, with repeated results once."""
    names: list[str] = []

    def add(name: str) -> None:
        if not (name == "result" and names[-1:] == ["result"]):
            names.append(name)

    for name in EVENTS:
        recording.on(name, lambda *_, name=name: add(name))  # type: ignore[call-overload, misc]
    return names


def test_the_events_of_an_outage_come_in_order(
    sandbox: Sandbox, network: Network, client: SonioxClient
) -> None:
    """Attempts, then `reconnected`, `connected`, `session_restart` and the first result."""
    sandbox.faults.fin(kind="stt", after_frames_out=9)
    network.schedule("ok", "dns", "refused")
    transcription = client.realtime.transcribe(numbered_audio(0, 40), pace=False, **UNPACED)
    names = heard(transcription.recording)
    transcription.start()
    transcription.recording.wait(WAIT)
    transcription.close()  # waits for the handlers
    first = ["connected", "session_restart", "result"]
    assert names == [*first, *["reconnecting"] * 3, "reconnected", *first]


@pytest.mark.parametrize("end", ["prevented", "given up"])
def test_an_outage_without_an_end_keeps_the_transcript(
    sandbox: Sandbox, network: Network, client: SonioxClient, end: str
) -> None:
    """Only a session that begins resets the transcript: no attempt, prevented or failed, does."""
    sandbox.faults.fin(kind="stt", after_frames_out=9)
    network.schedule("ok", rest="dns")
    transcription = client.realtime.transcribe(
        numbered_audio(0, 40),
        pace=False,
        reset_transcript_on_reconnect=True,
        max_reconnect_attempts=2,
        **UNPACED,
    )
    recording = transcription.recording
    names = heard(recording)
    if end == "prevented":
        recording.on("reconnecting", lambda event: event.prevent_default())
    transcription.start()
    assert isinstance(raised_by(lambda: recording.wait(WAIT)), SonioxError)
    transcription.close()
    attempts = 1 if end == "prevented" else 2
    assert names == [
        *("connected", "session_restart", "result"),
        *["reconnecting"] * attempts,
        "error",
    ]
    words = transcription.transcript.final_text.split()
    assert words == WORDS[: len(words)] and words


def test_a_stop_during_an_outage_waits_for_the_rest(
    sandbox: Sandbox, network: Network, client: SonioxClient
) -> None:
    """`stop()` in an outage transcribes what was captured once the service is back."""
    sandbox.faults.fin(kind="stt", after_audio_ms=1000)
    network.schedule("ok", *["refused"] * ATTEMPTS)
    lost = threading.Event()
    recording = live(client, numbered_audio(0, 20))
    recording.on("reconnecting", lost.set)
    assert lost.wait(WAIT)
    recording.stop(WAIT)
    assert recording.transcript.final_text.split() == WORDS[:20]
