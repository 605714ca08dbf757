"""Recordings over real connections to the sandbox, which cuts, stalls and refuses them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import CancelToken, SonioxClient
from soniox_sync.audio.wav.header import wav_header
from soniox_sync.errors import (
    AbortError,
    AudioDeviceError,
    AuthError,
    ConfigurationError,
    SonioxConnectionError,
    SonioxTimeoutError,
    StateError,
)
from soniox_sync.realtime.recording.recording import Recording
from soniox_sync.recorder.actions import RecordingState
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import numbered_audio
from soniox_sync.sources import IterableSource

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
FAST = {"pace": False, "catch_up_speed": None, "reconnect_base_delay_sec": 0.05}
WAIT = 30.0


def expected(count: int) -> list[str]:
    return [f"w{number}" for number in range(count)]


FAULTS: dict[str, Callable[[Sandbox], Any]] = {
    "reset": lambda box: box.faults.drop(kind="stt", after_audio_ms=2000),
    "end of file": lambda box: box.faults.fin(kind="stt", after_audio_ms=2000),
    "close frame": lambda box: box.faults.close(1001, kind="stt", after_audio_ms=2000),
    "503": lambda box: box.faults.error_frame(
        "service_unavailable", kind="stt", after_audio_ms=2000
    ),
    "413": lambda box: box.faults.error_frame(
        "max_duration_reached", kind="stt", after_audio_ms=2000
    ),
    "408": lambda box: box.faults.error_frame("request_timeout", kind="stt", after_audio_ms=2000),
    "garbage": lambda box: box.faults.inject(b"\xff\xff\xff\xff", kind="stt", after_audio_ms=2000),
    "refused upgrade": lambda box: box.faults.refuse(503, kind="stt"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=list(FAULTS))
def test_a_lost_connection_loses_no_word(
    sandbox: Sandbox, client: SonioxClient, fault: str
) -> None:
    """However a connection is lost, the transcript contains every word once; no audio is lost."""
    handle = FAULTS[fault](sandbox)
    audio = numbered_audio(0, 40)
    transcription = client.realtime.transcribe(audio, **RAW, **FAST)
    kinds = [event.kind for event in transcription]
    assert handle.fired.is_set()
    assert transcription.transcript.final_text.split() == expected(40)
    assert transcription.recording.lost_ms == 0
    assert kinds.count("finished") == 1 and kinds[-1] == "finished"


def test_many_losses_lose_no_word(sandbox: Sandbox, client: SonioxClient) -> None:
    """With connections cut every few seconds every word is delivered once, at the right time."""
    sandbox.faults.drop(kind="stt", after_audio_ms=1700, times=6)
    transcription = client.realtime.transcribe(
        numbered_audio(0, 60), max_reconnect_attempts=10, **RAW, **FAST
    )
    for _ in transcription:
        pass
    transcript = transcription.transcript
    assert transcript.final_text.split() == expected(60)
    starts: dict[str, int] = {}
    for token in transcript.final_tokens:
        if token.text.startswith(" w") and token.start_ms is not None:
            starts[token.text.strip()] = token.start_ms
    for number in range(60):
        name = f"w{number}"
        if name in starts:
            assert abs(starts[name] - number * 200) <= 1
    assert max(token.session for token in transcript.final_tokens) == 6


def test_rotation_changes_connections_and_keeps_every_word(
    sandbox: Sandbox, client: SonioxClient
) -> None:
    """A rotation is reported as `rotated` and does not affect the transcript."""
    reasons: list[str] = []
    transcription = client.realtime.transcribe(
        numbered_audio(0, 60, ms_per_word=1200, gap_ms=900),
        **RAW,
        pace=20.0,
        catch_up_speed=None,
        rotate_after_sec=15.0,
        enable_endpoint_detection=True,
        max_endpoint_delay_ms=500,
    )
    transcription.recording.on("state_change", lambda change: reasons.append(change.reason))
    for _ in transcription:
        pass
    assert transcription.transcript.final_text.split() == expected(60)
    assert reasons.count("rotated") >= 2
    assert transcription.recording.lost_ms == 0


def test_a_half_open_connection_is_detected_and_replaced(
    sandbox: Sandbox, client: SonioxClient
) -> None:
    """A silent peer is detected by ping, and the next session gets its audio."""
    handle = sandbox.faults.half_open(kind="stt", after_audio_ms=1000)
    transcription = client.realtime.transcribe(
        numbered_audio(0, 30),
        **RAW,
        **FAST,
        session_options={"ping_interval_sec": 0.3, "ping_timeout_sec": 0.3},
    )
    for _ in transcription:
        pass
    assert handle.fired.is_set()
    assert transcription.transcript.final_text.split() == expected(30)
    assert transcription.recording.lost_ms == 0


@pytest.mark.parametrize("size", [4, 12, 30, 43])
def test_a_wav_cut_off_in_its_header_is_an_error(
    client: SonioxClient, sandbox: Sandbox, size: int
) -> None:
    """A WAV that ends before its samples raises an error; it does not count as silence."""
    cut = wav_header(sample_rate=16000)[:size]
    with pytest.raises(ConfigurationError, match="ends inside its header"):
        for _ in client.realtime.transcribe([cut[:3], cut[3:]], pace=False):
            pass


def test_wav_in_pieces_is_replayed_too(sandbox: Sandbox, client: SonioxClient) -> None:
    """A WAV in odd-sized pieces loses its header, is sent as raw audio and survives a loss."""
    sandbox.faults.drop(kind="stt", after_audio_ms=1500)
    wav = wav_header(sample_rate=16000) + numbered_audio(0, 30)
    pieces = [wav[i : i + 1777] for i in range(0, len(wav), 1777)]
    transcription = client.realtime.transcribe(iter(pieces), **FAST)
    for _ in transcription:
        pass
    assert transcription.transcript.final_text.split() == expected(30)


def test_a_refused_key_ends_at_once_with_its_cause(sandbox: Sandbox) -> None:
    """An error that no new session can fix is raised unchanged, whatever the limit of attempts."""
    client = sandbox.client(api_key="invalid")
    with pytest.raises(AuthError):
        for _ in client.realtime.transcribe(numbered_audio(0, 10), **RAW, **FAST):
            pass


def test_without_reconnect_the_loss_is_raised_after_the_words(
    sandbox: Sandbox, client: SonioxClient
) -> None:
    """Without auto_reconnect what was received is delivered, then the loss is raised."""
    sandbox.faults.fin(kind="stt", after_audio_ms=2000)
    transcription = client.realtime.transcribe(
        numbered_audio(0, 40), auto_reconnect=False, **RAW, **FAST
    )
    with pytest.raises(SonioxConnectionError):
        for _ in transcription:
            pass
    words = transcription.transcript.final_text.split()
    assert words == expected(40)[: len(words)] and len(words) < 40


def test_a_handler_can_prevent_reconnecting(sandbox: Sandbox, client: SonioxClient) -> None:
    """`prevent_default()` in a `reconnecting` handler ends the recording with the loss."""
    sandbox.faults.drop(kind="stt", after_audio_ms=1000)
    seen: list[Any] = []

    def prevent(event: Any) -> None:
        seen.append((event.attempt, event.max_attempts))
        event.prevent_default()

    transcription = client.realtime.transcribe(numbered_audio(0, 30), **RAW, **FAST)
    transcription.recording.on("reconnecting", prevent)
    with pytest.raises(SonioxConnectionError):
        for _ in transcription:
            pass
    assert seen == [(1, None)]


def endless(gate: threading.Event) -> Iterator[bytes]:
    """Yield words until the test is over."""
    number = 0
    while not gate.is_set():
        yield numbered_audio(number % 500, 1)
        number += 1


def recording_of(client: SonioxClient, chunks: Iterator[bytes], **options: Any) -> Recording:
    merged: dict[str, Any] = {"auto_reconnect": True, "catch_up_speed": None, **RAW, **options}
    made: Recording = client.realtime.record(source=IterableSource(chunks), **merged)
    return made


def await_session(recording: Recording) -> None:
    """Wait for the recording's first session, which may be older than the handler."""
    connected = threading.Event()
    recording.on("connected", connected.set)
    if recording.state is RecordingState.RECORDING:
        connected.set()
    assert connected.wait(WAIT)


