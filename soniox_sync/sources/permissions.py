"""May the microphone be used: asked without opening it, or by opening it for a moment."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Optional, Protocol, Union

from ..errors import (
    AudioDeviceError,
    AudioPermissionError,
    AudioUnavailableError,
    ConfigurationError,
)
from ._portaudio import as_audio_error, device_errors, load_sounddevice

__all__ = ["DevicePermissionResolver", "PermissionResolver", "PermissionResult", "PermissionStatus"]


class PermissionStatus(str, enum.Enum):
    """Says how a permission stands; equal to the plain string. Source: PROTOCOL 9.

    `granted`; `denied`: by the user or the system; `prompt`: the user would be asked;
    `unavailable`: there is nothing to permit, no device or no audio library.
    """

    GRANTED = "granted"
    DENIED = "denied"
    PROMPT = "prompt"
    UNAVAILABLE = "unavailable"

    __str__ = str.__str__


@dataclass(frozen=True)
class PermissionResult:
    """Is the answer of a `PermissionResolver`; `can_request`: whether `request` may change it."""

    status: PermissionStatus
    can_request: bool


class PermissionResolver(Protocol):
    """Tells whether a recording may use a device; `name` is `"microphone"`. Source: PROTOCOL 9."""

    def check(self, name: str) -> PermissionResult:
        """Tell how the permission stands. Never asks the user."""

    def request(self, name: str) -> PermissionResult:
        """Ask for the permission if that is possible, and tell how it stands then. May block."""


class DevicePermissionResolver:
    """Asks PortAudio; for programs on a desktop. Needs the extra `audio`. Thread-safe.

    `device`: as for `MicrophoneSource`, `None` is the system's own choice.
    """

    def __init__(self, *, device: Union[int, str, None] = None) -> None:
        self._device = device

    def check(self, name: str) -> PermissionResult:
        """Tell `granted` when there is an input device, else `unavailable`.

        Opens nothing and never asks. PortAudio does not know what the system will say once the
        microphone is opened, `request` finds that out.

        Raises
            ConfigurationError: `name` is not `"microphone"`.
        """
        _check_name(name)
        try:
            _find(load_sounddevice(), self._device)
        except (AudioDeviceError, AudioPermissionError, AudioUnavailableError) as error:
            return _result_of(error)
        return PermissionResult(PermissionStatus.GRANTED, can_request=True)

    def request(self, name: str) -> PermissionResult:
        """Open the microphone for a moment, on which a system that asks does so; tell the outcome.

        Raises
            ConfigurationError: `name` is not `"microphone"`.
        """
        _check_name(name)
        try:
            _try(load_sounddevice(), self._device)
        except (AudioDeviceError, AudioPermissionError, AudioUnavailableError) as error:
            return _result_of(error)
        return PermissionResult(PermissionStatus.GRANTED, can_request=True)


def _check_name(name: str) -> None:
    if name != "microphone":
        raise ConfigurationError(f'the only permission there is is "microphone", not {name!r}')


def _find(sounddevice: Any, device: Union[int, str, None]) -> Any:
    """Describe the input device. Raises one of the three audio errors."""
    try:
        found = sounddevice.query_devices(device, "input")
    except device_errors(sounddevice) as error:
        raise as_audio_error(error, "find the microphone") from error
    if not found["max_input_channels"]:
        raise AudioDeviceError(f"cannot find the microphone: {found['name']} has no input")
    return found


def _try(sounddevice: Any, device: Union[int, str, None]) -> None:
    found = _find(sounddevice, device)
    stream: Optional[Any] = None
    try:
        # its own rate: whether a wanted one is offered is not the question here
        stream = sounddevice.RawInputStream(
            device=device, samplerate=found["default_samplerate"], channels=1, dtype="int16"
        )
        stream.start()
    except device_errors(sounddevice) as error:
        raise as_audio_error(error, "open the microphone") from error
    finally:
        if stream is not None:
            stream.close()


def _result_of(error: Exception) -> PermissionResult:
    if isinstance(error, AudioPermissionError):
        return PermissionResult(PermissionStatus.DENIED, can_request=False)
    return PermissionResult(PermissionStatus.UNAVAILABLE, can_request=False)
