"""Replacement for `sounddevice`, with devices that tests plug in, feed and unplug."""

from __future__ import annotations

import types
from typing import Any, Callable, Optional


class PortAudioError(Exception):
    """Error with the arguments of the real one: text, code, (host API, its code, its text)."""


class Flags:
    """Status of a callback."""

    def __init__(self, overflow: bool) -> None:
        self.input_overflow = overflow

    def __bool__(self) -> bool:
        return self.input_overflow


class Stream:
    """Stream that calls its callbacks as `RawInputStream` does."""

    def __init__(self, module: FakeSoundDevice, options: dict[str, Any]) -> None:
        self.options = options
        self.calls: list[str] = []
        self.active = False
        self.closed = False
        self.fail_start: Optional[Exception] = None
        self.on_stop: Callable[[], object] = lambda: None
        self._module = module

    def start(self) -> None:
        self.calls.append("start")
        failure = self.fail_start or self._module.fail_start
        if failure is not None:
            raise failure
        self.active = True
        self._module.started(self)

    def stop(self, ignore_errors: bool = True) -> None:
        self.calls.append("stop")
        self.on_stop()
        self._finish()

    def close(self, ignore_errors: bool = True) -> None:
        self.calls.append("close")
        self._finish()
        self.closed = True

    def _finish(self) -> None:
        if self.active:
            self.active = False
            finished = self.options.get("finished_callback")
            if finished is not None:
                finished()

    def deliver(self, data: bytes, overflow: bool = False) -> None:
        """Deliver a chunk as PortAudio's audio thread would."""
        assert self.active, "a stopped stream delivers nothing"
        buffer = bytearray(data)
        self.options["callback"](memoryview(buffer), len(data) // 2, None, Flags(overflow))
        buffer[:] = b"\xee" * len(buffer)  # PortAudio reuses its buffer

    def unplug(self) -> None:
        """End the stream as a lost device does."""
        self._finish()


class FakeSoundDevice(types.ModuleType):
    """Fake module; `streams` are the opened streams."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.streams: list[Stream] = []
        self.fail_open: Optional[Exception] = None
        self.fail_start: Optional[Exception] = None
        self.fail_query: Optional[Exception] = None
        self.device = {"name": "test", "max_input_channels": 1, "default_samplerate": 44100.0}
        self.queries: list[tuple[Any, Any]] = []
        self.started: Callable[[Stream], object] = lambda stream: None

    def RawInputStream(self, **options: Any) -> Stream:
        if self.fail_open is not None:
            raise self.fail_open
        self.streams.append(Stream(self, options))
        return self.streams[-1]

    def query_devices(self, device: Any = None, kind: Any = None) -> dict[str, Any]:
        self.queries.append((device, kind))
        if self.fail_query is not None:
            raise self.fail_query
        return self.device
