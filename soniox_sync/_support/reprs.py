"""Building blocks of reprs: readable sizes, counts, shortened texts.

A repr shows state and never a key; it calls no user code, takes no lock and does no I/O.
"""

from __future__ import annotations

import re
from typing import Optional

# a longer value would bury the rest of a repr
_SHOWN_CHARS = 80


def summary(thing: object, *parts: object) -> str:
    """Return `<Type part part>`; `None` and empty texts are left out."""
    shown = [str(part) for part in parts if part is not None and part != ""]
    return f"<{' '.join([type(thing).__name__, *shown])}>"


def byte_size(num_bytes: int) -> str:
    """Return a readable number of bytes: `512 bytes`, `41.2 KB` (of 1000 bytes)."""
    if num_bytes < 1000:
        return counted(num_bytes, "byte")
    shown, unit = num_bytes / 1000, "KB"
    for larger in ("MB", "GB", "TB"):
        if shown < 999.95:  # else it would be rounded to 1000.0
            break
        shown, unit = shown / 1000, larger
    return f"{shown:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 stream`, `2 streams`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shortened(text: str, limit: int = _SHOWN_CHARS) -> str:
    """Cut `text` to at most `limit` characters; `...` replaces the rest."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def quoted(text: str) -> str:
    """Return the repr of a text, shortened: `'The quick brown fox jumps over the lazy...'`."""
    return repr(shortened(str(text)))


def audio_shape(
    audio_format: str, sample_rate: Optional[int] = None, num_channels: Optional[int] = None
) -> str:
    """Return what is known of an audio format: `pcm_s16le 16000 Hz`. One channel is not shown."""
    rate = f" {sample_rate} Hz" if sample_rate else ""
    channels = f" {num_channels} channels" if (num_channels or 1) > 1 else ""
    return f"{audio_format}{rate}{channels}"


def file_name(file: object) -> str:
    """Show a path or a file object by the last part of its name; by its type if it has none."""
    name = file
    if not isinstance(file, (str, bytes)):
        path = getattr(file, "__fspath__", None)
        try:
            name = path() if callable(path) else getattr(file, "name", None)
        except ValueError:  # a file object whose buffer was detached
            name = None
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if not isinstance(name, str):  # an int is the descriptor of a pipe
        return type(file).__name__
    return quoted(re.split(r"[\\/]", name.rstrip("/\\"))[-1])
