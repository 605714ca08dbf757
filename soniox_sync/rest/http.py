"""Every HTTP call goes through here: one session per process, retries, deadlines, no redirects.

A call that is repeated must do no harm, so only GET and DELETE are, and anything when the
connection could not even be made. How often, after which statuses and how long to pause is decided
by urllib3's `Retry`; the loop is ours because that of urllib3 knows neither cancel tokens nor
deadlines, sleeps for as long as a server wishes, and does not cover the reading of the body.
"""

from __future__ import annotations

import json
import logging
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union
from urllib.parse import urlsplit

from ..cancel import CancelToken
from ..config import ResolvedConnectionConfig
from ..config._urls import is_loopback
from ..errors import ConfigurationError, SonioxHttpError, StateError
from ..forks import remember
from ..tls import TlsSettings
from ..transport.deadline import Deadline, wait_for
from ..transport.latch import Latch
from . import failures
from .answer import Answer
from .exchange import CANCELLED, CLOSED, Exchange
from .place import Place
from .records import Unreadable
from .retries import Retries

if TYPE_CHECKING:
    import requests

_log = logging.getLogger("soniox_sync")

T = TypeVar("T")
Params = Mapping[str, Union[str, int, list[str], None]]

# a transcript of 300 minutes is about 10 MB of JSON
_MAX_JSON = 256 * 1024 * 1024
_MAX_ERROR = 256 * 1024


@dataclass(frozen=True)
class Call:
    """Is one call to make. `path` begins with a slash; `service` is `"api"` or `"tts"`.

    `body`: what is sent: a JSON object, bytes, or a stream with `len` that can be read anew.
    `timed`: the whole call, repetitions included, ends at the client's `timeout_sec`, or `within`
    that many seconds; otherwise `timeout_sec` is the longest that one read or write may block.
    """

    method: str
    path: str
    service: str = "api"
    params: Params = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timed: bool = True
    within: Optional[float] = None


@dataclass(frozen=True)
class HttpSettings:
    """Is what the client says about HTTP. `resolve(usage)` gives addresses and key."""

    resolve: Callable[[str], tuple[ResolvedConnectionConfig, str]] = field(repr=False)
    tls: TlsSettings
    user_agent: str
    timeout_sec: float = 30.0
    max_retries: int = 2
    proxy: Optional[str] = field(default=None, repr=False)
    session: Optional[requests.Session] = None


class Http:
    """Makes the HTTP calls of one client. Thread-safe; a forked child gets a session of its own."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._orphan()
        remember(self)

    def _orphan(self) -> None:
        """Begin without connections: at the start, and in a forked child."""
        # Guards _session, _calls and _closed. Held while `requests` is imported, once. Leaf.
        self._lock = threading.Lock()
        self._session: Optional[requests.Session] = None
        self._calls: weakref.WeakSet[Union[Exchange, _Pause]] = weakref.WeakSet()
        self._closed = getattr(self, "_closed", False)

    @property
    def timeout_sec(self) -> float:
        """Give the client's limit for one call."""
        return self._settings.timeout_sec

    def close(self) -> None:
        """End the calls under way and close the connections; idempotent, from any thread."""
        with self._lock:
            self._closed = True
            session, self._session = self._session, None
            calls = list(self._calls)
        for call in calls:
            call.end(CLOSED)
        if session is not None and session is not self._settings.session:
            session.close()

    def json(self, call: Call, read: Callable[[Any], T], cancel: Optional[CancelToken] = None) -> T:
        """Make a call and give what `read` makes of the JSON it is answered with.

        Raises a `SonioxHttpError`, `AbortError` after a cancel, `StateError` after `close()`.
        """
        return self._repeated(call, cancel, lambda answer: _read_json(answer, read))

    def done(self, call: Call, cancel: Optional[CancelToken] = None) -> None:
        """Make a call whose answer has nothing to say. Raises as `json`."""
        self._repeated(call, cancel, _read_nothing)

    def open(self, call: Call, cancel: Optional[CancelToken] = None) -> Answer:
        """Make a call and give its answer to be read while it comes. Raises as `json`."""
        return self._repeated(call, cancel, lambda answer: answer)

    # -- repeating -------------------------------------------------------------------------------

    def _repeated(
        self, call: Call, cancel: Optional[CancelToken], read: Callable[[Answer], T]
    ) -> T:
        addresses, key = self._settings.resolve(_USAGE[call.service])
        base = _base(addresses, call)
        place = Place(call.method, base + call.path, key)
        data = _encoded(call)
        session = self._open_session()
        retries = Retries(self._settings.max_retries)
        limit = self.timeout_sec if call.within is None else min(self.timeout_sec, call.within)
        deadline = Deadline(limit if call.timed else None)
        repeated = False
        while True:
            attempt = _Attempt(self, session, call, place, key, data, base, cancel, deadline)
            try:
                return attempt.run(read)
            except SonioxHttpError as error:
                if repeated and call.method == "DELETE" and error.status_code == 404:
                    return read(Answer.gone(place))  # the attempt that seemed lost did it
                pause = retries.pause_after(call.method, error, deadline)
                if pause is None:
                    retries.raise_more_telling(error)
                    raise
                _log.debug("! %s; again in %.2f s", error, pause)
            repeated = True
            self.pause(pause, cancel)
            session = self._open_session()

    def pause(self, sec: float, cancel: Optional[CancelToken] = None) -> None:
        """Wait between two attempts or looks; a cancel and `close()` end it early."""
        pause = _Pause()
        self.register(pause)
        undo = None if cancel is None else cancel.on_cancel(lambda: pause.end(CANCELLED))
        try:
            wait_for(pause.over, Deadline(sec))
        finally:
            if undo is not None:
                undo()

    # -- the session -----------------------------------------------------------------------------

    def _open_session(self) -> requests.Session:
        with self._lock:
            if self._closed:
                raise StateError("the client is closed: make a new one")
            if self._session is None:
                self._session = self._settings.session or self._make_session()
            return self._session

    def _make_session(self) -> requests.Session:
        from http.cookiejar import DefaultCookiePolicy

        from .adapter import Adapter, Session

        session = Session()
        session.trust_env = self._settings.proxy is None
        # an API has no use for cookies, and what one host sets is nobody else's business
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount("http://", Adapter())
        session.mount("https://", Adapter(self._settings.tls.context))
        return session

    def proxies(self, session: requests.Session, url: str) -> Mapping[str, Any]:
        """Give `requests` its settings for a URL; loopback is never reached through a proxy."""
        proxy = self._settings.proxy
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        found = session.merge_environment_settings(url, proxies, True, None, None)
        if session is not self._settings.session:
            found["verify"] = True  # the adapter's context decides, not a file of the environment
            if proxy is None and is_loopback(urlsplit(url).hostname or ""):
                found["proxies"] = {}
        return found

    def register(self, exchange: Union[Exchange, _Pause]) -> None:
        """Let `close()` end this exchange, or this pause between two of them."""
        with self._lock:
            self._calls.add(exchange)
            closed = self._closed
        if closed:
            exchange.end(CLOSED)

    @property
    def user_agent(self) -> str:
        """Give the name of this library."""
        return self._settings.user_agent


