"""`client.realtime.speak()` turns any text into continuous audio, against the sandbox."""

from __future__ import annotations

import gc
import io
import os
import random
import threading
import time
import wave
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from soniox_sync import (
    AbortError,
    ConfigurationError,
    SonioxClient,
    SonioxConnectionError,
    SonioxTimeoutError,
    Speech,
    StateError,
)
from soniox_sync.sandbox import Sandbox
from tests.realtime.speech.letters import LONG, audible, client_of, collapsed, spoken_in, streams_of
from tests.realtime.speech.virtual import mixed_text

WAIT = 20.0


def tokens(text: str, size: int = 4) -> Iterator[str]:
    """Yield a text in pieces, as a language model does."""
    for at in range(0, len(text), size):
        yield text[at : at + size]


# -- the audio -----------------------------------------------------------------------------------


def test_a_text_is_spoken(client: SonioxClient) -> None:
    """A short text becomes its audio, and nothing else."""
    speech = client.realtime.speak("Hello there. How are you?")
    assert isinstance(speech, Speech)
    assert spoken_in(b"".join(speech)) == collapsed("Hello there. How are you?")
    assert speech.spoken_text == "Hello there. How are you?"


def test_a_token_stream_is_spoken(client: SonioxClient, sandbox: Sandbox) -> None:
    """An iterable of tokens is spoken completely, with as few streams as possible."""
    speech = client.realtime.speak(tokens(LONG))
    assert spoken_in(speech.read(WAIT)) == collapsed(LONG)
    assert 2 <= streams_of(sandbox) <= 4
    assert sandbox.log.totals["tts.connections"] == 1


def test_a_wav_of_several_streams_has_one_header(client: SonioxClient, sandbox: Sandbox) -> None:
    """A WAV saved from several streams has one header with the correct length."""
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
    assert spoken_in(samples) == collapsed(LONG)


def test_save_leaves_a_complete_file(client: SonioxClient, tmp_path: Any) -> None:
    """`save()` with a path leaves a complete file."""
    client.realtime.speak("Hello there.", audio_format="wav").save(tmp_path / "x.wav")
    with wave.open(str(tmp_path / "x.wav")) as reader:
        assert spoken_in(reader.readframes(reader.getnframes())) == "Hellothere."


