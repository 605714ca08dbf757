"""`MicrophoneSource` and permissions, with a fake PortAudio."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from soniox_sync.errors import (
    AudioDeviceError,
    AudioPermissionError,
    AudioUnavailableError,
    ConfigurationError,
    InputTypeError,
    StateError,
)
from soniox_sync.sources import (
    DevicePermissionResolver,
    MicrophoneSource,
    PermissionResult,
    SourceAudio,
)
from tests.sources.fake_portaudio import FakeSoundDevice, PortAudioError
from tests.sources.helpers import PATIENCE_SEC, Collector

TALK = b"\1\2" * 960  # 60 ms
SILENCE = bytes(1920)


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    fake = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def microphone(portaudio: FakeSoundDevice, collector: Collector) -> Iterator[MicrophoneSource]:
    """Provide a source that captures."""
    source = MicrophoneSource()
    source.start(collector.handlers)
    yield source
    source.stop()


def test_capture(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """Chunks are delivered unchanged, in order, on one thread; PortAudio reuses its buffer."""
    assert microphone.is_live is True
    assert microphone.audio == SourceAudio(f"pcm_s16{sys.byteorder[0]}e", 16000, 1)
    stream = portaudio.streams[0]
    pieces = [bytes([number + 1]) * 1920 for number in range(5)]
    for piece in pieces:
        stream.deliver(piece)
    collector.wait_for(lambda: len(collector.calls) == 5)
    assert collector.chunks == pieces
    assert collector.threads == {"soniox-source-microphone"}
    assert microphone.dropped_chunks == microphone.dropped_ms == microphone.overflows == 0


def test_options_reach_the_device(portaudio: FakeSoundDevice) -> None:
    """Device, rate, channels and chunk length are passed to PortAudio."""
    source = MicrophoneSource(device="usb", sample_rate=48000, channels=2, chunk_ms=20)
    source.start(Collector().handlers)
    source.stop()
    options = portaudio.streams[0].options
    assert options["device"] == "usb" and options["dtype"] == "int16"
    assert (options["samplerate"], options["channels"], options["blocksize"]) == (48000, 2, 960)


def test_stop_delivers_what_was_captured(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """Audio before a stop is delivered before it returns, including what PortAudio held."""
    stream = portaudio.streams[0]
    stream.deliver(TALK)
    stream.on_stop = lambda: stream.deliver(b"\3\4" * 960)
    microphone.stop()
    assert collector.chunks == [TALK, b"\3\4" * 960]
    assert collector.names == ["data", "data"]
    assert stream.closed and stream.calls == ["start", "stop", "close"]
    microphone.stop()


def test_stop_inside_a_handler(portaudio: FakeSoundDevice) -> None:
    """A handler may stop the microphone; what was queued is then dropped."""
    stopped = threading.Event()
    entered = threading.Event()
    may_stop = threading.Event()

    def stop(data: bytes) -> None:
        entered.set()
        may_stop.wait(PATIENCE_SEC)
        source.stop()
        stopped.set()

    collector = Collector(stop)
    source = MicrophoneSource()
    source.start(collector.handlers)
    stream = portaudio.streams[0]
    stream.deliver(TALK)
    assert entered.wait(PATIENCE_SEC)
    stream.deliver(TALK)
    may_stop.set()
    assert stopped.wait(PATIENCE_SEC)
    source.stop()
    assert collector.names == ["data"]
    assert stream.closed


def test_start_again(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """A stopped microphone can be started again, a running one cannot."""
    with pytest.raises(StateError, match="already"):
        microphone.start(collector.handlers)
    microphone.stop()
    again = Collector()
    microphone.start(again.handlers)
    portaudio.streams[1].deliver(TALK)
    again.wait_for(lambda: len(again.calls) == 1)
    assert collector.names == []


def test_chunks_dropped_by_a_blocked_handler_are_counted(
    portaudio: FakeSoundDevice, caplog: pytest.LogCaptureFixture
) -> None:
    """The audio thread never waits: beyond ten seconds chunks are dropped, counted, logged."""
    entered, may_go = threading.Event(), threading.Event()

    def hold(data: bytes) -> None:
        entered.set()
        may_go.wait(PATIENCE_SEC)

    collector = Collector(hold)
    source = MicrophoneSource()
    source.start(collector.handlers)
    stream = portaudio.streams[0]
    stream.deliver(TALK)
    assert entered.wait(PATIENCE_SEC)
    for _ in range(200):  # 12 s
        stream.deliver(TALK)
    dropped = source.dropped_chunks
    assert source.dropped_ms == dropped * 60
    assert 30 <= dropped <= 36
    may_go.set()
    source.stop()
    assert len(collector.calls) == 201 - dropped
    assert "dropped" in caplog.text and f"{dropped} chunks" in caplog.text


def test_overflows_are_counted(
    microphone: MicrophoneSource,
    portaudio: FakeSoundDevice,
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A gap reported by PortAudio is counted and logged; its chunk is delivered."""
    portaudio.streams[0].deliver(TALK, overflow=True)
    collector.wait_for(lambda: len(collector.calls) == 1)
    assert microphone.overflows == 1
    assert "1 overflows" in caplog.text


