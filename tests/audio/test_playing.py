"""Playback through PortAudio: buffering, gaps, stopping, missing devices. The device is a fake."""

from __future__ import annotations

import io
import sys
import threading
import wave
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest

from soniox_sync import AudioDeviceError, AudioUnavailableError, ConfigurationError
from soniox_sync.audio import Player, play
from soniox_sync.audio.g711 import to_pcm

WAIT = 10.0


class CallbackStop(Exception):
    """Raised by a callback when nothing follows."""


class PortAudioError(Exception):
    """Raised by the library for a device it cannot open."""


class Device:
    """Fake audio library: the test requests audio as the device would."""

    CallbackStop = CallbackStop
    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.opened = threading.Event()
        self.calls: list[str] = []
        self.refuse: Optional[Exception] = None

    def RawOutputStream(self, **options: Any) -> Device:
        if self.refuse is not None:
            raise self.refuse
        self.options = options
        return self

    def start(self) -> None:
        self.calls.append("start")
        self.opened.set()

    def abort(self) -> None:
        self.calls.append("abort")

    def close(self) -> None:
        self.calls.append("close")

    def pull(self, size: int) -> bytes:
        """Request `size` bytes, as the device's thread does."""
        out = bytearray(size)
        try:
            self.options["callback"](memoryview(out), size // 2, None, None)
        except CallbackStop:
            self.options["finished_callback"]()
        return bytes(out)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """Put a fake audio library in place of the real one."""
    fake = Device()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def in_background(function: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run a call in a thread; its result is appended to the list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    return thread, results


def samples(count: int, value: int = 7) -> bytes:
    """Return 16-bit samples of one value."""
    return value.to_bytes(2, "little") * count


def test_playing_starts_when_the_start_buffer_is_full(device: Device) -> None:
    """Silence is played until 150 ms of audio are buffered, then the audio from its start."""
    player = Player(sample_rate=8000)
    player.write(samples(600))
    assert device.pull(100) == bytes(100)
    player.write(samples(600))
    assert device.pull(100) == samples(50)
    assert player.underruns == 0
    player.close()
    assert device.calls == ["start", "abort", "close"]


def test_a_gap_is_counted_once_and_buffering_starts_again(device: Device) -> None:
    """When audio runs out silence is played until the start buffer is full again."""
    player = Player(sample_rate=8000)
    player.write(samples(1200))
    assert device.pull(2400) == samples(1200)
    assert device.pull(100) == bytes(100)
    assert player.underruns == 1
    player.write(samples(100))
    assert device.pull(100) == bytes(100)
    player.write(samples(1200))
    assert device.pull(100) == samples(50)
    assert player.underruns == 1
    player.close()


def test_a_short_sound_is_played_although_it_does_not_fill_the_buffer(device: Device) -> None:
    """At the end, audio held back for the start buffer is played, then playing ends."""
    thread, results = in_background(lambda: play([samples(10), samples(5)], sample_rate=8000))
    assert device.opened.wait(WAIT)
    played = b""
    while thread.is_alive():
        played += device.pull(20)
        thread.join(0.01)
    assert samples(15) in played  # after any silence played before it was written
    assert played.strip(b"\0\7") == b""
    (played,) = results
    assert (played.audio_sec, played.underruns, played.stopped) == (15 / 8000, 0, False)


def test_stop_silences_from_another_thread(device: Device) -> None:
    """After `stop()` the device gets silence, the source is not read further, `play` returns."""
    players: list[Player] = []

    def endless() -> Iterator[bytes]:
        while True:
            yield samples(1000)

    thread, results = in_background(
        lambda: play(endless(), sample_rate=8000, on_start=players.append)
    )
    assert device.opened.wait(WAIT)
    while not device.pull(100).strip(b"\0"):
        pass
    players[0].stop()
    thread.join(WAIT)
    assert device.pull(100) == bytes(100)
    assert results[0].stopped
    assert "abort" in device.calls


def test_the_writer_is_held_back_to_a_second(device: Device) -> None:
    """At most about a second is buffered for the device, so that a source is not drained."""
    given = 0

    def source() -> Iterator[bytes]:
        nonlocal given
        for _ in range(100):
            given += 1
            yield samples(800)

    players: list[Player] = []
    thread, _ = in_background(lambda: play(source(), sample_rate=8000, on_start=players.append))
    assert device.opened.wait(WAIT)
    thread.join(0.3)
    assert thread.is_alive()
    assert given <= 13
    players[0].stop()
    thread.join(WAIT)


def test_clear_drops_what_was_not_played(device: Device) -> None:
    """After a clear the device gets silence, then only what was written later; no more counts."""
    player = Player(sample_rate=8000, start_buffer_ms=0)
    player.write(samples(100, 1))
    assert device.pull(80) == samples(40, 1)
    assert player.played_ms == 5.0
    player.clear()
    assert device.pull(80) == bytes(80)
    assert player.played_ms == 5.0
    player.write(samples(100, 2))
    assert device.pull(200) == samples(100, 2)
    assert player.played_ms == 17.5
    player.close()


def test_clear_ends_the_wait_of_a_writer(device: Device) -> None:
    """A write that waits for room returns at once; its audio is dropped with what was waiting."""
    player = Player(sample_rate=8000, start_buffer_ms=0)
    player.write(samples(8001, 1))
    thread, results = in_background(lambda: player.write(samples(10, 2)))
    thread.join(0.1)
    assert thread.is_alive()
    player.clear()
    thread.join(WAIT)
    assert results == [True]
    assert device.pull(100) == bytes(100)
    player.write(samples(10, 3))
    assert device.pull(20) == samples(10, 3)
    player.close()


def test_clear_drops_the_half_of_a_frame(device: Device) -> None:
    """What follows a clear starts with a whole sample: else all of it would be noise."""
    player = Player(sample_rate=8000, start_buffer_ms=0)
    player.write(samples(10, 1) + b"\x55")
    player.clear()
    player.write(samples(10, 3))
    assert device.pull(20) == samples(10, 3)
    player.close()


def test_the_end_of_a_reply_is_played_although_more_may_follow(device: Device) -> None:
    """Less than the start buffer is played without `finish()`, which a conversation never calls."""
    player = Player(sample_rate=8000)
    player.write(samples(100))
    pulled = b"".join(device.pull(800) for _ in range(5))
    assert samples(100) in pulled
    assert player.played_ms == 12.5
    player.close()


def test_a_player_shows_the_format_it_plays(device: Device) -> None:
    """A conversation asks for its voice in the format of the player."""
    player = Player()
    assert (player.audio_format, player.sample_rate) == ("pcm_s16le", 24000)
    phone = Player(audio_format="pcm_mulaw", sample_rate=8000)
    assert (phone.audio_format, phone.sample_rate) == ("pcm_mulaw", 8000)
    assert Player(audio_format="wav").sample_rate is None


def test_a_wav_brings_its_own_format(device: Device) -> None:
    """The header of a WAV sets rate and channels, however it is split; what follows is cut."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(samples(40))
    whole = file.getvalue() + b"LIST\x10\0\0\0" + b"INFOISFT\4\0\0\0abcd"
    player = Player(audio_format="wav", start_buffer_ms=0)
    for at in range(0, len(whole), 7):
        player.write(whole[at : at + 7])
    assert device.options["samplerate"] == 16000
    assert device.options["channels"] == 2
    assert device.pull(80) == samples(40)
    assert device.pull(40) == bytes(40)
    player.close()


def test_companded_audio_is_expanded(device: Device) -> None:
    """Telephone audio is played as 16-bit samples."""
    assert to_pcm(b"\xff\x7f", "mulaw") == bytes(4)
    assert to_pcm(b"\x80", "mulaw") == (32124).to_bytes(2, "little", signed=True)
    assert to_pcm(b"\xaa", "alaw") == (32256).to_bytes(2, "little", signed=True)
    player = Player(audio_format="pcm_mulaw", sample_rate=8000, start_buffer_ms=0)
    player.write(b"\x80")
    assert device.options["dtype"] == "int16"
    assert device.pull(2) == (32124).to_bytes(2, "little", signed=True)
    player.close()


def test_compressed_audio_is_refused(device: Device) -> None:
    """A compressed format is refused; the message names formats that can be played."""
    with pytest.raises(ConfigurationError, match="use pcm_s16le or wav"):
        Player(audio_format="mp3")


def test_a_missing_device_is_reported(device: Device) -> None:
    """No device and an unknown device name are two clear errors."""
    device.refuse = PortAudioError("Error querying device -1")
    with pytest.raises(AudioUnavailableError, match="no audio output device"):
        play([samples(10)])
    device.refuse = ValueError("No output device matching 'Nope'")
    with pytest.raises(AudioDeviceError, match="Nope"):
        play([samples(10)], device="Nope")


def test_a_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sounddevice the error says what to install."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioUnavailableError, match=r"soniox-sync\[audio\]"):
        play([samples(10)])


def test_a_lost_device_is_reported(device: Device) -> None:
    """When the device ends by itself, writing raises instead of waiting forever."""
    player = Player(sample_rate=8000)
    player.write(samples(10))
    device.options["finished_callback"]()
    with pytest.raises(AudioDeviceError, match="was lost"):
        player.write(samples(10))
    player.close()
