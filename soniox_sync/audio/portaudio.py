"""Access to PortAudio: `sounddevice`, imported on first use, and conversion of its errors."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import AudioDeviceError, AudioPermissionError, AudioSourceError, AudioUnavailableError

# there is no common error code for a refusal; these are words of ALSA, WASAPI, MME, CoreAudio
_REFUSALS = ("permission", "access denied", "access is denied", "not permitted", "unauthorized")
# E_ACCESSDENIED of Windows, also as the signed number that PortAudio passes on
_REFUSAL_CODES = frozenset({-2147024891, 0x80070005})

# PaErrorCode -> what to do next
_ADVICE = {
    -9997: "this device does not support that sample rate: try another, for instance 48000",
    -9998: "this device does not have that many channels: try 1",
    -9996: "there is no such input device: `python -m sounddevice` lists them",
    -9985: "the device is not available: another program may be using it",
}


def load_sounddevice() -> Any:
    """Import `sounddevice`, and with it PortAudio.

    Raises
        AudioUnavailableError: either is missing; the message says how to install it.
    """
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise AudioUnavailableError(
            'audio devices need the package sounddevice: python -m pip install "soniox-sync[audio]"'
        ) from error
    except OSError as error:
        # sounddevice is installed, but not the library that it wraps (only its wheels for Windows
        # and macOS contain it)
        raise AudioUnavailableError(
            f"audio devices need the PortAudio library ({error}): install it, for instance with "
            "`apt install libportaudio2`, `dnf install portaudio` or `brew install portaudio`"
        ) from error


def device_errors(sounddevice: Any) -> tuple[type[BaseException], ...]:
    """Return what `sounddevice` raises for devices; `ValueError` is for unknown names."""
    return (sounddevice.PortAudioError, ValueError)


def as_audio_error(error: BaseException, doing: str) -> AudioSourceError:
    """Convert an error of `sounddevice` to one of ours, to be raised `from` it."""
    if _is_refusal(error):
        return AudioPermissionError(
            f"cannot {doing}: the system does not allow it ({_text(error)}); allow microphone "
            "access in its privacy settings or, on Linux, join the group `audio`"
        )
    code = error.args[1] if len(error.args) > 1 else None
    advice = _ADVICE.get(code) if isinstance(code, int) else None
    return AudioDeviceError(
        f"cannot {doing}: {_text(error)}" + (f"; {advice}" if advice is not None else "")
    )


# The arguments of `PortAudioError`: text, PaErrorCode, (host API, its own code, its own text). They
# are read directly, because str() of the error asks PortAudio again.


def _is_refusal(error: BaseException) -> bool:
    host = error.args[2] if len(error.args) > 2 else ()
    if isinstance(host, tuple) and len(host) > 1 and host[1] in _REFUSAL_CODES:
        return True
    text = " ".join(str(arg) for arg in error.args).lower()
    return any(word in text for word in _REFUSALS)


def _text(error: BaseException) -> str:
    host = error.args[2] if len(error.args) > 2 else ()
    parts = [str(error.args[0])] if error.args else [type(error).__name__]
    if isinstance(host, tuple) and len(host) > 2 and host[2]:
        parts.append(str(host[2]))
    return ": ".join(parts)
