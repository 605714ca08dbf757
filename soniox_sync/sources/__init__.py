"""Where audio comes from: files, iterables, pipes, microphones, and your own `AudioSource`.

Names are loaded on first use; no audio library is imported before a microphone starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import lazy_names

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

lazy_names(
    globals(),
    {
        "base": "AudioSource AudioSourceHandlers SourceAudio",
        "choose": "as_source",
        "file": "FileSource",
        "iterable": "IterableSource",
        "microphone": "MicrophoneSource",
        "permissions": """
            DevicePermissionResolver PermissionResolver PermissionResult PermissionStatus
        """,
        "pipe": "PipeSource",
    },
)
