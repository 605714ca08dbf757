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
    """Is how a callback tells that nothing follows."""


class PortAudioError(Exception):
    """Is what the library raises for a device it cannot open."""


class Device:
    """Stands in for the audio library: the test asks for audio as the device would."""

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
        """Want `size` bytes, as the device's thread does."""
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
    """Give 16-bit samples of one value."""
    return value.to_bytes(2, "little") * count


def test_playing_starts_when_the_start_buffer_is_full(device: Device) -> None:
    """Silence is played until 150 ms of audio are there, then the audio from its beginning."""
    player = Player(sample_rate=8000)
    player.write(samples(600))
    assert device.pull(100) == bytes(100)
    player.write(samples(600))
    assert device.pull(100) == samples(50)
    assert player.underruns == 0
    player.close()
    assert device.calls == ["start", "abort", "close"]


def test_a_gap_is_counted_once_and_buffered_anew(device: Device) -> None:
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


def test_a_short_sound_is_played_although_it_fills_no_buffer(device: Device) -> None:
    """The end of the audio starts what the start buffer held back, and playing ends behind it."""
    thread, results = in_background(lambda: play([samples(10), samples(5)], sample_rate=8000))
    assert device.opened.wait(WAIT)
    heard = b""
    while thread.is_alive():
        heard += device.pull(20)
        thread.join(0.01)
    assert heard.startswith(samples(15))
    assert heard.strip(b"\0\7") == b""
    (played,) = results
    assert (played.audio_sec, played.underruns, played.stopped) == (15 / 8000, 0, False)


def test_stop_silences_from_another_thread(device: Device) -> None:
    """After `stop()` the device gets silence, the source is not asked again, `play` returns."""
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
    """No more than about a second waits for the device, so that a source is not drained."""
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


def test_a_wav_tells_its_own_format(device: Device) -> None:
    """A WAV's header chooses rate and channels, however it is cut."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(samples(40))
    whole = file.getvalue()
    player = Player(audio_format="wav", start_buffer_ms=0)
    for at in range(0, len(whole), 7):
        player.write(whole[at : at + 7])
    assert device.options["samplerate"] == 16000
    assert device.options["channels"] == 2
    assert device.pull(80) == samples(40)
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
    """A format that is not samples is refused with what to ask for instead."""
    with pytest.raises(ConfigurationError, match="ask for pcm_s16le or wav"):
        Player(audio_format="mp3")


def test_a_missing_device_is_told(device: Device) -> None:
    """No device at all and a device of an unknown name are two clear errors."""
    device.refuse = PortAudioError("Error querying device -1")
    with pytest.raises(AudioUnavailableError, match="no loudspeaker"):
        play([samples(10)])
    device.refuse = ValueError("No output device matching 'Nope'")
    with pytest.raises(AudioDeviceError, match="Nope"):
        play([samples(10)], device="Nope")


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sounddevice the error says what to install."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioUnavailableError, match=r"soniox-sync\[audio\]"):
        play([samples(10)])


def test_a_device_that_goes_away_is_told(device: Device) -> None:
    """When the device ends by itself, writing raises instead of waiting for ever."""
    player = Player(sample_rate=8000)
    player.write(samples(10))
    device.options["finished_callback"]()
    with pytest.raises(AudioDeviceError, match="went away"):
        player.write(samples(10))
    player.close()
