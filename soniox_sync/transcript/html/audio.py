"""The audio of a page: embedded, or linked."""

from __future__ import annotations

import base64
from typing import Any, Optional, Union

from ..._support.checks import encoded, refused, wrong_type
from ...audio.signatures import SIGNATURE_BYTES, container_of, unreadable_container

__all__ = ["source_of"]

_MEDIA_TYPES = {
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "webm": "video/webm",
}


def source_of(audio: Any) -> str:
    """Return the address that the page's player gets: of the audio itself, or where it is.

    Raises
        ConfigurationError: bytes that are not in a container, which no browser plays; no audio.
        InputTypeError: neither bytes nor a `str`.
    """
    if isinstance(audio, str):
        encoded("audio", audio)
        if not audio.strip():
            raise refused("audio", "a URL or bytes", "an empty str")
        return audio
    if not isinstance(audio, (bytes, bytearray, memoryview)):
        raise wrong_type("audio", "the bytes of an audio file, or a str with its URL", audio)
    data = bytes(audio)
    media_type = _media_type(data[:SIGNATURE_BYTES])
    if media_type is None:
        advice = "wrap samples in a WAV, with soniox_sync.audio.WavWriter"
        raise refused("audio", "a file that browsers play", "bytes without a header", advice)
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _media_type(head: bytes) -> Optional[str]:
    container: Union[str, None] = container_of(head) or unreadable_container(head)
    if container in _MEDIA_TYPES:
        return _MEDIA_TYPES[container]
    # frames of MPEG audio have no signature but eleven bits; those of AAC have layer 0
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg"
    return None
