"""Permission to use the microphone: checked without opening it, or by opening it briefly."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Callable, Optional, Protocol, Union

from .._support.checks import one_of
from .._support.reprs import quoted, summary
from ..audio.portaudio import as_audio_error, device_errors, load_sounddevice
from ..errors import AudioDeviceError, AudioPermissionError, AudioUnavailableError

Device = Union[int, str, None]


class PermissionStatus(str, enum.Enum):
    """State of a permission; compares equal to its string value. Source: PROTOCOL 9.

    `granted`; `denied`: by the user or the system; `prompt`: the user would be asked;
    `unavailable`: there is no device or no audio library.
    """

    GRANTED = "granted"
    DENIED = "denied"
    PROMPT = "prompt"
    UNAVAILABLE = "unavailable"

    __str__ = str.__str__


@dataclass(frozen=True)
class PermissionResult:
    """Answer of a `PermissionResolver`; `can_request`: whether `request()` may change it."""

    status: PermissionStatus
    can_request: bool


class PermissionResolver(Protocol):
    """Resolver of the permission to use a device; `name` is `"microphone"`. Source: PROTOCOL 9."""

    def check(self, name: str) -> PermissionResult:
        """Return the state of the permission. Never asks the user."""

    def request(self, name: str) -> PermissionResult:
        """Ask for the permission if possible, and return its new state. May block."""


class DevicePermissionResolver:
    """Resolver that asks PortAudio, for desktop programs. Needs the extra `audio`. Thread-safe.

    `device`: as for `MicrophoneSource`, `None` for the system default.
    """

    def __init__(self, *, device: Device = None) -> None:
        self._device = device

    def __repr__(self) -> str:
        return summary(self, device_name(self._device))

    def check(self, name: str) -> PermissionResult:
        """Return `granted` if there is an input device, else `unavailable`.

        Opens nothing and never asks. Whether the system allows use of the microphone is only known
        after opening it, which `request()` does.

        Raises
            ConfigurationError: `name` is not `"microphone"`.
        """
        return self._resolve(name, _find)

    def request(self, name: str) -> PermissionResult:
        """Open the microphone briefly, which makes some systems ask the user; return the outcome.

        Raises
            ConfigurationError: `name` is not `"microphone"`.
        """
        return self._resolve(name, _try_to_open)

    def _resolve(self, name: str, probe: Callable[[Any, Device], object]) -> PermissionResult:
        one_of(("microphone",))("name", name)
        try:
            probe(load_sounddevice(), self._device)
        except AudioPermissionError:
            return PermissionResult(PermissionStatus.DENIED, can_request=False)
        except (AudioDeviceError, AudioUnavailableError):
            return PermissionResult(PermissionStatus.UNAVAILABLE, can_request=False)
        return PermissionResult(PermissionStatus.GRANTED, can_request=True)


def device_name(device: Device) -> str:
    """Return a device as it was chosen, for a repr."""
    if device is None:
        return "default device"
    return f"device {quoted(device) if isinstance(device, str) else device}"


def _find(sounddevice: Any, device: Device) -> Any:
    """Return the description of the input device; raise one of the three audio errors."""
    try:
        found = sounddevice.query_devices(device, "input")
    except device_errors(sounddevice) as error:
        raise as_audio_error(error, "find the microphone") from error
    if not found["max_input_channels"]:
        raise AudioDeviceError(f"cannot find the microphone: {found['name']} has no input")
    return found


def _try_to_open(sounddevice: Any, device: Device) -> None:
    found = _find(sounddevice, device)
    stream: Optional[Any] = None
    try:
        # at its own rate: whether it supports others does not matter here
        stream = sounddevice.RawInputStream(
            device=device, samplerate=found["default_samplerate"], channels=1, dtype="int16"
        )
        stream.start()
    except device_errors(sounddevice) as error:
        raise as_audio_error(error, "open the microphone") from error
    finally:
        if stream is not None:
            stream.close()
