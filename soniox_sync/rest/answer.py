"""One answer: its status judged, its body to be read, every failure told in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from ..cancel import CancelToken
from ..errors import SonioxHttpError
from . import failures
from .exchange import CANCELLED, LEFT, TIMED_OUT, Exchange
from .place import Place
from .wire import Body, CutBody, socket_of

if TYPE_CHECKING:
    import requests

_CLIENT_CLOSED = "the client was closed"
_MAX_ERROR = 256 * 1024
# what another attempt may not meet again
PASSING = frozenset({408, 429, *range(500, 600)})


class Answer:
    """Is an answer whose status is a success and whose body is still to be read."""

    def __init__(
        self,
        place: Place,
        exchange: Exchange,
        cancel: Optional[CancelToken],
        timeout_sec: float,
        sent: Any = None,
    ) -> None:
        self.place = place
        self.exchange = exchange
        self._cancel = cancel
        self._timeout_sec = timeout_sec
        self._sent = sent
        self._response: Optional[requests.Response] = None
        self._body: Optional[Body] = None

    @classmethod
    def gone(cls, place: Place) -> Answer:
        """Stand for the answer to a deletion that had been carried out before."""
        return cls(place, Exchange(None, None), None, 0.0)

    @property
    def response(self) -> Optional[requests.Response]:
        """Give the response; its body belongs to this object."""
        return self._response

    @response.setter
    def response(self, response: requests.Response) -> None:
        self._response = response
        self._body = Body(response)
        self.exchange.adopt(socket_of(response))

    @property
    def status(self) -> int:
        """Give the HTTP status, 0 before there is one."""
        return 0 if self._response is None else self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers, whose names have no case."""
        return {} if self._response is None else self._response.headers

    @property
    def trailers(self) -> Mapping[str, str]:
        """Give the trailers, by lower-case names; complete once the body was read."""
        return {} if self._body is None else self._body.trailers

    def judge(self) -> None:
        """Raise the error for a status that is no success."""
        assert self._response is not None and self._body is not None
        if 200 <= self.status < 300:
            return
        # a server that is overloaded, or going down, often closes after such an answer
        self._body.keeps_line = self.status not in PASSING
        try:
            body = self.read_all(_MAX_ERROR)
        except SonioxHttpError as error:
            if error.code != "network_error":
                raise
            body = b""  # the status alone says more than a body that broke off
        raise failures.from_status(self.place, self._response, body)

    def read_all(self, limit: int) -> bytes:
        """Read the rest of the body."""
        if self._body is None:
            return b""
        with self.explained():
            return self._body.read_all(limit)

    def piece(self) -> Optional[bytes]:
        """Read what comes next; `None` once the body came whole."""
        assert self._body is not None
        with self.explained():
            return next(self._body, None)

    def close(self) -> None:
        """Give the connection back, or up if the body was not read to its end.

        Idempotent, from any thread: one that reads is woken.
        """
        if self._body is not None and not self._body.whole:
            self.exchange.end(LEFT)
        self.exchange.over()
        if self._body is not None:
            self._body.close()

    def explained(self) -> _Explained:
        """Turn what is raised inside into an error of ours."""
        return _Explained(self)

    def explain(self, error: BaseException) -> BaseException:
        """Give our error for what `requests`, urllib3, `http.client` or a socket raised.

        What the upload's own source raised is given back as it is.
        """
        own: Optional[BaseException] = getattr(self._sent, "failure", None)
        if own is not None:
            return own
        cause = self.exchange.cause
        if cause == TIMED_OUT:
            return failures.late(self.place, self._timeout_sec)
        if cause == CANCELLED and self._cancel is not None:
            return failures.aborted(self.place, str(self._cancel.error()))
        if cause is not None:
            what = "the answer was closed before its end" if cause == LEFT else _CLIENT_CLOSED
            return failures.aborted(self.place, what)
        if isinstance(error, CutBody):
            return failures.lost(self.place, error)
        from .causes import explain

        return explain(self.place, error, self._timeout_sec)


class _Explained:
    """Is the context manager of `Answer.explained`.

    The error raised does not hang on to that of `requests`, which holds the request and with it
    the key; what lies below it becomes the cause.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        if error is None or not isinstance(error, Exception):
            return
        ours = self._answer.explain(error)
        if ours is error:
            return
        ours.__suppress_context__ = True
        try:
            raise ours
        finally:
            ours.__context__ = None
