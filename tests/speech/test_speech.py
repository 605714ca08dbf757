"""`client.realtime.speak()`: one continuous audio of any text, against the sandbox."""

from __future__ import annotations

import gc
import io
import os
import random
import threading
import time
import wave
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from letters import client_of, collapsed, heard, read_letters, sounding
from virtual import mixed_text

from soniox_sync import (
    BadRequestError,
    ConfigurationError,
    RealtimeError,
    SonioxClient,
    SonioxConnectionError,
    SonioxTimeoutError,
    Speech,
)
from soniox_sync.sandbox import Sandbox

WAIT = 20.0
LONG = "This is a sentence of about sixty characters, more or less. " * 40  # three streams


def streams_of(sandbox: Sandbox) -> int:
    """Count the streams a sandbox ever saw."""
    return int(sandbox.log.totals["tts.streams"])


def tokens(text: str, size: int = 4) -> Iterator[str]:
    """Give a text in pieces, as a language model does."""
    for at in range(0, len(text), size):
        yield text[at : at + size]


# -- the audio -----------------------------------------------------------------------------------


def test_a_text_is_spoken(client: SonioxClient) -> None:
    """A short text comes back as its audio, and nothing else."""
    speech = client.realtime.speak("Hello there. How are you?")
    assert isinstance(speech, Speech)
    assert heard(b"".join(speech)) == collapsed("Hello there. How are you?")
    assert speech.spoken_text == "Hello there. How are you?"


def test_a_token_stream_is_spoken(client: SonioxClient, sandbox: Sandbox) -> None:
    """An iterable of tokens is spoken whole, over as few streams as its length needs."""
    speech = client.realtime.speak(tokens(LONG))
    assert heard(speech.read(WAIT)) == collapsed(LONG)
    assert 2 <= streams_of(sandbox) <= 4
    assert sandbox.log.totals["tts.connections"] == 1


def test_a_wav_of_several_streams_has_one_header(client: SonioxClient, sandbox: Sandbox) -> None:
    """A WAV saved from several streams has one header with the true length."""
    file = io.BytesIO()
    speech = client.realtime.speak(LONG, audio_format="wav")
    size = speech.save(file)
    assert streams_of(sandbox) > 1
    assert size == len(file.getvalue())
    assert file.getvalue().count(b"RIFF") == 1
    file.seek(0)
    with wave.open(file) as reader:
        assert reader.getframerate() == 8000
        samples = reader.readframes(reader.getnframes())
    assert heard(samples) == collapsed(LONG)


def test_a_path_is_written_whole(client: SonioxClient, tmp_path: Any) -> None:
    """`save()` under a path leaves a file that any program opens."""
    client.realtime.speak("Hello there.", audio_format="wav").save(tmp_path / "x.wav")
    with wave.open(str(tmp_path / "x.wav")) as reader:
        assert heard(reader.readframes(reader.getnframes())) == "Hellothere."


