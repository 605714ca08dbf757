"""HTTP requests of a trace, played to a client."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from ..problems import Problem
from ..rest.form import form_parts
from ..server.link import LinkDown
from ..server.routes import Answer, Request
from ..server.wire_json import read_json
from .content import REDACTED, Audio, FieldDifference, Silence, as_audio, compare
from .trace import Body, Exchange

__all__ = ["answer", "compare_request", "playable_headers"]

# headers that describe how a response was sent then, not what it is
_OF_TRANSPORT = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "date"),
        *("keep-alive", "server", "set-cookie", "trailer", "transfer-encoding", "upgrade"),
    }
)


def compare_request(exchange: Exchange, request: Request) -> Optional[FieldDifference]:
    """Return the first difference between the body of a request and the one in the trace."""
    expected = exchange.body
    if expected is None or "text" in expected:
        want = "" if expected is None else expected["text"]
        got = request.body.decode("utf-8", "replace")
        return compare(want, got, "body")
    if "json" in expected:
        try:
            return compare(expected["json"], read_json(request.body))
        except ValueError:
            return FieldDifference("body", "JSON", "something else")
    if "form" in expected:
        return compare(_comparable(expected["form"]), _comparable(_form_of(request)), "form")
    sent = expected.get("binary")
    if not isinstance(sent, dict) or sent.get("bytes") is None:
        return None  # read by the connection alone, so that the trace does not know it
    audio = as_audio(sent)
    if audio is None:
        return None
    digest = hashlib.sha256(request.body).hexdigest()[: len(audio.digest)]
    got = f"{len(request.body)} bytes"
    if audio.size != len(request.body):
        return FieldDifference("body", f"{audio.size} bytes", got)
    if digest != audio.digest:
        return FieldDifference("body", f"the digest {audio.digest}", digest)
    return None


def _form_of(request: Request) -> list[Mapping[str, Any]]:
    """Return the parts of a multipart form as a trace describes them."""
    try:
        return [
            {"name": part.name, "filename": part.filename, "bytes": len(part.content)}
            for part in form_parts(request)
        ]
    except Problem:
        return []


def _comparable(parts: Any) -> Any:
    """Return the parts of a form without what differs from run to run, and without `null`."""
    return [
        {name: value for name, value in part.items() if value is not None}
        for part in parts
        if part.get("name") != "client_reference_id"
    ]


def answer(exchange: Exchange, request: Request, speed: Optional[float]) -> Answer:
    """Return the response of the trace, after its delay.

    Raises
        LinkDown: there was none, and the connection is to be cut; or the client has gone.
    """
    if exchange.status is None:
        if "timed out" in (exchange.error or "").lower():
            request.wait_gone(None)
        raise LinkDown("the trace has no response")
    _wait(exchange.answered - exchange.clock, speed, request)
    headers = playable_headers(exchange.headers)
    content_type = _content_type(exchange.headers)
    if _is_whole(exchange):
        body = b"".join(_played(exchange.pieces, _silence(exchange)))
        return Answer(exchange.status, body, content_type, headers)
    return Answer(exchange.status, _pieces(exchange, request, speed), content_type, headers)


def playable_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a response that can be sent again."""
    return {
        name: value
        for name, value in headers.items()
        if isinstance(value, str)
        and name.lower() not in _OF_TRANSPORT
        and not name.lower().startswith("sec-websocket-")
        and REDACTED not in value
        and (name + value).isascii()
        and (name + value).isprintable()
    }


def _content_type(headers: Mapping[str, str]) -> str:
    found = (value for name, value in headers.items() if name.lower() == "content-type")
    value = next(found, None)
    usable = isinstance(value, str) and value.isascii() and value.isprintable()
    return value if usable and value else "application/octet-stream"


def _is_whole(exchange: Exchange) -> bool:
    """Return whether the body was read as one piece, and to its end."""
    pieces = exchange.pieces
    return exchange.error is None and (not pieces or (len(pieces) == 1 and pieces[0].last))


def _silence(exchange: Exchange) -> Silence:
    asked = exchange.asked
    return Silence(asked.get("audio_format", "wav"), asked.get("sample_rate"))


def _played(pieces: Iterable[Body], silence: Silence) -> Iterator[bytes]:
    """Yield the bytes of each piece."""
    for piece in pieces:
        content = piece.content
        if isinstance(content, Audio):
            yield silence.take(content)
        elif isinstance(content, (bytes, str)):
            yield content.encode("utf-8") if isinstance(content, str) else content
        else:
            yield json.dumps(content, ensure_ascii=False).encode("utf-8")


def _pieces(exchange: Exchange, request: Request, speed: Optional[float]) -> Iterator[bytes]:
    """Yield the pieces of a body at their times; cut it where the trace does not have its end."""
    before = exchange.answered
    for piece, data in zip(exchange.pieces, _played(exchange.pieces, _silence(exchange))):
        _wait(piece.clock - before, speed, request)
        before = piece.clock
        if data:  # an empty chunk would end the body
            yield data
        if piece.last:
            return
    raise LinkDown("the trace has no end of this body")


def _wait(sec: float, speed: Optional[float], request: Request) -> None:
    if speed is None or sec <= 0:
        return
    if request.wait_gone(min(sec / speed, threading.TIMEOUT_MAX)):
        raise LinkDown("gone")