def test_leaving_the_loop_stops_everything(client: SonioxClient) -> None:
    """`break` stops the source, the session and every thread; the leak fixture checks that."""
    gate = threading.Event()
    source = IterableSource(endless(gate))
    for event in client.realtime.transcribe(source, catch_up_speed=None, **RAW):
        if event.text:
            break
    gate.set()


def test_stop_in_the_middle_delivers_what_was_captured(client: SonioxClient) -> None:
    """stop() ends the source and waits for the last word; the iteration then ends."""
    gate = threading.Event()
    recording = recording_of(client, endless(gate))
    events = iter(recording)
    while not next(events).text:
        pass
    recording.stop(WAIT)
    gate.set()
    kinds = [event.kind for event in events]
    assert kinds[-1] == "finished"
    words = recording.transcript.final_text.split()
    assert words == [f"w{number % 500}" for number in range(len(words))] and words
    assert str(recording.state) == "stopped"


def test_stop_while_reconnecting_finishes(sandbox: Sandbox, client: SonioxClient) -> None:
    """stop() during an outage sends the remaining audio to the next session, then ends."""
    sandbox.faults.drop(kind="stt", after_audio_ms=1000)
    sandbox.faults.refuse(503, kind="stt", skip=1, times=2)
    lost = threading.Event()
    audio = [numbered_audio(0, 20)]
    recording = recording_of(
        client, iter(audio), reconnect_base_delay_sec=0.3, max_reconnect_attempts=5
    )
    recording.on("reconnecting", lost.set)
    assert lost.wait(WAIT)
    recording.stop(WAIT)
    for _ in recording:
        pass
    assert recording.transcript.final_text.split() == expected(20)


