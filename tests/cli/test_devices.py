"""Tests of the microphone and the loudspeaker, with a fake of the audio library."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Optional

import pytest

from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import TIMEOUT_SEC, run_cli

SAID = "Hello there my friend.\nHow are you?\n"


class PortAudioError(Exception):
    """Error of the audio library."""


class CallbackStop(Exception):
    """Raised by a callback that has no more audio."""


class Stream:
    """Stream of the audio library, with its own thread after `start`."""

    def __init__(self, options: dict[str, Any], run: Any) -> None:
        self.options = options
        self.played = b""
        self.calls: list[str] = []
        self.over = threading.Event()
        self._thread = threading.Thread(target=run, args=(self,), daemon=True)

    def start(self) -> None:
        """Start calling the callback."""
        self.calls.append("start")
        self._thread.start()

    def stop(self) -> None:
        """End after the buffered audio."""
        self.calls.append("stop")
        self._end()

    def abort(self) -> None:
        """End at once."""
        self.calls.append("abort")
        self._end()

    def close(self) -> None:
        """Release the device."""
        self.calls.append("close")

    def _end(self) -> None:
        self.over.set()
        self._thread.join(TIMEOUT_SEC)


class Library(ModuleType):
    """Fake audio library: a microphone that is unplugged after a while, and a loudspeaker."""

    PortAudioError = PortAudioError
    CallbackStop = CallbackStop
    audio_ms = 3000  # audio from the microphone before it is unplugged

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.streams: list[Stream] = []
        self.failure: Optional[Exception] = None

    def RawInputStream(self, **options: Any) -> Stream:
        """Open a microphone."""
        return self._open(options, self._capture)

    def RawOutputStream(self, **options: Any) -> Stream:
        """Open a loudspeaker."""
        return self._open(options, self._play)

    def _open(self, options: dict[str, Any], run: Any) -> Stream:
        if self.failure is not None:
            raise self.failure
        self.streams.append(Stream(options, run))
        return self.streams[-1]

    def _capture(self, stream: Stream) -> None:
        frames = stream.options["blocksize"]
        for _ in range(self.audio_ms * stream.options["samplerate"] // 1000 // frames):
            if stream.over.is_set():
                return
            stream.options["callback"](memoryview(b"\1\0" * frames), frames, None, None)
        stream.options["finished_callback"]()

    def _play(self, stream: Stream) -> None:
        out = bytearray(4800)
        try:
            while not stream.over.wait(0.001):  # much faster than real time
                stream.options["callback"](memoryview(out), 2400, None, None)
                stream.played += out
        except CallbackStop:
            stream.played += out
            stream.options["finished_callback"]()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """Install the fake as the audio library."""
    module = Library()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    yield module
    for stream in module.streams:
        stream.over.set()


def test_play(service: Sandbox, library: Library) -> None:
    """Speech is played to the end, and the device is released."""
    run = run_cli("speak", "Hello there", "--play", "--sample-rate", "16000")
    assert (run.code, run.out, run.err) == (0, "", "")
    (loudspeaker,) = library.streams
    shape = {name: loudspeaker.options[name] for name in ("samplerate", "channels", "dtype")}
    assert shape == {"samplerate": 16000, "channels": 1, "dtype": "int16"}
    assert len(loudspeaker.played.strip(b"\0")) > 10_000
    assert loudspeaker.calls == ["start", "close"]


def test_play_with_json_reports_the_seconds_played(service: Sandbox, library: Library) -> None:
    """With --json the seconds played are a line on stdout."""
    run = run_cli("speak", "Hello there", "--play", "--json")
    assert run.code == 0
    assert json.loads(run.out)["played_sec"] > 0.3


def test_microphone(service: Sandbox, library: Library) -> None:
    """When the microphone fails, all audio before is transcribed and the device is released."""
    run = run_cli("transcribe", "--mic")
    assert (run.code, run.out) == (1, SAID)
    assert run.err.startswith("soniox-sync: ") and run.err.count("\n") == 1
    (microphone,) = library.streams
    assert (microphone.options["samplerate"], microphone.options["channels"]) == (16000, 1)
    assert microphone.calls[-1] == "close"


@pytest.mark.parametrize("args", [["speak", "Hi", "--play"], ["transcribe", "--mic"]])
def test_no_device(service: Sandbox, library: Library, args: list[str]) -> None:
    """A missing device is reported in one line."""
    library.failure = PortAudioError("Error querying device -1")
    run = run_cli(*args)
    assert (run.code, run.out) == (1, "")
    assert "Error querying device" in run.err and run.err.count("\n") == 1


@pytest.mark.parametrize("args", [["speak", "Hi", "--play"], ["transcribe", "--mic"]])
def test_no_audio_library(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """Without the audio library the message names the extra, and no request is made."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    run = run_cli(*args)
    assert (run.code, run.out) == (1, "")
    assert 'pip install "soniox-sync[audio]"' in run.err
    assert not service.log.entries()


@pytest.mark.parametrize("extra", [["--audio-format", "wav"], ["--pace", "2"], ["a.wav"]])
def test_options_that_exclude_the_microphone(keyless: None, extra: list[str]) -> None:
    """Options for files are refused together with --mic."""
    run = run_cli("transcribe", "--mic", *extra)
    assert (run.code, run.out) == (2, "")
