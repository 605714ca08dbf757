"""Multipart forms (RFC 7578), as the upload endpoints accept them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from ..problems import Problem, bad_request
from ..server.routes import Request
from .common import invalid

__all__ = ["Form", "Part", "form_parts", "read_form"]

_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})"?')
_NAME = re.compile(r'\bname="([^"]*)"')
_FILENAME = re.compile(r'\bfilename="([^"]*)"')
_MOST_PARTS = 20


@dataclass
class Form:
    """Text fields of a form, and its one file."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: Optional[str] = None
    content: bytes = field(default=b"", repr=False)


class Part(NamedTuple):
    """One field of a form, or a file if it has a name."""

    name: str
    filename: Optional[str]
    content: bytes


def read_form(request: Request) -> Form:
    """Return the form in the body of a request, which must contain a file.

    Raises
        Problem: 400.
    """
    form = Form()
    for part in form_parts(request):
        if part.name == "file" and part.filename is not None:
            form.filename, form.content = part.filename, part.content
            continue
        try:
            form.fields[part.name] = part.content.decode("utf-8")
        except UnicodeDecodeError:
            raise invalid(part.name, "Input should be valid UTF-8.") from None
    if form.filename is None:
        raise invalid("file", "Field required.")
    if not form.content:
        raise invalid("file.file", "The file is empty.")
    return form


def form_parts(request: Request) -> Iterator[Part]:
    """Yield the parts of the form in the body of a request.

    Raises
        Problem: 400.
    """
    kind = request.headers.get("content-type", "")
    found = _BOUNDARY.search(kind)
    if not kind.lower().startswith("multipart/form-data") or found is None:
        raise bad_request("The body must be multipart/form-data.")
    body = request.body
    for head, start, end in _parts(body, b"--" + found.group(1).encode("latin-1")):
        name, filename = _NAME.search(head), _FILENAME.search(head)
        if name is None:
            raise bad_request("A part of the form has no name.")
        of_file = None if filename is None else filename.group(1).replace("%22", '"')
        yield Part(name.group(1), of_file, body[start:end])


def _parts(body: bytes, mark: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the head of each part and where its content starts and ends, without copying it."""
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
