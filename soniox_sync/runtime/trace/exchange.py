"""Lines of one HTTP exchange: the request, its response, and the body as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ..redaction import MASK, secrets_of_proxy
from .content import Content, Encoder
from .redaction import Redaction, known, secrets_of_url
from .trace import Trace, describe, harmless


class ExchangeTrace:
    """Recorder of one HTTP exchange. For the thread that makes the call, and one that closes it.

    `key`: that of the request.
    """

    def __init__(self, trace: Trace, key: str, url: str) -> None:
        self.trace = trace
        self._number = trace.next_exchange()
        self._redaction = Redaction((key, *secrets_of_url(url)))
        self._encoder = Encoder(self._redaction, trace.audio)
        self._over = False  # the last piece of the body, or the failure, is recorded

    @harmless
    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, proxies: Iterable[str]
    ) -> None:
        """Record a request before it is sent; `body` and `proxies` as `requests` gets them."""
        for proxy in proxies:
            known.learn(secrets_of_proxy(proxy))
        known.learn(secrets_of_url(url))  # also of what a given session adds to it
        self._redaction.learn_headers({k: str(v) for k, v in headers.items()})
        content = self._request_body(body)
        self._write(
            "request",
            method=method,
            url=self._redaction.text(url),
            headers=self._redaction.headers(headers),
            body=content,
        )

    def _request_body(self, body: Any) -> Optional[Content]:
        if body is None or body == b"":
            return None
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        if isinstance(body, (bytes, bytearray, memoryview)):
            body = bytes(body)
            try:
                body.decode("utf-8")
            except UnicodeDecodeError:
                return self._encoder.binary(body)
            return self._encoder.sent(body)
        parts = getattr(body, "parts", None)
        if parts is not None:
            return {"form": self._redaction.value(parts)}
        # a stream that only the connection reads
        return {"binary": {"bytes": getattr(body, "len", None), "sha256": None}}

    @harmless
    def response(self, status: int, headers: Mapping[str, str]) -> None:
        """Record status and headers of the response."""
        self._write("response", status=status, headers=self._redaction.headers(headers))

    @harmless
    def body(self, data: bytes, trailers: Mapping[str, str]) -> None:
        """Record a whole body, which ends the exchange."""
        self._last(self._encoder.body(data), trailers)

    @harmless
    def piece(self, data: bytes) -> None:
        """Record a piece of audio as it arrived."""
        if not self._over:
            self._write("body", **self._encoder.binary(data), last=False)

    @harmless
    def end(self, trailers: Mapping[str, str]) -> None:
        """Record the end of a body that was read in pieces: an empty one, the last."""
        self._last(self._encoder.binary(b""), trailers)

    def _last(self, content: Content, trailers: Mapping[str, str]) -> None:
        if not self._over:
            self._over = True
            more = {"trailers": self._redaction.headers(trailers)} if trailers else {}
            self._write("body", **content, last=True, **more)

    @harmless
    def failed(self, error: BaseException) -> None:
        """Record what ended the exchange early; only the first time, and not after its end."""
        if not self._over:
            self._over = True
            self._write("failed", error=describe(self._redaction, error) or MASK)

    def _write(self, kind: str, **fields: Any) -> None:
        self.trace.write({"kind": kind, "exchange": self._number, **fields})
