"""Scripted callers: what they say is recognised, what is played to them is heard."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from soniox_sync import SonioxConnectionError, SonioxTimeoutError, StateError
from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sandbox import Caller, Key, Line, Quiet, Sandbox
from soniox_sync.sandbox.caller import dialogue
from soniox_sync.sources import AudioSourceHandlers
from tests.waiting import WAIT, Task, eventually

pytest.importorskip("espeakng_loader", reason="a caller speaks with espeak-ng")

# a call of ten seconds takes one
FAST = 10.0


class Call:
    """The other side of a caller: audio that came, and how the call ended."""

    def __init__(self, caller: Caller) -> None:
        self.audio = bytearray()
        self._ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
        caller.start(
            AudioSourceHandlers(
                self.audio.extend, self._ends.put, on_end=lambda: self._ends.put(None)
            )
        )

    def end(self) -> Any:
        """Wait for the end; return its error, `None` for a hang-up."""
        return self._ends.get(timeout=WAIT)


def speech_of(sandbox: Sandbox, text: str) -> bytes:
    """Return the agent's speech."""
    speech = sandbox.client().realtime.speak(
        text, voice="Nina", audio_format="pcm_s16le", sample_rate=16000
    )
    return speech.read()


def end_ms_of(sandbox: Sandbox, text: str, beginning: str) -> float:
    """Return where the beginning of a text ends in the agent's speech."""
    speech = sandbox.client().realtime.speak(
        text, voice="Nina", audio_format="pcm_s16le", sample_rate=16000, timestamps=True
    )
    stamps = [chunk.timestamps for chunk in speech.events() if chunk.timestamps is not None]
    ends = [end for each in stamps for end in each.character_end_times_seconds]
    return ends[len(beginning) - 1] * 1000


def test_what_the_caller_says_is_recognised(
    soniox_sandbox: Sandbox, soniox_caller: Callable[..., Caller]
) -> None:
    """Its lines are speech to the sandbox, each an utterance of its own."""
    lines = ["How do the tides work?", Line("Good bye.", at_sec=8), Quiet(3)]
    caller = soniox_caller(lines, speed=FAST)
    assert (caller.is_live, caller.echo_free) == (True, True)
    transcription = soniox_sandbox.client().realtime.transcribe(
        caller, enable_endpoint_detection=True, catch_up_speed=None
    )
    ends = [event for event in transcription if event.kind == "endpoint"]
    assert transcription.transcript.final_text.strip() == "How do the tides work? Good bye."
    assert caller.said == ("How do the tides work?", "Good bye.")
    assert len(ends) >= 1
    assert caller.heard == ""


def test_what_is_played_to_the_caller_is_heard(soniox_sandbox: Sandbox) -> None:
    """All of it, in its own words, once it was played."""
    caller = soniox_sandbox.caller([], speed=FAST)
    assert (caller.audio_format, caller.sample_rate) == ("pcm_s16le", 16000)
    audio = speech_of(soniox_sandbox, "The moon pulls the water. It rises.")
    caller.write(audio)
    assert (caller.heard, caller.played_ms) == ("", 0)
    call = Call(caller)
    assert call.end() is None
    assert caller.heard == "The moon pulls the water. It rises."
    assert caller.played_ms == len(audio) / 32
    with pytest.raises(SonioxConnectionError, match="hung up"):
        caller.write(audio)


def test_the_last_word_is_heard_before_anything_else_is_said(soniox_sandbox: Sandbox) -> None:
    """While the call goes on in silence."""
    caller = soniox_sandbox.caller([Quiet(600)], speed=FAST)
    caller.write(speech_of(soniox_sandbox, "It is so."))
    Call(caller)
    eventually(lambda: caller.heard == "It is so.")
    caller.stop()


def test_what_is_cleared_is_not_heard(soniox_sandbox: Sandbox) -> None:
    """What had sounded stays; nothing more counts as played; what comes later is heard.

    The line begins at the end of the word, and the word that is cut off then does not count.
    """
    lines = [Line("Stop!", after="water", over=True), Quiet(3)]
    caller = soniox_sandbox.caller(lines, speed=4.0)
    second = speech_of(soniox_sandbox, "I stop.")
    cleared_ms: list[float] = []
    ended = threading.Event()

    def on_data(data: bytes) -> None:  # with the first sound of its line
        if caller.said and not cleared_ms:
            caller.clear()
            cleared_ms.append(caller.played_ms)
            caller.write(second)

    sentence = "The moon pulls the water towards it, not all of it."
    caller.write(speech_of(soniox_sandbox, sentence))
    caller.start(AudioSourceHandlers(on_data, print, on_end=ended.set))
    assert ended.wait(WAIT)
    assert caller.heard == "The moon pulls the water I stop."
    assert cleared_ms[0] >= end_ms_of(soniox_sandbox, sentence, "The moon pulls the water")
    assert caller.played_ms == cleared_ms[0] + len(second) / 32


