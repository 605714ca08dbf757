"""`Response`: checks the status, reads the body, and maps every failure to our errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional

from .._support.reprs import summary
from ..cancel import CancelToken
from ..errors import AbortError, SonioxHttpError, StateError
from . import errors
from .body import Body, BodyError, socket_of
from .exchange import ABANDONED, CANCELLED, TIMED_OUT, Exchange
from .request import RequestInfo

if TYPE_CHECKING:
    import requests

    from ..runtime.trace.exchange import ExchangeTrace

# trailers of a failure after the first audio (PROTOCOL 4)
_CODE, _MESSAGE = "x-tts-error-code", "x-tts-error-message"
# no error has a longer body
MAX_ERROR_BYTES = 256 * 1024
# a later attempt may have another status
TRANSIENT_STATUSES = frozenset({408, 429, *range(500, 600)})


class Response:
    """Response to one request, from before it is received until its body is read.

    `sent`: the body of the request, whose `failure` is the exception of its own source.
    """

    def __init__(
        self,
        request: RequestInfo,
        exchange: Exchange,
        cancel: Optional[CancelToken],
        timeout_sec: float,
        sent: Any = None,
    ) -> None:
        self.request = request
        self.exchange = exchange
        self._cancel = cancel
        self._timeout_sec = timeout_sec
        self._sent = sent
        self.trace: Optional[ExchangeTrace] = None  # records it; set before the request is sent
        self._received: Optional[requests.Response] = None
        self._body: Optional[Body] = None

    @classmethod
    def deleted_before(cls, request: RequestInfo) -> Response:
        """Return a response to a deletion that an earlier attempt has carried out already."""
        return cls(request, Exchange(None, None), None, 0.0)

    def __repr__(self) -> str:
        return summary(self, self.request.name, self.status or "not received")

    @property
    def received(self) -> Optional[requests.Response]:
        """Response of `requests`, once received; its body belongs to this object."""
        return self._received

    @received.setter
    def received(self, received: requests.Response) -> None:
        self._received = received
        self._body = Body(received)
        self.exchange.watch(socket_of(received))
        if self.trace is not None:
            self.trace.response(received.status_code, received.headers)

    @property
    def status(self) -> int:
        """HTTP status, 0 before there is one."""
        return 0 if self._received is None else self._received.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers; names are case-insensitive."""
        return {} if self._received is None else self._received.headers

    @property
    def trailers(self) -> Mapping[str, str]:
        """Trailers, by lower-case names; complete once the body was read."""
        return {} if self._body is None else self._body.trailers

    def raise_for_status(self) -> None:
        """Raise the error for a status that is not a success."""
        assert self._received is not None and self._body is not None
        if 200 <= self.status < 300:
            return
        # a server that is overloaded, or going down, often closes after such a response
        self._body.keep_connection = self.status not in TRANSIENT_STATUSES
        try:
            body = self.read_all(MAX_ERROR_BYTES)
        except SonioxHttpError as error:
            if error.code != "network_error":
                raise
            body = b""  # the status alone is more useful than a truncated body
        raise errors.from_status(self.request, self._received, body)

    def late_error(self) -> Optional[SonioxHttpError]:
        """Return the error that follows the first audio, `None` if there is none (PROTOCOL 4).

        It is in the trailers, which some proxies turn into headers: read the body first.
        """
        code = self.trailers.get(_CODE) or self.headers.get(_CODE) or ""
        message = self.trailers.get(_MESSAGE) or self.headers.get(_MESSAGE) or ""
        if code in ("", "0", "200") and not message:
            return None
        redact = self.request.redactor
        said = redact.text(message or "the service failed after the first audio")
        known = len(code) == 3 and code.isdecimal() and 400 <= int(code) <= 599
        headers = redact.value(dict(self.headers))
        return errors.from_fields(self.request, int(code) if known else 500, {}, said, headers)

    def read_all(self, limit: int) -> bytes:
        """Read the rest of the body, at most `limit` bytes."""
        if self._body is None:
            return b""
        with self.mapped_errors():
            data = self._body.read_all(limit)
        if self.trace is not None:
            self.trace.body(data, self._body.trailers)
        return data

    def read_some(self) -> Optional[bytes]:
        """Return the next bytes; `None` once the body is complete."""
        assert self._body is not None
        with self.mapped_errors():
            piece = next(self._body, None)
            # data that was buffered, or comes from a mock, outlives its connection
            if piece is not None and self.exchange.cause is not None:
                raise BodyError("the call was aborted")
        if self.trace is not None:
            if piece is None:
                self.trace.end(self._body.trailers)
            else:
                self.trace.piece(piece)
        return piece

    def close(self) -> None:
        """Release the connection, which is dropped unless the body was read completely.

        Idempotent; thread-safe: a thread that is reading is interrupted.
        """
        if self._body is not None and not self._body.whole:
            self.exchange.abort(ABANDONED)
        if self.trace is not None and self._body is not None:
            self.trace.failed(AbortError("the response was closed before its end"))
        self.exchange.release()
        if self._body is not None:
            self._body.close()

    @contextmanager
    def mapped_errors(self) -> Iterator[None]:
        """Map what is raised inside to this library's errors.

        The error raised does not refer to that of `requests`, which contains the request and with
        it the key; the underlying exception becomes the cause.
        """
        try:
            yield
        except Exception as error:
            mapped = self._map(error)
            # a second reader is refused, and the first goes on
            if self.trace is not None and not isinstance(error, StateError):
                self.trace.failed(mapped)
            if mapped is error:
                raise
            mapped.__suppress_context__ = True
            try:
                raise mapped
            finally:
                mapped.__context__ = None

    def _map(self, error: Exception) -> BaseException:
        own: Optional[BaseException] = getattr(self._sent, "failure", None)
        if own is not None:
            return own  # an exception of the upload's own source is raised unchanged
        cause = self.exchange.cause
        if cause == TIMED_OUT:
            return errors.timed_out(self.request, self._timeout_sec)
        if cause == CANCELLED and self._cancel is not None:
            return errors.aborted(self.request, str(self._cancel.error()))
        if cause is not None:
            abandoned = "the response was closed before its end"
            return errors.aborted(
                self.request, abandoned if cause == ABANDONED else "the client was closed"
            )
        if isinstance(error, BodyError):
            return errors.network_error(self.request, error)
        from .exceptions import map_exception  # needs `requests`

        return map_exception(self.request, error, self._timeout_sec)