def test_cancel_wakes_the_iteration_with_abort(client: SonioxClient) -> None:
    """cancel() from another thread ends a waiting loop with `AbortError`."""
    gate = threading.Event()
    recording = recording_of(client, endless(gate))
    await_session(recording)
    threading.Thread(target=recording.cancel, name="canceller").start()
    with pytest.raises(AbortError):
        for _ in recording:
            pass
    gate.set()
    assert str(recording.state) == "canceled"
    recording.close()


def test_a_cancel_token_ends_a_recording_that_connects(sandbox: Sandbox) -> None:
    """A token cancelled while the connection hangs ends the recording at once."""
    sandbox.faults.hang(kind="stt")
    client = sandbox.client()
    token = CancelToken()
    gate = threading.Event()
    recording = recording_of(client, endless(gate), cancel=token)
    token.cancel("the caller hung up")
    with pytest.raises(AbortError, match="hung up"):
        recording.wait(WAIT)
    gate.set()


def test_an_exception_of_the_source_is_raised_after_its_words(client: SonioxClient) -> None:
    """What the user's iterable raises is raised in the loop, after the words of its audio."""

    def failing() -> Iterator[bytes]:
        yield numbered_audio(0, 10)
        raise ZeroDivisionError("in the source")

    transcription = client.realtime.transcribe(failing(), **RAW, **FAST)
    with pytest.raises(ZeroDivisionError, match="in the source"):
        for _ in transcription:
            pass
    assert transcription.transcript.final_text.split() == expected(10)


