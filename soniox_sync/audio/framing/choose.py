"""Choosing the framing of a container by its first bytes."""

from __future__ import annotations

from typing import Optional

from ..signatures import container_of
from .base import Framing
from .flac import FlacFraming
from .mpeg import MpegFraming, frame_kind
from .ogg import OggFraming
from .webm import WebmFraming

_FRAMINGS: dict[str, type[Framing]] = {
    "aac": MpegFraming,
    "flac": FlacFraming,
    "mp3": MpegFraming,
    "ogg": OggFraming,
    "webm": WebmFraming,
}


def kind_of(head: bytes) -> Optional[str]:
    """Return the container that begins with `head`, also one of bare frames; `None` if unknown."""
    return container_of(head) or frame_kind(head)


def framing_of(head: bytes) -> Optional[Framing]:
    """Return a framing for the container that begins with `head`, `None` if there is none."""
    made = _FRAMINGS.get(kind_of(head) or "")
    return None if made is None else made()