def test_mute(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """A second of exact silence sets `muted`, another sample resets it; silence is delivered."""
    stream = portaudio.streams[0]
    stream.deliver(TALK)
    for _ in range(16):  # 0.96 s
        stream.deliver(SILENCE)
    collector.wait_for(lambda: len(collector.chunks) == 17)
    assert "muted" not in collector.names
    for _ in range(5):
        stream.deliver(SILENCE)
    stream.deliver(SILENCE[:-2] + b"\1\0")
    stream.deliver(TALK)
    collector.wait_for(lambda: len(collector.chunks) == 24)
    assert collector.names[17:19] == ["data", "muted"]
    assert collector.names.count("muted") == collector.names.count("unmuted") == 1
    assert collector.names[-3:] == ["unmuted", "data", "data"]


def test_broken_silence_does_not_mute(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """Silence with occasional samples does not set `muted`."""
    stream = portaudio.streams[0]
    for number in range(40):
        stream.deliver(SILENCE if number % 10 else SILENCE[:-2] + b"\1\0")
    collector.wait_for(lambda: len(collector.chunks) == 40)
    assert set(collector.names) == {"data"}


def test_mute_detection_can_be_off(portaudio: FakeSoundDevice) -> None:
    """With `mute_after_sec=None` silence is only delivered."""
    collector = Collector()
    source = MicrophoneSource(mute_after_sec=None)
    source.start(collector.handlers)
    for _ in range(40):
        portaudio.streams[0].deliver(SILENCE)
    source.stop()
    assert collector.names == ["data"] * 40


def test_unplugged(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """A stream that ends by itself is a device error, once, after the captured audio."""
    stream = portaudio.streams[0]
    stream.deliver(TALK)
    stream.unplug()
    collector.wait_over()
    assert collector.names == ["data", "error"]
    assert isinstance(collector.error, AudioDeviceError)
    assert collector.error.code == "device_not_found"
    assert stream.closed


def test_a_device_that_falls_silent_is_lost(portaudio: FakeSoundDevice) -> None:
    """A device that delivers nothing for `stall_sec` is reported as lost."""
    collector = Collector()
    source = MicrophoneSource(stall_sec=0.01)
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    assert isinstance(collector.error, AudioDeviceError)
    assert "0.01 s" in str(collector.error)


def test_restart_after_loss(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """A lost microphone opens again with the same handlers."""
    portaudio.streams[0].unplug()
    collector.wait_over()
    microphone.restart()
    portaudio.streams[1].deliver(TALK)
    collector.wait_for(lambda: collector.names[-1] == "data")
    assert collector.names == ["error", "data"]


def test_restart_from_the_error_handler(portaudio: FakeSoundDevice) -> None:
    """`on_error` itself may restart the microphone."""
    collector = Collector()
    collector.handlers.on_error = lambda error: source.restart()
    source = MicrophoneSource()
    source.start(collector.handlers)
    opened = threading.Event()
    portaudio.started = lambda stream: opened.set()
    portaudio.streams[0].unplug()
    assert opened.wait(PATIENCE_SEC)
    portaudio.streams[1].deliver(TALK)
    source.stop()
    assert collector.names == ["data"]


def test_restart_before_the_start() -> None:
    """A microphone that was never started cannot restart, and stops without effect."""
    source = MicrophoneSource()
    source.stop()
    source.pause()
    source.resume()
    with pytest.raises(StateError):
        source.restart()


def test_pause_and_resume(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """A pause stops the device, which is not a loss; resuming starts it again."""
    stream = portaudio.streams[0]
    microphone.pause()
    microphone.pause()
    assert not stream.active
    microphone.resume()
    microphone.resume()
    stream.deliver(TALK)
    collector.wait_for(lambda: len(collector.calls) == 1)
    assert collector.names == ["data"]
    assert stream.calls == ["start", "stop", "start"]


def test_a_pause_is_not_a_stall(portaudio: FakeSoundDevice) -> None:
    """A paused device may be silent without limit, a resumed one may not."""
    paused = threading.Event()

    def pause(data: bytes) -> None:
        source.pause()
        paused.set()

    collector = Collector(pause)
    source = MicrophoneSource(stall_sec=0.02)
    # some audio is available before a wait for audio starts
    portaudio.started = lambda stream: stream.deliver(TALK) if not paused.is_set() else None
    source.start(collector.handlers)
    assert paused.wait(PATIENCE_SEC)
    assert not collector.over.wait(0.2)
    source.resume()
    collector.wait_over()
    source.stop()
    assert isinstance(collector.error, AudioDeviceError)


def test_a_device_that_does_not_resume(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """Resuming a lost device raises."""
    microphone.pause()
    portaudio.streams[0].fail_start = PortAudioError("Device unavailable", -9985)
    with pytest.raises(AudioDeviceError, match="another program"):
        microphone.resume()
    assert collector.names == []


def test_handler_failure(
    microphone: MicrophoneSource, portaudio: FakeSoundDevice, collector: Collector
) -> None:
    """An exception in a handler ends the capture and is reported to `on_error`."""
    failure = LookupError("mine")

    def fail() -> None:
        raise failure

    collector.handlers.on_muted = fail
    for _ in range(17):
        portaudio.streams[0].deliver(SILENCE)
    collector.wait_over()
    assert collector.error is failure
    assert portaudio.streams[0].closed


def test_no_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioUnavailableError, match=r"pip install \"soniox-sync\[audio\]\"") as got:
        MicrophoneSource().start(Collector().handlers)
    assert got.value.code == "audio_unavailable"


def test_no_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library that the package wraps the error names that library."""
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)

    class Finder:
        def find_spec(self, name: str, *rest: Any) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(AudioUnavailableError, match="libportaudio2"):
        MicrophoneSource().start(Collector().handlers)


ACCESS_DENIED = (0, -2147024891, "")


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (PortAudioError("Invalid sample rate", -9997), AudioDeviceError, "for instance 48000"),
        (PortAudioError("Invalid number of channels", -9998), AudioDeviceError, "try 1"),
        (PortAudioError("Error querying device -1"), AudioDeviceError, "querying"),
        (ValueError("No input device matching 'usb'"), AudioDeviceError, "matching 'usb'"),
        (
            PortAudioError("Host", -9999, (0, 13, "Permission denied")),
            AudioPermissionError,
            "group",
        ),
        (PortAudioError("Host", -9999, ACCESS_DENIED), AudioPermissionError, "privacy"),
        (PortAudioError("Host", -9999, (0, 5, "jack died")), AudioDeviceError, "jack died"),
    ],
)
@pytest.mark.parametrize("moment", ["fail_open", "fail_start"])
def test_opening_fails(
    portaudio: FakeSoundDevice, failure: Exception, error: type[Exception], words: str, moment: str
) -> None:
    """An error of PortAudio becomes one of ours, with what to do; nothing stays open."""
    setattr(portaudio, moment, failure)
    source = MicrophoneSource()
    with pytest.raises(error, match=words) as caught:
        source.start(Collector().handlers)
    assert caught.value.__cause__ is failure
    assert all(stream.closed for stream in portaudio.streams)
    setattr(portaudio, moment, None)
    source.start(Collector().handlers)
    source.stop()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"sample_rate": 0}, ConfigurationError),
        ({"channels": -1}, ConfigurationError),
        ({"chunk_ms": 0}, ConfigurationError),
        ({"chunk_ms": 1.5}, InputTypeError),
        ({"sample_rate": "16000"}, InputTypeError),
        ({"mute_after_sec": 0}, ConfigurationError),
        ({"stall_sec": -1.0}, ConfigurationError),
    ],
)
def test_refused_options(options: dict[str, Any], error: type[Exception]) -> None:
    """Illegal options are refused when the source is made."""
    with pytest.raises(error, match=next(iter(options))):
        MicrophoneSource(**options)


def test_permission_is_granted_if_there_is_a_device(portaudio: FakeSoundDevice) -> None:
    """A check finds the device and opens nothing."""
    assert DevicePermissionResolver(device=3).check("microphone") == PermissionResult(
        "granted",  # type: ignore[arg-type]
        True,
    )
    assert portaudio.queries == [(3, "input")]
    assert portaudio.streams == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (PortAudioError("Error querying device -1"), "unavailable"),
        (ValueError("No input device"), "unavailable"),
        (None, "unavailable"),
    ],
)
def test_permission_without_a_device(
    portaudio: FakeSoundDevice, failure: Optional[Exception], status: str
) -> None:
    """Without an input device the microphone is unavailable."""
    portaudio.fail_query = failure
    portaudio.device["max_input_channels"] = 0
    resolver = DevicePermissionResolver()
    assert resolver.check("microphone").status == status
    assert resolver.check("microphone").can_request is False
    assert resolver.request("microphone").status == status


def test_permission_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sounddevice the microphone is unavailable; nothing is raised."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert str(DevicePermissionResolver().check("microphone").status) == "unavailable"


def test_request_opens_the_device_briefly(portaudio: FakeSoundDevice) -> None:
    """A request opens the device at its own rate and closes it again."""
    assert DevicePermissionResolver().request("microphone").status == "granted"
    (stream,) = portaudio.streams
    assert stream.calls == ["start", "close"] and stream.options["samplerate"] == 44100.0


def test_request_denied(portaudio: FakeSoundDevice) -> None:
    """If the system refuses, the state is `denied`, and another request does not help."""
    portaudio.fail_start = PortAudioError("Host", -9999, (0, 13, "Permission denied"))
    result = DevicePermissionResolver().request("microphone")
    assert (result.status, result.can_request) == ("denied", False)
    assert portaudio.streams[0].closed


def test_other_permissions(portaudio: FakeSoundDevice) -> None:
    """Only the microphone permission can be requested."""
    for ask in (DevicePermissionResolver().check, DevicePermissionResolver().request):
        with pytest.raises(ConfigurationError, match="microphone"):
            ask("camera")
