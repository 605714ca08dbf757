"""`transcribe()`: when it starts, what it requests, how it is consumed and ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest

from soniox_sync import CancelToken, SonioxClient, Transcription
from soniox_sync.errors import AbortError, SonioxTimeoutError, StateError
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import numbered_audio
from soniox_sync.sources import IterableSource
from tests.realtime.servers import RAW, SttService, client_for, raised_by
from tests.waiting import WAIT, Task, eventually

FAST = {"pace": False, "catch_up_speed": None}
# a word of 200 ms, then silence: a pause, and an endpoint
PAUSING = {"ms_per_word": 2700, "gap_ms": 2500}


def connections(sandbox: Sandbox) -> int:
    count: int = sandbox.log.totals["stt.connections"]
    return count


# -- starting -------------------------------------------------------------------------------------

USES: dict[str, Callable[[Transcription], object]] = {
    "iterating": lambda t: next(iter(t)),
    "utterances": lambda t: next(t.utterances()),
    "read": lambda t: t.read(),
    "next_event": lambda t: t.next_event(WAIT),
    "start": lambda t: t.start(),
    "with": lambda t: t.__enter__(),
}


@pytest.mark.parametrize("use", USES)
def test_it_starts_when_it_is_used(sandbox: Sandbox, client: SonioxClient, use: str) -> None:
    """Nothing is opened, and no thread runs, before a transcription is used."""
    threads = threading.active_count()
    transcription = client.realtime.transcribe(numbered_audio(0, 5), **RAW, **FAST)
    connected = threading.Event()
    assert (threading.active_count(), transcription.recording.state) == (threads, "idle")
    transcription.recording.on("connected", connected.set)
    assert connections(sandbox) == 0
    try:
        USES[use](transcription)
        assert connected.wait(WAIT)
        # the service counts a session that it has accepted, maybe after the client knows of it
        eventually(lambda: connections(sandbox) == 1, "one session")
    finally:
        transcription.close()


def test_two_threads_start_a_recording_once(
    sandbox: Sandbox, client: SonioxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two calls that both find it idle, one starts it and the other gets `StateError`."""
    recording = client.realtime.transcribe(numbered_audio(0, 2), **RAW, **FAST).recording
    runtime: Any = recording._runtime
    lock, arrived = runtime._lock, [threading.Event(), threading.Event()]

    class Counting:
        """Lock that reports who comes, and admits nobody before both are there."""

        def __enter__(self) -> None:
            if threading.current_thread().name.startswith("starter-"):
                arrived[int(threading.current_thread().name[-1])].set()
                assert all(each.wait(WAIT) for each in arrived)
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    outcomes: list[object] = []

    def start() -> None:
        try:
            outcomes.append(recording.start())
        except StateError as error:
            outcomes.append(str(error))

    monkeypatch.setattr(runtime, "_lock", Counting())
    starters = [threading.Thread(target=start, name=f"starter-{n}") for n in range(2)]
    for each in starters:
        each.start()
    for each in starters:
        each.join(WAIT)
    monkeypatch.undo()
    assert recording.read(WAIT).final_text
    assert recording in outcomes
    (refused,) = [each for each in outcomes if each is not recording]
    assert str(refused).startswith("cannot start: the recording is ")
    assert connections(sandbox) == 1


def test_utterances_after_read_are_refused(client: SonioxClient) -> None:
    """What was read has no utterances left: `StateError`, and the transcript has them."""
    transcription = client.realtime.transcribe(numbered_audio(0, 5), **RAW, **FAST)
    transcript = transcription.read()
    for iterate in (transcription.__iter__, transcription.utterances):
        assert isinstance(raised_by(lambda each=iterate: list(each())), StateError)
    assert list(transcript.utterances())


def test_start_is_idempotent_and_returns_the_object(client: SonioxClient) -> None:
    """Starting again, or using a started one, is legal."""
    transcription = client.realtime.transcribe(numbered_audio(0, 5), **RAW, **FAST)
    assert transcription.start() is transcription
    with transcription.start() as same:
        assert same.read().final_text.split() == [f"w{n}" for n in range(5)]


def test_an_unused_iterator_starts_nothing(sandbox: Sandbox, client: SonioxClient) -> None:
    """An iterator whose first item was never requested leaves nothing behind."""
    transcription = client.realtime.transcribe(numbered_audio(0, 5), **RAW, **FAST)
    for iterator in (iter(transcription), transcription.utterances()):
        del iterator
    assert transcription.recording.state == "idle"
    assert connections(sandbox) == 0


