"""Multipart forms (RFC 7578), as the upload endpoints take them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional

from .problems import Problem, bad_request
from .rest_common import invalid
from .routes import Request

__all__ = ["Form", "read_form"]

_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})"?')
_NAME = re.compile(r'\bname="([^"]*)"')
_FILENAME = re.compile(r'\bfilename="([^"]*)"')
_MOST_PARTS = 20


@dataclass
class Form:
    """Holds the text fields, and the one file."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: Optional[str] = None
    content: bytes = field(default=b"", repr=False)


def read_form(request: Request) -> Form:
    """Read a form with a file. Raises `Problem` 400."""
    kind = request.headers.get("content-type", "")
    found = _BOUNDARY.search(kind)
    if not kind.lower().startswith("multipart/form-data") or found is None:
        raise bad_request("The body must be multipart/form-data.")
    form = Form()
    for head, start, end in _parts(request.body, b"--" + found.group(1).encode("latin-1")):
        _take(form, head, request.body, start, end)
    if form.filename is None:
        raise invalid("file", "Field required.")
    if not form.content:
        raise invalid("file.file", "The file is empty.")
    return form


def _take(form: Form, head: str, body: bytes, start: int, end: int) -> None:
    name, filename = _NAME.search(head), _FILENAME.search(head)
    if name is None:
        raise bad_request("A part of the form has no name.")
    if name.group(1) == "file" and filename is not None:
        form.filename = filename.group(1).replace("%22", '"')
        form.content = body[start:end]
        return
    try:
        form.fields[name.group(1)] = body[start:end].decode("utf-8")
    except UnicodeDecodeError:
        raise invalid(name.group(1), "Input should be valid UTF-8.") from None


def _parts(body: bytes, mark: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield head, start and end of each part; slices only once it is known what they are."""
    at = body.find(mark)
    for _ in range(_MOST_PARTS):
        if at < 0:
            break
        at += len(mark)
        if body[at : at + 2] == b"--":
            return
        blank = body.find(b"\r\n\r\n", at)
        following = body.find(b"\r\n" + mark, blank + 2)
        if blank < 0 or following < 0:
            break
        yield body[at:blank].decode("utf-8", "replace"), blank + 4, following
        at = following + 2
    raise Problem("invalid_request", "The form is malformed.")