def test_a_caller_on_a_telephone_speaks_and_hears_mulaw(soniox_sandbox: Sandbox) -> None:
    """In the names of transcription and of speech, at their rate."""
    caller = soniox_sandbox.caller(
        ["Is it raining?", Quiet(3)], audio_format="pcm_mulaw", sample_rate=8000, speed=FAST
    )
    assert (caller.audio.audio_format, caller.audio_format) == ("mulaw", "pcm_mulaw")
    client = soniox_sandbox.client()
    audio = client.realtime.speak("No, it is not.", voice="Nina", audio_format="pcm_mulaw").read()
    caller.write(audio)
    assert client.realtime.transcribe(caller, catch_up_speed=None).read().text == "Is it raining?"
    assert caller.heard == "No, it is not."
    assert caller.played_ms == len(audio) / 8


def test_the_other_side_may_hang_up(soniox_sandbox: Sandbox) -> None:
    """After `stop()` no handler is called, and the caller is used up."""
    caller = soniox_sandbox.caller(["Hello."])
    call = Call(caller)
    eventually(lambda: call.audio)
    caller.stop()
    size = len(call.audio)
    with pytest.raises(SonioxConnectionError):
        caller.write(bytes(100))
    with pytest.raises(StateError, match="calls once"):
        caller.start(AudioSourceHandlers(print, print))
    assert len(call.audio) == size


def test_stop_waits_for_the_handler_that_runs(soniox_sandbox: Sandbox) -> None:
    """So that none is called after it has returned."""
    entered, leave = threading.Event(), threading.Event()

    def on_data(data: bytes) -> None:
        entered.set()
        assert leave.wait(WAIT)

    caller = soniox_sandbox.caller(["Hello."])
    caller.start(AudioSourceHandlers(on_data, print))
    assert entered.wait(WAIT)
    stopping = Task(caller.stop)
    eventually(lambda: caller._stopped)
    assert not stopping.done
    leave.set()
    stopping.result()


def test_a_key_is_pressed(soniox_sandbox: Sandbox) -> None:
    """The handler gets its digit."""
    caller = soniox_sandbox.caller([Key("5")], speed=FAST)
    pressed: queue.SimpleQueue[str] = queue.SimpleQueue()
    assert caller.on_dtmf(pressed.put) == pressed.put
    call = Call(caller)
    assert pressed.get(timeout=WAIT) == "5"
    caller.stop()
    assert call.audio.count(0) == len(call.audio)


def test_words_that_never_come_end_the_call(
    soniox_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error of the source, so that a conversation raises it."""
    monkeypatch.setattr(dialogue, "_NEVER_SEC", 0.5)
    caller = soniox_sandbox.caller([Line("Stop!", after="water")], speed=FAST)
    error = Call(caller).end()
    assert isinstance(error, SonioxTimeoutError)
    assert "for the words 'water' to say 'Stop!'" in str(error)


def test_a_handler_that_fails_is_reported(soniox_sandbox: Sandbox) -> None:
    """Its error comes to `on_error`, and the call is over."""
    errors: queue.SimpleQueue[Any] = queue.SimpleQueue()
    broken = ValueError("broken")

    def fail(data: bytes) -> None:
        raise broken

    caller = soniox_sandbox.caller(["Hello."])
    caller.start(AudioSourceHandlers(fail, errors.put))
    assert errors.get(timeout=WAIT) is broken


def test_a_paused_caller_delivers_nothing(soniox_sandbox: Sandbox) -> None:
    """Its time goes on."""
    caller = soniox_sandbox.caller([Line("Hello.", at_sec=1.0)], speed=FAST)
    caller.pause()
    call = Call(caller)
    eventually(lambda: caller.said)
    assert not call.audio
    caller.resume()
    eventually(lambda: call.audio)
    caller.stop()


def test_wrong_arguments_are_refused(soniox_sandbox: Sandbox) -> None:
    """At the call, with the name of the argument."""
    for options, name in (
        ({"speed": 0}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"sample_rate": 0}, "sample_rate"),
        ({"audio_format": "mp3"}, "audio_format"),
        ({"sample_rate": 11}, "sample rate"),
        ({"voice": "Nobody"}, "voice"),
    ):
        with pytest.raises(ConfigurationError, match=name):
            soniox_sandbox.caller(["Hello."], **options)
    with pytest.raises(InputTypeError, match="lines"):
        soniox_sandbox.caller("Hello.")


def test_without_voices_the_error_names_the_extra() -> None:
    """Tones cannot be understood."""
    with Sandbox(engines="tones") as sandbox, pytest.raises(ConfigurationError) as caught:
        sandbox.caller(["Hello."])
    assert "soniox-sync[sandbox]" in str(caught.value)


def test_nothing_is_left_running(soniox_sandbox: Sandbox) -> None:
    """A caller that was made and not used has no thread."""
    before = threading.active_count()
    soniox_sandbox.caller(["Hello."])
    assert threading.active_count() == before
