"""Tests of microphone and loudspeaker, with a stand-in for the audio library."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest
from cli_helpers import run_cli

from soniox_sync.sandbox import Sandbox


class PortAudioError(Exception):
    """Is what the audio library raises."""


class Device:
    """Is a stream of the audio library, microphone and loudspeaker in one."""

    made: list[Device] = []
    broken = False
    to_read = 20

    def __init__(self, samplerate: int, channels: int, dtype: str) -> None:
        if Device.broken:
            raise PortAudioError("Error querying device -1")
        self.options = (samplerate, channels, dtype)
        self.played = b""
        self.calls: list[str] = []
        self.closed = threading.Event()
        Device.made.append(self)

    def start(self) -> None:
        """Start."""
        self.calls.append("start")

    def read(self, frames: int) -> tuple[bytearray, bool]:
        """Give silence; end as a device does that was unplugged."""
        if len(self.calls) > Device.to_read:
            raise PortAudioError("Device unavailable")
        self.calls.append("read")
        return bytearray(frames * 2), False

    def write(self, data: bytes) -> None:
        """Play."""
        assert len(data) % 2 == 0, "half a sample"
        self.played += data

    def stop(self) -> None:
        """Play to the end."""
        self.calls.append("stop")

    def close(self) -> None:
        """Release."""
        self.calls.append("close")
        self.closed.set()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> type[Device]:
    """Put the stand-in where the audio library is looked for."""
    module: Any = ModuleType("sounddevice")
    module.PortAudioError = PortAudioError
    module.RawInputStream = module.RawOutputStream = Device
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(Device, "made", [])
    monkeypatch.setattr(Device, "broken", False)
    return Device


def test_play(service: Sandbox, device: type[Device]) -> None:
    """Speech is played whole, and the device waits for its end and is released."""
    run = run_cli("speak", "Hello there", "--play", "--sample-rate", "16000")
    assert (run.code, run.out, run.err) == (0, "", "")
    (loudspeaker,) = device.made
    assert loudspeaker.options == (16000, 1, "int16")
    assert len(loudspeaker.played) > 10_000
    assert loudspeaker.calls == ["start", "stop", "close"]


def test_microphone(service: Sandbox, device: type[Device]) -> None:
    """The microphone is heard until it fails; all it heard is printed, the device freed."""
    run = run_cli("transcribe", "--mic")
    assert (run.code, run.out) == (1, "Hello there my friend.\nHow are you?\n")
    assert run.err == "soniox-sync: the microphone failed: Device unavailable\n"
    (microphone,) = device.made
    assert microphone.options == (16000, 1, "int16")
    assert microphone.closed.wait(10)


@pytest.mark.parametrize("args", [["speak", "Hi", "--play"], ["transcribe", "--mic"]])
def test_no_device(service: Sandbox, device: type[Device], args: list[str]) -> None:
    """A machine without a device is told so in one line."""
    device.broken = True
    run = run_cli(*args)
    assert (run.code, run.out) == (1, "")
    assert "cannot be opened" in run.err and run.err.count("\n") == 1
    assert not service.log.entries()


@pytest.mark.parametrize("args", [["speak", "Hi", "--play"], ["transcribe", "--mic"]])
def test_no_audio_library(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """Without the audio library the extra to install is named."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    run = run_cli(*args)
    assert (run.code, run.out) == (1, "")
    assert "soniox-sync[audio]" in run.err
