"""Transcripts as pages: with the audio inside, or linked where it is large."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Union
from urllib.parse import quote

from ..errors import ConfigurationError
from ..transcript import Transcript
from ..transcript.words import printable
from .inputs import Input, is_url

__all__ = ["to_page"]

# Larger files are linked: a page of this size still opens at once and can be sent by mail.
_MAX_EMBEDDED_BYTES = 20 * 1024 * 1024


def to_page(transcript: Transcript, source: Optional[str], path: Optional[str]) -> str:
    """Return the page of a transcript.

    `source`: path or URL of the audio, `None` if it cannot be had again. `path`: of the page, to
    which a link is relative; `None`: unknown.
    """
    title = printable(Input(source).name) if source else "Transcript"
    if source is None:
        return transcript.to_html(title=title)
    audio = _embedded(source)
    if audio is not None:
        try:
            return transcript.to_html(audio=audio, title=title)
        except ConfigurationError:
            # samples without a header, which are of no use to a browser
            return transcript.to_html(title=title)
    return transcript.to_html(audio=_link(source, path), title=title)


def _embedded(source: str) -> Optional[bytes]:
    """Return the audio if it is small enough, `None` otherwise."""
    if is_url(source) or os.path.getsize(source) > _MAX_EMBEDDED_BYTES:
        return None
    with open(source, "rb") as file:
        return file.read()


def _link(source: str, path: Optional[str]) -> str:
    if is_url(source):
        return source
    if path is None:
        return Path(source).resolve().as_uri()
    try:
        relative: Union[str, Path] = os.path.relpath(source, os.path.dirname(path) or os.curdir)
    except ValueError:  # another drive on Windows
        return Path(source).resolve().as_uri()
    return quote(os.fsencode(Path(relative).as_posix()))  # names need not be UTF-8
