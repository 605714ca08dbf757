"""HTTP responses: status lines, headers, bodies in all framings, and what calls make of them."""

from __future__ import annotations

import http.client
import io
from typing import Any, Callable
from unittest.mock import patch

import requests
import urllib3

from soniox_sync import SonioxClient
from soniox_sync.errors import SonioxError

IS_TEXT = True
TOKENS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 \r\n", b"HTTP/1.1 429 No\r\n", b"\r\n\r\n", b"\r\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n"),
    *(b"Retry-After: 3\r\n", b"Location: //x\r\n", b"Content-Type: audio/wav\r\n", b"0\r\n\r\n"),
    *(
        b"x-tts-error-code: 500\r\n",
        b"5\r\n",
        b"2026-01-31T12:00:00.5+01:00",
        b'"next_page_cursor":',
    ),
    *(b'"error_type":"x"', b'"validation_errors":[{"location":"a","message":"b"}]', b'"message":'),
    *(b'"id":"a"', b'"status":"queued"', b'"created_at":"2026-01-31T12:00:00Z"', b'"tokens":[{'),
    *(
        b"x-request-id: r\r\n",
        b"HTTP/1.1 301 Moved\r\n",
        b"HTTP/1.1 204 \r\n",
        b"1e400",
        b'"models":[',
    ),
)
_SPEECH = {"voice": "v", "language": "en", "audio_format": "wav"}
_ID = "00000000-0000-0000-0000-000000000000"
_CALLS: tuple[Callable[[SonioxClient], Any], ...] = (
    lambda client: client.models.list(),
    lambda client: client.tts_models.list(),
    lambda client: client.stt.get(_ID),
    lambda client: client.stt.get_transcript(_ID),
    lambda client: client.files.list(),
    lambda client: client.files.get_or_none(_ID),
    lambda client: client.voices.list(),
    lambda client: client.usage.summary("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    lambda client: client.usage_logs.list("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    lambda client: client.concurrency_limits.get(),
    lambda client: client.tts.generate("Hi", **_SPEECH),
    lambda client: list(client.tts.generate_stream("Hi", **_SPEECH)),
    lambda client: client.request("GET", "/new"),
    lambda client: client.auth.create_temporary_api_key(usage_type="tts_rt", expires_in_seconds=60),
    lambda client: client.files.delete_if_exists(_ID),
    lambda client: list(client.files.list_all()),
)


class _Wire(requests.adapters.HTTPAdapter):
    """Adapter whose server sends the same bytes to every call."""

    data = b""

    def send(self, request: requests.PreparedRequest, *_args: Any, **_more: Any) -> Any:
        """Read the response as urllib3 does, up to the body."""
        original = http.client.HTTPResponse(_Socket(self.data), method=request.method)  # type: ignore[arg-type]
        try:
            original.begin()
            found = urllib3.HTTPResponse(
                body=original,  # type: ignore[arg-type]
                headers=original.headers,  # type: ignore[arg-type]
                status=original.status,
                version=original.version,
                reason=original.reason,
                preload_content=False,
                decode_content=False,
                original_response=original,
                request_method=request.method,
            )
        except (http.client.HTTPException, ValueError, OSError) as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        return self.build_response(request, found)


class _Socket:
    """Socket from which only the response can be read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_args: Any) -> io.BufferedReader:
        """Return what a server sent."""
        return io.BufferedReader(io.BytesIO(self._data))  # type: ignore[arg-type]


def _client() -> tuple[SonioxClient, _Wire]:
    session, wire = requests.Session(), _Wire(max_retries=0)
    session.mount("http://", wire)
    session.mount("https://", wire)
    session.trust_env = False
    client = SonioxClient("secret-key", http_session=session, max_retries=0)
    return client, wire


_made: list[tuple[SonioxClient, _Wire]] = []


def check(data: bytes) -> None:
    """Make a call that is answered with these bytes: a result, or an error of this library."""
    if not _made:
        _made.append(_client())
    client, wire = _made[0]
    wire.data = data[1:]
    call = _CALLS[data[0] % len(_CALLS) if data else 0]
    try:
        with patch("time.sleep"):
            repr(call(client))
    except SonioxError as error:
        shown = f"{error} {error!r} {vars(error)!r}"
        assert "secret-key" not in shown
