"""The source in a conversation: its clock, silence in its place, its end."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from soniox_sync import ConversationOptions, MicrophoneSource
from soniox_sync.realtime.conversation.ears import Ears, silence_of
from soniox_sync.realtime.conversation.opening import is_half_duplex
from soniox_sync.sources.base import AudioSourceHandlers, SourceAudio
from tests.waiting import ManualClock, Task

RAW = SourceAudio("pcm_s16le", 16000, 1)
CHUNK = b"\1\2" * 1600  # 100 ms


class Fed:
    """Source that delivers what the test does."""

    is_live = True

    def __init__(self, audio: Optional[SourceAudio] = RAW) -> None:
        self.audio = audio
        self.calls: list[str] = []
        self.handlers: Any = None

    def start(self, handlers: AudioSourceHandlers) -> None:
        self.handlers = handlers

    def stop(self) -> None:
        self.calls.append("stop")

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


class Heard:
    """What comes out of the ears."""

    def __init__(self, source: Fed, is_half: bool = False) -> None:
        self.clock = ManualClock()
        self.data: list[bytes] = []
        self.ends: list[str] = []
        self.ears = Ears(source, is_half, lambda: self.ends.append("gone"), self.clock)
        self.ears.start(
            AudioSourceHandlers(
                on_data=self.data.append,
                on_error=lambda error: self.ends.append(repr(error)),
                on_end=lambda: self.ends.append("end"),
            )
        )


def test_its_clock_is_the_audio_that_came() -> None:
    """Between two chunks it goes on with the time, for as long as the last one took."""
    source = Fed()
    heard = Heard(source)
    assert heard.ears.now_ms == 0
    source.handlers.on_data(CHUNK)
    assert heard.ears.now_ms == 100
    heard.clock.advance(0.06)
    assert heard.ears.now_ms == pytest.approx(160)
    heard.clock.advance(5)
    assert heard.ears.now_ms == pytest.approx(200)
    source.handlers.on_data(CHUNK)
    assert heard.ears.now_ms == 200


def test_the_clock_of_a_container_is_the_time() -> None:
    """Nobody knows how much audio a chunk of it is."""
    heard = Heard(Fed(SourceAudio("webm")))
    heard.clock.advance(2)
    assert heard.ears.now_ms == pytest.approx(2000)


def test_half_duplex_hears_silence_while_the_agent_speaks() -> None:
    """And 0.5 s after; then the microphone again. As much as came, so that time goes on."""
    source = Fed()
    heard = Heard(source, is_half=True)
    source.handlers.on_data(CHUNK)
    heard.ears.agent_speaks()
    source.handlers.on_data(CHUNK)
    heard.ears.agent_is_quiet()
    heard.clock.advance(0.49)
    source.handlers.on_data(CHUNK)
    heard.clock.advance(0.02)
    source.handlers.on_data(CHUNK)
    silence = bytes(len(CHUNK))
    assert heard.data == [CHUNK, silence, silence, CHUNK]


def test_full_duplex_hears_everything() -> None:
    """The source says that it does not hear the agent."""
    source = Fed()
    heard = Heard(source)
    heard.ears.agent_speaks()
    source.handlers.on_data(CHUNK)
    assert heard.data == [CHUNK]


@pytest.mark.parametrize(
    ("duplex", "echo_free", "is_half"),
    [
        (None, True, False),
        (None, False, True),
        (None, None, False),
        ("full", False, False),
        ("half", True, True),
    ],
)
def test_duplex_follows_the_source_unless_told(
    duplex: Optional[str], echo_free: Optional[bool], is_half: bool
) -> None:
    """Half if it says that it hears what is played, as a microphone does."""
    source = Fed()
    if echo_free is not None:
        source.echo_free = echo_free  # type: ignore[attr-defined]
    assert is_half_duplex(ConversationOptions(duplex=duplex), source) is is_half
    assert MicrophoneSource.echo_free is False


@pytest.mark.parametrize(
    ("name", "silence"), [("mulaw", b"\xff"), ("alaw", b"\xd5"), ("pcm_u8", b"\x80"), ("x", b"\0")]
)
def test_silence_is_that_of_the_format(name: str, silence: bytes) -> None:
    """Zero is full scale in mulaw."""
    assert silence_of(name) == silence


def test_the_end_of_the_source_is_a_hang_up() -> None:
    """It is told before the recording finishes."""
    source = Fed()
    heard = Heard(source)
    source.handlers.on_end()
    assert heard.ends == ["gone", "end"]


def test_a_peer_that_is_gone_is_a_hang_up() -> None:
    """A lost connection of the source is not a failure of the conversation."""
    source = Fed()
    heard = Heard(source)
    source.handlers.on_error(ConnectionResetError())
    assert heard.ends == ["gone", "end"]


def test_another_failure_of_the_source_stays_one() -> None:
    """A microphone that was pulled out."""
    source = Fed()
    heard = Heard(source)
    source.handlers.on_error(ValueError("no device"))
    assert heard.ends == ["ValueError('no device')"]


def test_what_a_source_can_the_ears_can() -> None:
    """Pausing, resuming, stopping; restarting only if the source has it."""
    source = Fed()
    heard = Heard(source)
    heard.ears.pause()
    heard.ears.resume()
    heard.ears.stop()
    assert source.calls == ["pause", "resume", "stop"]
    assert not hasattr(heard.ears, "restart")
    source.restart = lambda: source.calls.append("restart")  # type: ignore[attr-defined]
    Heard(source).ears.restart()
    assert source.calls[-1] == "restart"


@pytest.mark.parametrize("data", ["text", None, [1, 2]])
def test_what_is_no_audio_is_passed_on(data: Any) -> None:
    """The recording refuses it by name; here it would only end the source's thread."""
    source = Fed()
    heard = Heard(source)
    source.handlers.on_data(data)
    assert heard.data == [data]
    assert heard.ears.now_ms == 0


def test_the_thread_of_the_source_is_known() -> None:
    """Stopping the source may wait for it, so that it must not wait for the end."""
    source = Fed()
    heard = Heard(source)
    assert not heard.ears.is_current
    Task(lambda: source.handlers.on_data(CHUNK)).result()
    assert not heard.ears.is_current
    source.handlers.on_end()
    assert heard.ears.is_current


def test_only_the_sources_own_thread_is_its_thread() -> None:
    """That which delivers audio, or the end."""
    source = Fed()
    heard = Heard(source)
    assert not heard.ears.is_current

    def deliver(call: Any) -> bool:
        call()
        return heard.ears.is_current

    assert Task(lambda: deliver(lambda: source.handlers.on_data(CHUNK))).result()
    assert not heard.ears.is_current
    assert Task(lambda: deliver(source.handlers.on_end)).result()
    assert not heard.ears.is_current