def test_pause_leaves_audio_out_and_finalizes(client: SonioxClient) -> None:
    """pause() makes earlier words final; a finite source waits until resume()."""
    gate = threading.Event()
    recording = recording_of(client, endless(gate))
    finalized = threading.Event()
    recording.on("finalized", finalized.set)
    await_session(recording)
    recording.pause()
    assert finalized.wait(WAIT)
    assert str(recording.state) == "paused"
    recording.resume()
    assert str(recording.state) == "recording"
    recording.stop(WAIT)
    gate.set()
    recording.close()


def test_handlers_get_the_results_in_order(client: SonioxClient) -> None:
    """With a `token` handler results are pushed, in order; iterating is refused from then on."""
    recording = recording_of(client, iter([numbered_audio(0, 20)]))
    words: list[str] = []
    recording.on("token", lambda token: words.append(token.text) if token.is_final else None)
    with pytest.raises(StateError):
        iter(recording)
    recording.wait(WAIT)
    recording.close()
    assert "".join(words).split() == expected(20)


def test_state_changes_are_reported_with_their_reasons(
    sandbox: Sandbox, client: SonioxClient
) -> None:
    """A recording with one loss passes through the documented states, with documented reasons."""
    sandbox.faults.drop(kind="stt", after_audio_ms=1000)
    changes: list[tuple[str, str]] = []
    transcription = client.realtime.transcribe(numbered_audio(0, 30), **RAW, **FAST)
    transcription.recording.on(
        "state_change", lambda change: changes.append((str(change.new_state), change.reason))
    )
    for _ in transcription:
        pass
    assert ("reconnecting", "connection_lost") in changes
    assert changes[-1] == ("stopped", "finished")


def test_wait_times_out(client: SonioxClient) -> None:
    """wait() with a timeout raises, with advice, and leaves the recording running."""
    gate = threading.Event()
    recording = recording_of(client, endless(gate))
    with pytest.raises(
        SonioxTimeoutError, match=r"within 0\.05 s; it is \w+: wait longer with time"
    ):
        recording.wait(0.05)
    assert not recording.state.is_over
    recording.close()
    gate.set()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"max_reconnect_attempts": -1}, "max_reconnect_attempts"),
        ({"replay_window_sec": 0}, "replay_window_sec"),
        ({"rotate_after_sec": 0}, "rotate_after_sec"),
        ({"catch_up_speed": 0.5}, "catch_up_speed"),
        ({"reconnect_base_delay_sec": "soon"}, "reconnect_base_delay_sec"),
        ({"buffer_queue_size": 0}, "buffer_queue_size"),
        ({"audio_format": "pcm_s16le"}, "sample_rate"),
        ({"sampel_rate": 16000}, "sample_rate"),
    ],
)
def test_wrong_options_are_named_before_anything_starts(
    client: SonioxClient, options: dict[str, Any], named: str
) -> None:
    """A wrong option of record() raises `ConfigurationError` that names it; nothing is opened."""
    with pytest.raises(ConfigurationError, match=named):
        client.realtime.record(source=IterableSource([b"\0\0"]), **options)


def test_a_source_that_cannot_start_raises_from_record(client: SonioxClient) -> None:
    """What the source raises on start() is raised by record(), and nothing is left behind."""

    class Broken:
        def start(self, handlers: Any) -> None:
            raise AudioDeviceError("no such device")

        def stop(self) -> None:
            """Do nothing."""

    with pytest.raises(AudioDeviceError, match="no such device"):
        client.realtime.record(source=Broken(), **RAW)


def test_a_source_that_fails_in_a_wav_header_ends_with_its_error(client: SonioxClient) -> None:
    """A source that fails before its WAV has samples ends the recording; it does not hang."""

    class Cut:
        is_live = False

        def start(self, handlers: Any) -> None:
            handlers.on_data(wav_header(sample_rate=16000)[:20])
            handlers.on_error(AudioDeviceError("unplugged"))

        def stop(self) -> None:
            """Do nothing."""

    with pytest.raises(AudioDeviceError, match="unplugged"):
        client.realtime.record(source=Cut()).wait(WAIT)