def test_timestamps_run_on_over_streams(client: SonioxClient, sandbox: Sandbox) -> None:
    """Character times count from the beginning of the speech and fit its audio."""
    characters: list[str] = []
    starts: list[float] = []
    audio = bytearray()
    ends = []
    for chunk in client.realtime.speak(LONG, timestamps=True).events():
        audio += chunk.audio
        ends.append(chunk.audio_end)
        if chunk.timestamps is not None:
            characters += chunk.timestamps["characters"]
            starts += chunk.timestamps["character_start_times_seconds"]
    assert streams_of(sandbox) > 1
    assert collapsed("".join(characters)) == collapsed(LONG)
    assert starts == sorted(starts)
    assert ends == [False] * (len(ends) - 1) + [True]
    middle = next(i for i in range(len(characters) // 2, len(characters)) if characters[i] == "x")
    sample = int(starts[middle] * 8000) + 100
    assert heard(bytes(audio[2 * sample : 2 * sample + 200])) == "x"


def test_chunks_hold_whole_samples(client: SonioxClient) -> None:
    """No chunk ends inside a sample, whatever the format."""
    for audio_format, size in (("pcm_s16le", 2), ("pcm_f32le", 4)):
        speech = client.realtime.speak("Hello there.", audio_format=audio_format)
        lengths = [len(chunk) for chunk in speech]
        assert lengths
        assert all(length % size == 0 for length in lengths)


@pytest.mark.parametrize("audio_format", ["mp3", "opus"])
def test_compressed_speech_of_several_streams_is_one_file(
    client: SonioxClient, sandbox: Sandbox, audio_format: str, tmp_path: Any
) -> None:
    """Long speech in mp3 and opus is read by another library as one, as long as all of it."""
    soundfile = pytest.importorskip("soundfile")
    raw = client.realtime.speak(LONG, audio_format="pcm_s16le", sample_rate=24000).read(WAIT)
    before = streams_of(sandbox)
    speech = client.realtime.speak(LONG, audio_format=audio_format, sample_rate=24000)
    target = tmp_path / f"speech.{audio_format}"
    speech.save(target)
    assert streams_of(sandbox) - before > 1
    with soundfile.SoundFile(target) as file:
        seconds = len(file.buffer_read(dtype="int16")) / 2 / file.samplerate
    assert seconds == pytest.approx(len(raw) / 48000, rel=0.02)


def test_flac_takes_one_stream_only(client: SonioxClient) -> None:
    """A text too long for one stream is refused as FLAC, with advice, before any audio."""
    speech = client.realtime.speak(LONG, audio_format="flac", sample_rate=16000)
    with pytest.raises(ConfigurationError, match="cannot be joined: choose wav"):
        speech.read(WAIT)
    assert speech.metrics.audio_bytes == 0


def test_text_without_anything_to_say_gives_no_audio(client: SonioxClient) -> None:
    """Empty text, white space and marks end at once, without audio and without an error."""
    for text in ("", "  \n ", "...", iter(())):
        assert client.realtime.speak(text).read(WAIT) == b""


def test_metrics_tell_what_was_handed_out(client: SonioxClient) -> None:
    """The metrics hold bytes, seconds, the first audio's delay and the whole time."""
    speech = client.realtime.speak("Hello there.")
    audio = speech.read(WAIT)
    metrics = speech.metrics
    assert metrics.audio_bytes == len(audio)
    assert metrics.audio_sec == pytest.approx(len(audio) / 16000)
    assert metrics.time_to_first_audio_sec is not None
    assert metrics.wall_sec is not None
    assert 0 <= metrics.time_to_first_audio_sec <= metrics.wall_sec


# -- the writer ----------------------------------------------------------------------------------


def test_no_stream_of_a_stalling_writer_is_killed(make_sandbox: Callable[..., Sandbox]) -> None:
    """With all kill timers on (scaled to a fifth) a stalling writer is spoken exactly."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    text = mixed_text(rng, 3000)
    stalls = sorted(rng.sample(range(len(text)), 5))
    pause = threading.Event()

    def writer() -> Iterator[str]:
        at = 0
        for stall in (*stalls, len(text)):
            yield from tokens(text[at:stall], rng.choice((1, 5, 40)))
            at = stall
            pause.wait(rng.uniform(0.0, 1.5))

    sandbox = make_sandbox(time_scale=0.2)
    speech = client_of(sandbox).realtime.speak(writer(), max_quiet_sec=0.5)
    assert sounding(heard(speech.read(60))) == sounding(text)
    killed = [e for e in sandbox.log.entries() if e.message and "error_code" in e.message]
    assert killed == []


def test_a_sentence_sounds_while_the_writer_thinks(client: SonioxClient) -> None:
    """The audio of a complete sentence arrives although the iterable blocks behind it."""
    go_on = threading.Event()

    def writer() -> Iterator[str]:
        yield "Hello there. "
        assert go_on.wait(WAIT)
        yield "Bye."

    speech = iter(client.realtime.speak(writer(), max_quiet_sec=0.2))
    audio = b""
    while heard(audio) != "Hellothere.":
        audio += next(speech)
    go_on.set()
    assert heard(audio + b"".join(speech)) == "Hellothere.Bye."


def test_an_exception_of_the_iterable_comes_after_the_audio_before_it(client: SonioxClient) -> None:
    """What the iterable raises is raised in the loop, as it is, after the text before was heard."""
    problem = KeyError("no more tokens")

    def writer() -> Iterator[str]:
        yield "Hello there. And"
        raise problem

    audio = b""
    with pytest.raises(KeyError) as caught:
        for chunk in client.realtime.speak(writer()):
            audio += chunk
    assert caught.value is problem
    assert heard(audio) == "Hellothere.And"


def test_what_is_no_text_is_refused(client: SonioxClient) -> None:
    """Bytes, numbers and dicts are refused at once, other items of an iterable in the loop."""
    for wrong in (b"Hello", 7, {"a": 1}, None):
        with pytest.raises(ConfigurationError, match="expected str"):
            client.realtime.speak(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="surrogate"):
        client.realtime.speak("half \ud83d")
    items: Any = ["Hello. ", b"bytes"]
    speech = client.realtime.speak(iter(items))
    with pytest.raises(ConfigurationError, match="expected str, not bytes"):
        speech.read(WAIT)


def test_a_wrong_configuration_is_told_at_the_call(client: SonioxClient) -> None:
    """Missing and illegal fields raise before anything is opened."""
    bare = SonioxClient(api_key="k")
    with pytest.raises(ConfigurationError, match="voice"):
        bare.realtime.speak("Hello.")
    with pytest.raises(ConfigurationError, match="speed"):
        client.realtime.speak("Hello.", speed=3.0)
    with pytest.raises(ConfigurationError, match="max_quiet_sec"):
        client.realtime.speak("Hello.", max_quiet_sec=6.0)


def test_a_writer_without_end_is_made_to_wait(client: SonioxClient) -> None:
    """An endless iterable is read only some way ahead of what is heard."""
    count = 0

    def writer() -> Iterator[str]:
        nonlocal count
        while True:
            count += 1
            yield "Again and again and again. "

    with client.realtime.speak(writer()) as speech:
        audio = iter(speech)
        for _ in range(20):
            next(audio)
        assert count < 2000


# -- leaving -------------------------------------------------------------------------------------


class Endless:
    """Is a writer that tells when and in which thread it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.closed_by = ""

    def __iter__(self) -> Iterator[str]:
        try:
            while True:
                yield "Again and again. "
        finally:
            self.closed_by = threading.current_thread().name
            self.closed.set()


def test_leaving_the_loop_closes_the_iterable_in_its_own_thread(client: SonioxClient) -> None:
    """After `break` the generator that gave the text is closed, by the thread that ran it."""
    writer = Endless()
    for _ in client.realtime.speak(writer):
        break
    assert writer.closed.wait(WAIT)
    assert writer.closed_by.endswith("-text")


def test_cancel_silences_at_once(make_sandbox: Callable[..., Sandbox]) -> None:
    """`cancel()` from another thread ends the iteration, and the server stops speaking."""
    sandbox = make_sandbox(tts_pace=5.0)
    writer = Endless()
    speech = client_of(sandbox).realtime.speak(writer)
    first = threading.Event()
    chunks: list[bytes] = []

    def listen() -> None:
        for chunk in speech:
            chunks.append(chunk)
            first.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert first.wait(WAIT)
    speech.cancel()
    listener.join(WAIT)
    assert not listener.is_alive()
    assert writer.closed.wait(WAIT)
    assert list(speech) == []
    speech.cancel()
    speech.close()


def test_spoken_text_tells_what_was_handed_out(client: SonioxClient) -> None:
    """With timestamps `spoken_text` is exact to the character, without them to about a word."""
    text = "One two three four five six seven eight nine ten. " * 4
    for timestamps in (True, False):
        speech = client.realtime.speak(text, timestamps=timestamps)
        audio = b""
        stream = iter(speech)
        while len(audio) < 8000 * 2 * 4:
            audio += next(stream)
        said = speech.spoken_text
        assert text.startswith(said)
        if timestamps:
            assert collapsed(said) == heard(audio)
        else:
            assert 20 < len(said) < 120
        speech.close()


def test_close_is_idempotent_and_legal_before_any_audio(client: SonioxClient) -> None:
    """A speech may be closed at once, twice, and in a `with` block that never iterates."""
    with client.realtime.speak(LONG) as speech:
        speech.close()
    speech.close()
    assert speech.read() == b""


def test_a_dropped_speech_ends_its_thread(client: SonioxClient) -> None:
    """A speech that nobody holds any more stops by itself."""
    speech = client.realtime.speak(LONG)
    name = speech._engine.name
    del speech
    gc.collect()
    deadline = time.monotonic() + WAIT
    pause = threading.Event()
    while any(thread.name.startswith(name) for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        pause.wait(0.01)


def test_a_read_that_times_out_loses_nothing(make_sandbox: Callable[..., Sandbox]) -> None:
    """What `read()` had when its time was over comes with the next call."""
    sandbox = make_sandbox(tts_pace=10.0)
    speech = client_of(sandbox).realtime.speak("One sentence that takes a while to say, at last.")
    with pytest.raises(SonioxTimeoutError):
        speech.read(0.05)
    expected = collapsed("One sentence that takes a while to say, at last.")
    assert heard(speech.read(WAIT)) == expected


def test_cancel_while_connecting_ends_at_once() -> None:
    """A speech whose connection does not come up can be cancelled and closed."""
    with Sandbox(engines="tones") as sandbox:
        sandbox.faults.hang(kind="tts", times=None)
        speech = sandbox.client().realtime.speak("Hello.", voice="Adrian")
        with pytest.raises(SonioxTimeoutError):
            speech.read(0.05)
        speech.cancel()
        assert speech.read(WAIT) == b""
        speech.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_speech_belongs_to_the_process_that_began_it(client: SonioxClient) -> None:
    """In a forked child a speech raises at once; the parent's goes on."""
    speech = client.realtime.speak(LONG)
    audio = iter(speech)
    first = next(audio)
    child = os.fork()
    if child == 0:
        try:
            speech.read(WAIT)
        except SonioxConnectionError as error:
            os._exit(0 if error.code == "forked" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert heard(first + b"".join(audio)) == collapsed(LONG)


def test_a_blocked_iterable_holds_up_nobody(client: SonioxClient) -> None:
    """Cancelling while the iterable blocks ends the loop; the iterable is closed later."""
    let_go, closed = threading.Event(), threading.Event()

    def writer() -> Iterator[str]:
        try:
            yield "Hello there. "
            let_go.wait(WAIT)
            yield "Never heard. "
        finally:
            closed.set()

    speech = client.realtime.speak(writer())
    next(iter(speech))
    speech.close()
    assert speech.read(WAIT) == b""
    assert not closed.is_set()
    let_go.set()
    assert closed.wait(WAIT)


# -- failures ------------------------------------------------------------------------------------


def test_a_stream_that_failed_before_its_audio_is_spoken_again(sandbox: Sandbox) -> None:
    """A connection lost before the first audio is replaced unseen; nothing is missing or double."""
    sandbox.faults.drop(kind="tts", after_frames_in=2)
    client = client_of(sandbox)
    text = "Hello there. How are you? " * 3
    sandbox.faults.delay(0.3, kind="tts")  # so that the line is lost before any audio is there
    assert heard(client.realtime.speak(text).read(WAIT)) == collapsed(text)
    assert sandbox.log.totals["tts.connections"] == 2


def test_a_connection_lost_between_streams_is_replaced_unseen(sandbox: Sandbox) -> None:
    """While the writer is silent the connection goes away; the next sentence gets a new one."""
    lost = sandbox.faults.close(kind="tts", after_sec=0.6)

    def writer() -> Iterator[str]:
        yield "Hello there. "
        assert lost.fired.wait(WAIT)
        yield "Bye."

    speech = client_of(sandbox).realtime.speak(writer(), max_quiet_sec=0.1)
    assert heard(speech.read(WAIT)) == "Hellothere.Bye."
    assert sandbox.log.totals["tts.connections"] == 2


def test_a_speech_with_timestamps_goes_on_where_it_was_cut(sandbox: Sandbox) -> None:
    """Streams cut in the middle of their audio go on at the first character not yet spoken."""
    for number, at in enumerate((1500, 700, 3000)):
        sandbox.faults.drop(kind="tts", after_audio_ms=at, skip=number)
    speech = client_of(sandbox).realtime.speak(LONG, timestamps=True)
    audio = speech.read(WAIT)
    assert heard(audio) == collapsed(LONG)
    assert sandbox.log.totals["tts.connections"] == 4
    partial = [count for _, count in read_letters(audio) if count < 519]
    assert len(partial) <= 3
    assert speech.spoken_text == LONG


def test_a_speech_without_timestamps_raises_what_was_heard(sandbox: Sandbox) -> None:
    """A stream cut in the middle of its audio raises, with the milliseconds handed out."""
    sandbox.faults.drop(kind="tts", after_audio_ms=1500)
    audio = b""
    with pytest.raises(SonioxConnectionError) as caught:
        for chunk in client_of(sandbox).realtime.speak(LONG):
            audio += chunk
    assert caught.value.audio_ms == len(audio) // 16
    assert collapsed(LONG).startswith(heard(audio))


def test_a_refusal_comes_at_once_and_is_not_repeated(sandbox: Sandbox) -> None:
    """A request the service will never accept raises its error after one attempt."""
    speech = client_of(sandbox).realtime.speak("Hello.", voice="Nobody-of-that-name")
    with pytest.raises(BadRequestError) as caught:
        speech.read(WAIT)
    assert caught.value.audio_ms == 0
    assert streams_of(sandbox) <= 1
    assert sandbox.log.totals["tts.connections"] == 1


def test_an_error_of_the_next_stream_waits_for_the_audio_before_it(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """A stream prepared ahead fails for good: what came before it is heard to its end."""
    sandbox = make_sandbox(tts_max_text_bytes=500)  # the service became stricter than we know
    audio = b""
    quiet = threading.Event()

    def writer() -> Iterator[str]:
        yield "Hello there. "
        quiet.wait(0.5)  # for longer than max_quiet_sec
        yield LONG

    with pytest.raises(BadRequestError):
        for chunk in client_of(sandbox).realtime.speak(writer(), max_quiet_sec=0.1):
            audio += chunk
    assert heard(audio).startswith("Hellothere.")


def test_the_accounts_limit_of_streams_is_waited_for(make_sandbox: Callable[..., Sandbox]) -> None:
    """With one stream allowed at a time the next one is tried again until there is room."""
    sandbox = make_sandbox(tts_max_streams=1, tts_pace=100.0)
    assert heard(client_of(sandbox).realtime.speak(LONG).read(WAIT)) == collapsed(LONG)
    assert sandbox.log.peaks["tts.streams"] == 1


def test_a_stream_that_reached_two_minutes_goes_on_with_timestamps(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """A voice slower than foreseen hits the limit of audio; another stream says the rest."""
    sandbox = make_sandbox(tts_max_audio_sec=5.0)
    text = LONG[:600]
    speech = client_of(sandbox).realtime.speak(text, timestamps=True)
    assert heard(speech.read(WAIT)) == collapsed(text)


def test_audio_before_a_limit_waits_for_a_late_listener(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """Audio that came before the limit of two minutes is kept: another stream goes on from it."""
    sandbox = make_sandbox(tts_max_audio_sec=5.0)
    text = LONG[:600]
    speech = client_of(sandbox).realtime.speak(text, timestamps=True)
    assert sandbox.log.wait_for(refused(413), timeout_sec=WAIT)
    assert heard(speech.read(WAIT)) == collapsed(text)


@pytest.mark.parametrize(
    ("error_type", "code"), [("max_audio_duration_reached", 413), ("invalid_request", 400)]
)
def test_audio_before_an_error_is_heard_by_a_late_listener(
    sandbox: Sandbox, error_type: str, code: int
) -> None:
    """An error that another stream cannot mend comes after the audio before it, however late."""
    sandbox.faults.error_frame(error_type, kind="tts", after_audio_ms=1500)
    speech = client_of(sandbox).realtime.speak(LONG)
    assert sandbox.log.wait_for(refused(code), timeout_sec=WAIT)
    audio = b""
    with pytest.raises(RealtimeError) as caught:
        for chunk in speech:
            audio += chunk
    assert caught.value.status_code == code
    assert caught.value.audio_ms == len(audio) // 16 > 0
    assert collapsed(LONG).startswith(heard(audio))


def refused(code: int) -> Callable[[Any], bool]:
    """Make a test for the log entry of an error frame that went out."""
    return lambda entry: (entry.message or {}).get("error_code") == code


def test_a_server_that_never_answers_is_given_up(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that owes audio and is silent for too long is replaced by another."""
    from soniox_sync.speech import opening
    from soniox_sync.speech.planner import SpeechLimits

    monkeypatch.setattr(opening, "quiet_limits", lambda _: SpeechLimits(stall_sec=0.2))
    sandbox.faults.stall(kind="tts")
    assert heard(client_of(sandbox).realtime.speak("Hello.").read(WAIT)) == "Hello."
    assert sandbox.log.totals["tts.connections"] == 2
