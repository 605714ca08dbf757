"""Where audio comes from: files, iterables, pipes, microphones, and your own `AudioSource`.

Names are loaded on first use; no audio library is imported before a microphone starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import AudioSource, AudioSourceHandlers, SourceAudio
    from .choose import as_source
    from .file import FileSource
    from .iterable import IterableSource
    from .microphone import MicrophoneSource
    from .permissions import (
        DevicePermissionResolver,
        PermissionResolver,
        PermissionResult,
        PermissionStatus,
    )
    from .pipe import PipeSource

__all__ = [
    "AudioSource",
    "AudioSourceHandlers",
    "DevicePermissionResolver",
    "FileSource",
    "IterableSource",
    "MicrophoneSource",
    "PermissionResolver",
    "PermissionResult",
    "PermissionStatus",
    "PipeSource",
    "SourceAudio",
    "as_source",
]

_MODULE_OF = {
    "AudioSource": "base",
    "AudioSourceHandlers": "base",
    "DevicePermissionResolver": "permissions",
    "FileSource": "file",
    "IterableSource": "iterable",
    "MicrophoneSource": "microphone",
    "PermissionResolver": "permissions",
    "PermissionResult": "permissions",
    "PermissionStatus": "permissions",
    "PipeSource": "pipe",
    "SourceAudio": "base",
    "as_source": "choose",
}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value