class _Pause:
    """Is the time between two attempts."""

    def __init__(self) -> None:
        self.over = Latch()

    def end(self, cause: str) -> None:
        """Wake who waits."""
        self.over.set()


class _Attempt:
    """Makes one request, once."""

    def __init__(
        self,
        http: Http,
        session: requests.Session,
        call: Call,
        place: Place,
        key: str,
        data: Any,
        base: str,
        cancel: Optional[CancelToken],
        deadline: Deadline,
    ) -> None:
        self._http = http
        self._session = session
        self._call = call
        self._place = place
        self._key = key
        self._data = data
        self._url = base + call.path
        self._cancel = cancel
        self._deadline = deadline

    def run(self, read: Callable[[Answer], T]) -> T:
        """Send, judge the status, read. Raises an error of ours."""
        if self._cancel is not None and self._cancel.cancelled:
            raise failures.aborted(self._place, str(self._cancel.error()))
        exchange = Exchange(self._cancel, self._deadline.remaining())
        self._http.register(exchange)
        answer = Answer(
            self._place, exchange, self._cancel, self._http.timeout_sec, self._call.body
        )
        keep = False
        try:
            _log.debug("> %s", self._place.name)
            answer.response = self._send(answer)
            _log.debug("< %s %d", self._place.name, answer.status)
            answer.judge()
            result = read(answer)
            keep = result is answer
            return result
        finally:
            if not keep:
                answer.close()

    def _send(self, answer: Answer) -> requests.Response:
        import requests

        limit = self._deadline.at_most(self._http.timeout_sec) or 0.001  # 0 would not wait at all
        prepared = self._session.prepare_request(
            requests.Request(
                self._call.method,
                self._url,
                headers=self._headers(),
                params={k: v for k, v in self._call.params.items() if v is not None},
                data=self._data,
                auth=_Bearer(self._key),
            )
        )
        settings = self._http.proxies(self._session, prepared.url or self._url)
        with answer.explained(), answer.exchange.running():
            return self._session.send(
                prepared, timeout=(limit, limit), allow_redirects=False, **settings
            )

    def _headers(self) -> dict[str, str]:
        headers = {
            "User-Agent": self._http.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        if isinstance(self._call.body, Mapping):
            headers["Content-Type"] = "application/json"
        return {**headers, **self._call.headers}


class _Bearer:
    """Puts the key into the header; as `auth`, or `requests` would prefer a netrc file."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


# what the client's config callable is told the call is for
_USAGE = {"api": "transcribe_websocket", "tts": "tts_rt"}


def _base(addresses: ResolvedConnectionConfig, call: Call) -> str:
    return addresses.tts_api_url if call.service == "tts" else addresses.api_url


def _encoded(call: Call) -> Any:
    if not isinstance(call.body, Mapping):
        return call.body
    try:
        return json.dumps(call.body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError) as error:  # a lone surrogate is a UnicodeEncodeError
        raise ConfigurationError(f"{call.path}: a value cannot be sent as JSON: {error}") from None


def _read_json(answer: Answer, read: Callable[[Any], T]) -> T:
    body = answer.read_all(_MAX_JSON)
    try:
        return read(json.loads(body))
    except Unreadable as error:
        why = str(error)
    except (ValueError, RecursionError) as error:
        why = "it is empty" if not body else f"it is no JSON, {type(error).__name__}"
    raise failures.malformed(answer.place, answer.response, body, why)


def _read_nothing(answer: Answer) -> None:
    answer.read_all(_MAX_ERROR)