def test_timestamps_continue_over_streams(client: SonioxClient, sandbox: Sandbox) -> None:
    """Character times count from the start of the speech and match its audio."""
    characters: list[str] = []
    starts: list[float] = []
    audio = bytearray()
    ends = []
    for chunk in client.realtime.speak(LONG, timestamps=True).events():
        audio += chunk.audio
        ends.append(chunk.audio_end)
        if chunk.timestamps is not None:
            characters += chunk.timestamps.characters
            starts += chunk.timestamps.character_start_times_seconds
    assert streams_of(sandbox) > 1
    assert collapsed("".join(characters)) == collapsed(LONG)
    assert starts == sorted(starts)
    assert ends == [False] * (len(ends) - 1) + [True]
    middle = next(i for i in range(len(characters) // 2, len(characters)) if characters[i] == "x")
    sample = int(starts[middle] * 8000) + 100
    assert spoken_in(bytes(audio[2 * sample : 2 * sample + 200])) == "x"


def test_chunks_contain_whole_samples(client: SonioxClient) -> None:
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
    """Long speech in mp3 and opus is decoded by another library as one file of full length."""
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


def test_flac_uses_one_stream_only(client: SonioxClient) -> None:
    """A text too long for one stream is refused as FLAC, with advice, before any audio."""
    speech = client.realtime.speak(LONG, audio_format="flac", sample_rate=16000)
    with pytest.raises(ConfigurationError, match="cannot be joined: choose wav"):
        speech.read(WAIT)
    assert speech.metrics.audio_bytes == 0


@pytest.mark.parametrize(
    ("tokens", "spoken"),
    [
        (["Fun \ud83d", "\ude00 times."], "Fun \U0001f600 times."),
        (["Fun \ud83d", None, "", "\ude00."], "Fun \U0001f600."),
        (["Fun \ud83d", " times."], "Fun \ufffd times."),
        (["Fun \ude00 times."], "Fun \ufffd times."),
        (["Fun times \ud83d"], "Fun times \ufffd"),
        ([None, "Fun", None], "Fun"),
    ],
)
def test_characters_that_were_cut_in_two_are_whole(
    tokens: list[Optional[str]], spoken: str
) -> None:
    """Halves of surrogate pairs are joined, a lone half is replaced, and `None` is skipped."""
    with Sandbox(engines="tones") as sandbox:
        speech = sandbox.client().realtime.speak(tokens, voice="Adrian", audio_format="pcm_s16le")
        assert speech.read()
        assert speech.spoken_text == spoken


def test_text_without_words_can_be_saved_as_a_wav(client: SonioxClient, tmp_path: Any) -> None:
    """A WAV without samples is valid; a compressed format without audio is not, and is refused."""
    path = tmp_path / "nothing.wav"
    client.realtime.speak(" ... ", voice="Adrian", audio_format="wav").save(path)
    with wave.open(str(path)) as reader:
        assert reader.getnframes() == 0
    with pytest.raises(StateError, match="no words"):
        speech = client.realtime.speak("", voice="Adrian", audio_format="mp3", sample_rate=24000)
        speech.save(tmp_path / "a.mp3")
    assert [each.name for each in tmp_path.iterdir()] == ["nothing.wav"]


def test_text_without_words_produces_no_audio(client: SonioxClient) -> None:
    """Empty text, spaces and punctuation end at once, without audio and without an error."""
    for text in ("", "  \n ", "...", iter(())):
        assert client.realtime.speak(text).read(WAIT) == b""


def test_metrics_measure_the_delivered_audio(client: SonioxClient) -> None:
    """The metrics are bytes, seconds, the delay of the first audio and the total time."""
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
    """With all kill timers on (scaled to a fifth) a stalling writer's text is spoken exactly."""
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
    assert audible(spoken_in(speech.read(60))) == audible(text)
    killed = [e for e in sandbox.log.entries() if e.message and "error_code" in e.message]
    assert killed == []


def test_a_sentence_is_spoken_while_the_writer_is_silent(client: SonioxClient) -> None:
    """The audio of a complete sentence arrives although the iterable blocks after it."""
    go_on = threading.Event()

    def writer() -> Iterator[str]:
        yield "Hello there. "
        assert go_on.wait(WAIT)
        yield "Bye."

    speech = iter(client.realtime.speak(writer(), max_quiet_sec=0.2))
    audio = b""
    while spoken_in(audio) != "Hellothere.":
        audio += next(speech)
    go_on.set()
    assert spoken_in(audio + b"".join(speech)) == "Hellothere.Bye."


def test_an_exception_of_the_iterable_follows_its_audio(client: SonioxClient) -> None:
    """What the iterable raises is raised in the loop, unchanged, after the audio before it."""
    problem = KeyError("no more tokens")

    def writer() -> Iterator[str]:
        yield "Hello there. And"
        raise problem

    audio = b""
    with pytest.raises(KeyError) as caught:
        for chunk in client.realtime.speak(writer()):
            audio += chunk
    assert caught.value is problem
    assert spoken_in(audio) == "Hellothere.And"


def test_what_is_not_text_is_refused(client: SonioxClient) -> None:
    """Bytes, numbers and dicts are refused at once, other items of an iterable in the loop."""
    for wrong in (b"Hello", 7, {"a": 1}, None):
        with pytest.raises(ConfigurationError, match="expected a str"):
            client.realtime.speak(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="surrogate"):
        client.realtime.speak("half \ud83d")
    items: Any = ["Hello. ", b"bytes"]
    speech = client.realtime.speak(iter(items))
    with pytest.raises(ConfigurationError, match="expected a str, got bytes"):
        speech.read(WAIT)


def test_a_wrong_configuration_raises_at_the_call(client: SonioxClient) -> None:
    """Missing and illegal fields raise before anything is opened."""
    bare = SonioxClient(api_key="k")
    with pytest.raises(ConfigurationError, match="voice"):
        bare.realtime.speak("Hello.")
    with pytest.raises(ConfigurationError, match="speed"):
        client.realtime.speak("Hello.", speed=3.0)
    with pytest.raises(ConfigurationError, match="max_quiet_sec"):
        client.realtime.speak("Hello.", max_quiet_sec=6.0)


def test_an_endless_writer_is_held_back(client: SonioxClient) -> None:
    """An endless iterable is read only a limited way ahead of the audio."""
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
    """Writer that records when and on which thread it was closed."""

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


def test_leaving_the_loop_closes_the_iterable_on_its_own_thread(client: SonioxClient) -> None:
    """After `break` the text generator is closed, by the thread that ran it."""
    writer = Endless()
    for _ in client.realtime.speak(writer):
        break
    assert writer.closed.wait(WAIT)
    assert writer.closed_by.endswith("-text")


def test_cancel_stops_at_once(make_sandbox: Callable[..., Sandbox]) -> None:
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


def test_spoken_text_matches_the_delivered_audio(client: SonioxClient) -> None:
    """With timestamps `spoken_text` is exact to the character, without them to about a word."""
    text = "One two three four five six seven eight nine ten. " * 4
    for timestamps in (True, False):
        speech = client.realtime.speak(text, timestamps=timestamps)
        audio = b""
        stream = iter(speech)
        while len(audio) < 8000 * 2 * 4:
            audio += next(stream)
        spoken_text = speech.spoken_text
        assert text.startswith(spoken_text)
        if timestamps:
            assert collapsed(spoken_text) == spoken_in(audio)
        else:
            assert 20 < len(spoken_text) < 120
        speech.close()


def test_close_is_idempotent_and_legal_before_any_audio(client: SonioxClient) -> None:
    """A speech may be closed at once, twice, and after a `with` block without iteration."""
    with client.realtime.speak(LONG) as speech:
        speech.close()
    speech.close()
    assert list(speech) == []
    with pytest.raises(AbortError):
        speech.read()


def test_a_dropped_speech_ends_its_thread(client: SonioxClient) -> None:
    """A speech without references ends its thread."""
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
    """Audio that `read()` had when it timed out is returned by the next call."""
    sandbox = make_sandbox(tts_pace=10.0)
    speech = client_of(sandbox).realtime.speak("One sentence that takes a while to say, at last.")
    with pytest.raises(SonioxTimeoutError, match=r"the audio did not arrive within 0\.05 s: wait"):
        speech.read(0.05)
    expected = collapsed("One sentence that takes a while to say, at last.")
    assert spoken_in(speech.read(WAIT)) == expected


def test_cancel_while_connecting_ends_at_once() -> None:
    """A speech that is still connecting can be cancelled and closed."""
    with Sandbox(engines="tones") as sandbox:
        sandbox.faults.hang(kind="tts", times=None)
        speech = sandbox.client().realtime.speak("Hello.", voice="Adrian")
        with pytest.raises(SonioxTimeoutError):
            speech.read(0.05)
        speech.cancel()
        with pytest.raises(AbortError):
            speech.read(WAIT)
        speech.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_speech_belongs_to_its_process(client: SonioxClient) -> None:
    """In a forked child a speech raises at once; the parent's continues."""
    speech = client.realtime.speak(LONG)
    audio = iter(speech)
    first = next(audio)
    child = os.fork()
    if child == 0:
        try:
            speech.read(WAIT)
        except SonioxConnectionError as error:
            advised = str(error).endswith("start a new one in the child")
            os._exit(0 if error.code == "forked" and advised else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert spoken_in(first + b"".join(audio)) == collapsed(LONG)


def test_close_in_a_forked_child_waits_for_no_thread(
    client: SonioxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Python did not see the fork, and takes the parent's thread for alive."""
    speech = client.realtime.speak(iter(["Hello there. "] * 50))
    next(iter(speech))
    engine = speech._engine
    joined: list[float] = []
    with monkeypatch.context() as child:
        child.setattr(engine, "pid", -1)
        child.setattr(engine._thread, "join", joined.append)
        speech.close()
    assert not joined
    engine._thread.join(WAIT)
    speech.close()


def test_a_blocked_iterable_does_not_block_cancel(client: SonioxClient) -> None:
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
    with pytest.raises(AbortError):
        speech.read(WAIT)
    assert not closed.is_set()
    let_go.set()
    assert closed.wait(WAIT)