def test_one_closed_before_its_start_never_starts(sandbox: Sandbox, client: SonioxClient) -> None:
    """One that was closed or cancelled first raises AbortError in every use."""
    for end in (Transcription.close, lambda t: t.recording.cancel()):
        transcription = client.realtime.transcribe(numbered_audio(0, 5), **RAW, **FAST)
        end(transcription)
        for use in (*list(USES.values())[:4], lambda t: t.recording.wait(WAIT)):
            assert isinstance(raised_by(lambda use=use, t=transcription: use(t)), AbortError)
    assert connections(sandbox) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_one_that_was_not_started_works_in_a_forked_child(client: SonioxClient) -> None:
    """A fork only invalidates what the parent had started."""
    transcription = client.realtime.transcribe(numbered_audio(0, 3), **RAW, **FAST)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - measured in the parent only
        try:
            os.write(writer, transcription.read(WAIT).final_text.encode())
        except BaseException as error:  # noqa: BLE001 - reported to the parent
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with open(reader, "rb") as file:
        os.close(writer)
        assert file.read().split() == [b"w0", b"w1", b"w2"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_one_that_was_started_fails_in_a_forked_child(client: SonioxClient) -> None:
    """There it raises at once and says what to do; the parent's goes on."""
    let_go = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield numbered_audio(0, 3)
        let_go.wait(WAIT)

    transcription = client.realtime.transcribe(chunks(), **RAW, **FAST).start()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - measured in the parent only
        try:
            transcription.read(WAIT)
        except BaseException as error:  # noqa: BLE001 - reported to the parent
            os.write(writer, f"{getattr(error, 'code', '')}: {error}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with open(reader, "rb") as file:
        os.close(writer)
        said = file.read().decode()
    assert said.startswith("forked: this recording was started before a fork")
    assert said.endswith("start a new one in the child")
    let_go.set()
    assert transcription.read(WAIT).final_text.split() == ["w0", "w1", "w2"]


# -- endpoint detection ---------------------------------------------------------------------------


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("given", [None, True, False])
def test_utterances_and_read_switch_endpoints_on(use: str, given: Optional[bool]) -> None:
    """Endpoint detection is on for `utterances()` and `read()`, unless the caller set it."""
    options = {} if given is None else {"enable_endpoint_detection": given}
    with SttService() as service:
        client = client_for(service.url)
        transcription = client.realtime.transcribe(bytes(6400), **RAW, **FAST, **options)
        USES[use](transcription)
        eventually(lambda: service.log)
        transcription.close()
    wanted = True if given is None and use in ("utterances", "read") else given
    assert service.log[0].get("enable_endpoint_detection") is wanted


def test_a_default_of_the_client_counts_as_set_by_the_caller() -> None:
    """Endpoint detection that the client's defaults switch off stays off."""
    with SttService() as service:
        off = {"enable_endpoint_detection": False}
        client = client_for(service.url, stt_defaults=off)
        client.realtime.transcribe(bytes(6400), **RAW, **FAST).read(WAIT)
        client.realtime.transcribe(bytes(6400), session_config={**RAW, **off}, **FAST).read(WAIT)
    starts = [each for each in service.log if isinstance(each, dict)]
    assert [each["enable_endpoint_detection"] for each in starts] == [False, False]


# -- consuming ------------------------------------------------------------------------------------


def test_utterances_of_a_transcription(client: SonioxClient) -> None:
    """A loop over utterances yields each once, the last one at the end, and stops everything."""
    transcription = client.realtime.transcribe(numbered_audio(0, 4, **PAUSING), **RAW, **FAST)
    utterances = list(transcription.utterances())
    assert [each.text.strip() for each in utterances] == ["w0", "w1", "w2", "w3"]
    assert [each.start_ms for each in utterances] == [0, 2700, 5400, 8100]
    assert transcription.recording.state == "stopped"
    transcript = transcription.transcript
    assert [each.text for each in transcript.utterances()] == [each.text for each in utterances]


def test_utterances_without_endpoints_end_at_pauses(client: SonioxClient) -> None:
    """With endpoint detection off the utterances are split at the pauses between them."""
    transcription = client.realtime.transcribe(
        numbered_audio(0, 4, **PAUSING), enable_endpoint_detection=False, **RAW, **FAST
    )
    texts = [each.text.strip() for each in transcription.utterances()]
    assert texts == ["w0", "w1", "w2", "w3"]
    assert len(transcription.transcript.utterances()) == 1


def test_utterances_survive_a_lost_connection(sandbox: Sandbox, client: SonioxClient) -> None:
    """A lost connection repeats no utterance and loses none."""
    sandbox.faults.drop(kind="stt", after_audio_ms=6500)
    transcription = client.realtime.transcribe(
        numbered_audio(0, 6, **PAUSING), reconnect_base_delay_sec=0.05, **RAW, **FAST
    )
    texts = [each.text.strip() for each in transcription.utterances()]
    assert texts == [f"w{n}" for n in range(6)]
    assert connections(sandbox) == 2


def test_leaving_a_loop_stops_everything(sandbox: Sandbox, client: SonioxClient) -> None:
    """After a `break` nothing runs, and `read()` raises AbortError."""
    transcription = client.realtime.transcribe(numbered_audio(0, 9, **PAUSING), **RAW)
    for utterance in transcription.utterances():
        assert utterance.text == "w0"
        break
    assert transcription.recording.state == "canceled"
    assert isinstance(raised_by(transcription.read), AbortError)


def test_read_returns_the_transcript_and_closes(client: SonioxClient) -> None:
    """`read()` transcribes to the end; its transcript contains the utterances."""
    transcription = client.realtime.transcribe(numbered_audio(0, 3, **PAUSING), **RAW, **FAST)
    transcript = transcription.read()
    assert transcript is transcription.transcript
    assert [each.text.strip() for each in transcript.utterances()] == ["w0", "w1", "w2"]
    assert transcription.recording.state == "stopped"
    assert transcription.read(0) is transcript


def test_read_that_times_out_stops_nothing(client: SonioxClient) -> None:
    """After a timeout the transcript contains what was received, and the transcription runs on."""
    go_on = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield numbered_audio(0, 10)
        go_on.wait(WAIT)

    transcription = client.realtime.transcribe(IterableSource(chunks()), **RAW)
    try:
        eventually(
            lambda: raised_by(lambda: transcription.read(0)) and transcription.transcript.text
        )
        assert isinstance(raised_by(lambda: transcription.read(0.05)), SonioxTimeoutError)
        assert transcription.transcript.text.startswith("w0")
        assert transcription.recording.state == "recording"
        go_on.set()
        assert transcription.read(WAIT).final_text.split() == [f"w{n}" for n in range(10)]
    finally:
        go_on.set()
        transcription.close()


def test_read_of_a_cancelled_one_raises_abort_error(client: SonioxClient) -> None:
    """However it is cancelled, a waiting `read()` ends at once with AbortError."""
    token = CancelToken()
    audio = numbered_audio(0, 100)
    ways: list[tuple[dict[str, Any], Callable[[Transcription], object]]] = [
        ({"cancel": token}, lambda t: token.cancel()),
        ({}, lambda t: t.recording.cancel()),
        ({}, lambda t: t.close()),
    ]
    for options, cancel in ways:
        transcription = client.realtime.transcribe(audio, pace=True, **RAW, **options)
        reading = Task(transcription.read)
        eventually(lambda t=transcription: t.recording.state == "recording")
        cancel(transcription)
        assert isinstance(raised_by(reading.result), AbortError)
        transcription.close()


def test_events_one_at_a_time(client: SonioxClient) -> None:
    """`next_event()` returns every event, then `None`."""
    transcription = client.realtime.transcribe(numbered_audio(0, 3), **RAW, **FAST)
    kinds, words = [], ""
    while (event := transcription.next_event(WAIT)) is not None:
        kinds.append(event.kind)
        words += event.final_text
    assert kinds[-1] == "finished" and words.split() == ["w0", "w1", "w2"]
    assert transcription.next_event(0) is None
    transcription.close()


def test_two_threads_start_it_once(client: SonioxClient) -> None:
    """Threads that use it at the same time share one start."""
    transcription = client.realtime.transcribe(numbered_audio(0, 3), **RAW, **FAST)
    tasks = [Task(lambda: transcription.read(WAIT).final_text) for _ in range(4)]
    assert {task.result() for task in tasks} == {"w0 w1 w2"}


# -- recordings -----------------------------------------------------------------------------------


def test_a_recording_has_them_too(client: SonioxClient) -> None:
    """Recordings have `utterances()`, `read()` and `next_event()`, which change no config."""
    for options, texts in (({"enable_endpoint_detection": True}, ["w0", "w1"]), ({}, ["w0", "w1"])):
        source = IterableSource([numbered_audio(0, 2, **PAUSING)])
        with client.realtime.record(source=source, **RAW, **options) as recording:
            assert [each.text.strip() for each in recording.utterances()] == texts
            assert recording.read(WAIT).final_text.split() == texts
            assert recording.next_event(0) is None
        assert len(recording.transcript.utterances()) == (2 if options else 1)


def test_leaving_a_loop_does_not_stop_a_recording(client: SonioxClient) -> None:
    """Leaving a loop over a recording's utterances does not stop the recording."""
    source = IterableSource([numbered_audio(0, 3, **PAUSING)])
    with client.realtime.record(source=source, enable_endpoint_detection=True, **RAW) as recording:
        for utterance in recording.utterances():
            assert utterance.text == "w0"
            break
        assert [each.text.strip() for each in recording.utterances()] == ["w1", "w2"]


def test_a_data_handler_of_the_recording_excludes_them(client: SonioxClient) -> None:
    """With a `result` handler on the recording, pulling raises StateError and stops nothing."""
    for use in list(USES.values())[:4]:
        transcription = client.realtime.transcribe(numbered_audio(0, 2), **RAW, **FAST)
        words: list[str] = []
        over = threading.Event()
        transcription.recording.on("result", lambda result, w=words: w.append(result.final_text))
        transcription.recording.on("finished", over.set)
        assert isinstance(raised_by(lambda use=use, t=transcription: use(t)), StateError)
        transcription.start()
        assert over.wait(WAIT)
        assert "".join(words).split() == ["w0", "w1"]
        transcription.close()
