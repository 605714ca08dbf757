"""Routes of the SLNG gateway: path, dialect and wire name of a model, and back (PROTOCOL 8)."""

from __future__ import annotations

import re
from typing import Optional
from urllib.parse import quote, unquote

from ..config._values import Unchosen
from ..protocol.dialects import SttDialect
from ..protocol.slng.dialects import (
    SLNG_STT_BRIDGE,
    SLNG_STT_PASSED,
    SLNG_STT_RT_V3,
    SLNG_STT_RT_V4,
    model_of_speech,
)

DEFAULT_STT_MODEL = "rt-v4"
DEFAULT_TTS_MODEL = "tts-rt-v1"

_STT_ROUTE = "/v1/stt/soniox/speech-ai:"
_TTS_ROUTE = "/v1/tts/soniox/"
_BRIDGE_ROUTE = "/v1/bridges/unmute/stt/"
_BRIDGE_MODEL = "unmute/"
_DIALECTS = {"rt-v3": SLNG_STT_RT_V3, "rt-v4": SLNG_STT_RT_V4}


def has_times(model: Optional[str]) -> bool:
    """Return whether the route of a transcription's model reports up to where audio is final."""
    return transcription_route(model or DEFAULT_STT_MODEL)[1].has_times


def transcription_route(model: str) -> tuple[str, SttDialect, str]:
    """Return path, dialect and the model's name on the wire."""
    name = DEFAULT_STT_MODEL if isinstance(model, Unchosen) else model
    if name.startswith(_BRIDGE_MODEL):
        behind = quote(name[len(_BRIDGE_MODEL) :], safe="/:")
        return f"{_BRIDGE_ROUTE}{behind}", SLNG_STT_BRIDGE, name
    variant = name
    for prefix in ("soniox/", "speech-ai:", "stt-"):  # as named by the gateway or the service
        variant = variant[len(prefix) :] if variant.startswith(prefix) else variant
    path = f"{_STT_ROUTE}{quote(variant, safe='')}"
    return path, _DIALECTS.get(variant, SLNG_STT_PASSED), f"stt-{variant}"


def transcription_model_in(url: str) -> Optional[str]:
    """Return the model whose transcription route a URL ends with, `None` if there is none."""
    _, bridge, name = url.partition(_BRIDGE_ROUTE)
    if bridge and name:
        return f"{_BRIDGE_MODEL}{unquote(name)}"
    named = re.search(r"/speech-ai:([^/?]+)$", url)
    return None if named is None else unquote(named.group(1))


def speech_route(model: str) -> str:
    """Return the path for a speech model: that of `tts-rt-v1` ends with `tts-rt:v1`."""
    family, _, version = quote(model_of_speech(model), safe="").rpartition("-")
    return f"{_TTS_ROUTE}{family}:{version}" if family else f"{_TTS_ROUTE}{version}"


def speech_model_in(url: str) -> Optional[str]:
    """Return the model whose speech route a URL ends with, `None` if there is none."""
    named = re.search(rf"{_TTS_ROUTE}([^/?]+)$", url)
    return None if named is None else model_of_speech(unquote(named.group(1)))
