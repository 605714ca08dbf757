"""The HTTP layer: one session per process, retries, deadlines, no redirects.

Repeating a call must do no harm, so only GET and DELETE are repeated, and any call whose connection
could not be opened. How often, after which statuses and after what pause is decided by urllib3's
`Retry`; the loop is ours because urllib3's has neither cancel tokens nor deadlines, sleeps for as
long as a server asks, and does not include reading the body.
"""

from __future__ import annotations

import json
import logging
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union
from urllib.parse import urlsplit

from .._support.checks import instance_of, wrong_value
from .._support.loading import load_modules
from .._support.locks import new_lock
from .._support.reprs import summary
from .._support.tracebacks import clear_locals
from ..cancel import CancelToken
from ..config._urls import is_loopback
from ..config.constants import Usage
from ..errors import ConfigurationError, SonioxHttpError, StateError
from ..runtime import forks
from ..runtime.log import harmless
from ..service import USER_AGENT, Access, NativeService
from ..transport.deadline import Deadline, wait_for
from ..transport.latch import Latch
from ..transport.proxies import Proxy, found
from . import errors
from .exchange import CANCELLED, CLOSED, Exchange
from .multipart import Streamed
from .records import Unreadable, parse_float
from .request import RequestInfo
from .response import MAX_ERROR_BYTES, Response
from .retries import Retries

if TYPE_CHECKING:
    import requests

    from ..runtime.trace.exchange import ExchangeTrace

_log = logging.getLogger("soniox_sync")

T = TypeVar("T")
Params = Mapping[str, Union[str, int, list[str], None]]

# what a call loads, before a fork can interrupt that (see `load_modules`)
_SESSION = (
    "encodings.idna",
    "http.cookiejar",
    "soniox_sync.rest.adapter",
    "soniox_sync.rest.exceptions",
)
# a transcript of 300 minutes is about 10 MB of JSON
_MAX_JSON_BYTES = 256 * 1024 * 1024
_check_cancel = instance_of(CancelToken)


@dataclass(frozen=True)
class Call:
    """One call to make. `path` starts with a slash; `service` is `"api"` or `"tts"`.

    `body`: a JSON object, bytes, or a stream with `len` that can be read again. `timed`: the whole
    call, including retries, is limited to `timeout_sec` (`None`: the client's), or to `within`
    seconds if that is less; otherwise `timeout_sec` limits each single read or write.
    """

    method: str
    path: str
    service: str = "api"
    params: Params = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timed: bool = True
    within: Optional[float] = None
    timeout_sec: Optional[float] = None


class Http:
    """HTTP layer of one client. Thread-safe; a forked child gets a session of its own.

    `given`: the session to use instead of one of our own.
    """

    def __init__(
        self, service: NativeService, max_retries: int, given: Optional[requests.Session]
    ) -> None:
        self._service = service
        self._settings = service.settings
        self._max_retries = max_retries
        self._given = given
        # Guards _session, _calls and _closed. Held while `requests` is imported, once. Leaf.
        self._lock = new_lock()
        self._closed = False
        self._invalidate()
        forks.register(self._invalidate)

    def _invalidate(self) -> None:
        """Start without connections: at first, and in a forked child."""
        self._session: Optional[requests.Session] = None
        self._calls: weakref.WeakSet[Union[Exchange, _Pause]] = weakref.WeakSet()

    @property
    def is_closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closed

    def describe(self, service: str) -> str:
        """Return where `service` (`"api"`, `"tts"`) is, for a repr, and whether this is closed."""
        url = self._service.describe(f"{'tts_' if service == 'tts' else ''}api_url")
        return f"{url}, closed" if self._closed else url

    def __repr__(self) -> str:
        return summary(self, "of", self.describe("api"))

    @property
    def timeout_sec(self) -> float:
        """Time limit of one call, in seconds."""
        return self._settings.timeout_sec

    def timeout_of(self, call: Call) -> float:
        """Return the time limit of one call, or of each read or write, in seconds."""
        return self.timeout_sec if call.timeout_sec is None else call.timeout_sec

    def close(self) -> None:
        """Abort running calls and close the connections. Idempotent; thread-safe."""
        with self._lock:
            self._closed = True
            session, self._session = self._session, None
            calls = list(self._calls)
        for call in calls:
            call.abort(CLOSED)
        if session is not None and session is not self._given:
            session.close()

    def json(self, call: Call, read: Callable[[Any], T], cancel: Optional[CancelToken] = None) -> T:
        """Make a call and return what `read` makes of the JSON in its response.

        Raises
            SonioxHttpError: the call failed.
            AbortError: after a cancel.
            StateError: after `close()`.
        """
        return self._retried(call, cancel, lambda response: _read_json(response, read))

    def content(self, call: Call, cancel: Optional[CancelToken] = None) -> Any:
        """Make a call and return its JSON, bytes if it is something else, `None` if it is empty.

        Raises as `json`.
        """
        return self._retried(call, cancel, _read_content)

    def done(self, call: Call) -> None:
        """Make a call whose response has no content. Raises as `json`."""

        def read(response: Response) -> None:
            response.read_all(MAX_ERROR_BYTES)

        self._retried(call, None, read)

    def open(self, call: Call, cancel: Optional[CancelToken] = None) -> Response:
        """Make a call and return its response, to be read as it arrives. Raises as `json`."""
        return self._retried(call, cancel, lambda response: response)

    # -- retries ---------------------------------------------------------------------------------

    def _retried(
        self, call: Call, cancel: Optional[CancelToken], read: Callable[[Response], T]
    ) -> T:
        if cancel is not None:
            _check_cancel("cancel", cancel)
        access = self._service.resolve(_USAGE[call.service])
        base = access.config.tts_api_url if call.service == "tts" else access.config.api_url
        _check_version(base, call.path)
        url = base + call.path
        request = RequestInfo(call.method, url, access.key)
        if call.service == "api" and call.path == "/tts":
            request.hint = 'the host of speech is another one: service="tts"'
        data = _encoded(call)
        if self._settings.trace is not None:
            self._settings.trace.start()  # raises here if its file cannot be opened
        session = self.open_session()
        limit = self.timeout_of(call)
        retries = Retries(self._max_retries, limit)
        if call.within is not None:
            limit = min(limit, call.within)
        deadline = Deadline(limit if call.timed else None)
        repeated = False
        while True:
            attempt = _Attempt(self, session, call, request, url, access, data, cancel, deadline)
            try:
                return attempt.run(read)
            except SonioxHttpError as error:
                if repeated and call.method == "DELETE" and error.status_code == 404:
                    return read(Response.deleted_before(request))  # its response was lost
                pause = retries.pause_after(call.method, error, deadline)
                if pause is None:
                    retries.raise_more_telling(error)
                    raise
                _log.debug("! %s; retrying in %.2f s", harmless(str(error)), pause)
            repeated = True
            self.pause(pause, cancel)
            session = self.open_session()

    def trace_exchange(self, key: str, url: str) -> Optional[ExchangeTrace]:
        """Return the recorder of one attempt, `None` if nothing is recorded."""
        if self._settings.trace is None:
            return None
        from ..runtime.trace.exchange import ExchangeTrace

        return ExchangeTrace(self._settings.trace, key, url)

    def pause(self, sec: float, cancel: Optional[CancelToken] = None) -> None:
        """Wait between two attempts or polls; `cancel` and `close()` end it early."""
        pause = _Pause()
        self.register(pause)
        undo = None if cancel is None else cancel.on_cancel(lambda: pause.abort(CANCELLED))
        try:
            wait_for(pause.over, Deadline(sec))
        finally:
            if undo is not None:
                undo()

    # -- the session -----------------------------------------------------------------------------

    def open_session(self) -> requests.Session:
        """Return the session of `requests`; raise `StateError` after `close()`."""
        forks.check()
        with self._lock:
            if self._closed:
                raise StateError("the client is closed: make a new one")
            if self._session is None:
                self._session = self._given or self._make_session()
            return self._session

    def _make_session(self) -> requests.Session:
        load_modules(_SESSION)
        from http.cookiejar import DefaultCookiePolicy

        from .adapter import Adapter, Session

        session = Session()
        session.trust_env = self._settings.proxy is None
        # an API needs no cookies, and those of one host must not reach another
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount("http://", Adapter())
        session.mount("https://", Adapter(self._settings.tls.context))
        return session

    def send_settings(self, session: requests.Session, url: str) -> Mapping[str, Any]:
        """Return the `send()` settings for a URL; no proxy of the environment for loopback."""
        proxy = self._settings.proxy
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        found = session.merge_environment_settings(url, proxies, True, None, None)
        if session is not self._given:
            found["verify"] = True  # the adapter's context decides, not a file of the environment
            if proxy is None and is_loopback(urlsplit(url).hostname or ""):
                found["proxies"] = {}
        return found

    def proxy_of(self, url: str, settings: Mapping[str, Any]) -> Optional[Proxy]:
        """Return the proxy that `send()` uses for a URL with these settings.

        Raises
            ConfigurationError: its URL is malformed; what others say of it may quote credentials.
        """
        from requests.utils import select_proxy

        url_of_proxy = select_proxy(url, settings["proxies"])
        if not url_of_proxy:
            return None
        proxy = found(url_of_proxy, url.startswith("https:"), self._settings.proxy)
        proxy.check_url()
        return proxy

    def register(self, exchange: Union[Exchange, _Pause]) -> None:
        """Have `close()` abort this exchange, or this pause between two of them."""
        with self._lock:
            self._calls.add(exchange)
            closed = self._closed
        if closed:
            exchange.abort(CLOSED)


class Api:
    """Base of `client.files`, `client.tts` and so on."""

    # set by each subclass: name after `client.`, and the service of its calls, for the repr
    _name: str
    _service = "api"

    def __init__(self, http: Http) -> None:
        self._http = http

    def __repr__(self) -> str:
        return f"<client.{self._name} of {self._http.describe(self._service)}>"


class _Pause:
    """Pause between two attempts, which another thread can end."""

    def __init__(self) -> None:
        self.over: Latch = Latch()

    def abort(self, cause: str) -> None:
        """Wake the waiting thread."""
        self.over.set()


@dataclass(frozen=True, repr=False)
class _Attempt:
    """One attempt at a call."""

    http: Http
    session: requests.Session
    call: Call
    request: RequestInfo
    url: str
    access: Access
    data: Any
    cancel: Optional[CancelToken]
    deadline: Deadline

    def run(self, read: Callable[[Response], T]) -> T:
        """Send, check the status, read. Raises only this library's errors."""
        if self.cancel is not None and self.cancel.cancelled:
            raise errors.aborted(self.request, str(self.cancel.error()))
        exchange = Exchange(self.cancel, self.deadline.remaining())
        self.http.register(exchange)
        response = Response(
            self.request, exchange, self.cancel, self.http.timeout_of(self.call), self.call.body
        )
        response.trace = self.http.trace_exchange(self.access.key, self.url)
        keep = False
        try:
            _log.debug("> %s", self.request.name)
            response.received = self._send(response)
            _log.debug("< %s %d", self.request.name, response.status)
            response.raise_for_status()
            result = read(response)
            keep = result is response
            return result
        except BaseException as error:
            clear_locals(error)
            raise
        finally:
            if not keep:
                response.close()

    def _send(self, response: Response) -> requests.Response:
        import requests

        limit = (
            self.deadline.at_most(self.http.timeout_of(self.call)) or 0.001
        )  # 0 would not wait at all
        prepared = self.session.prepare_request(
            requests.Request(
                self.call.method,
                self.url,
                headers=self._headers(),
                params={k: v for k, v in self.call.params.items() if v is not None},
                data=self.data.sendable() if isinstance(self.data, Streamed) else self.data,
                auth=self._authorize,  # or `requests` would prefer a netrc file
            )
        )
        url = prepared.url or self.url
        settings = self.http.send_settings(self.session, url)
        self.request.use_proxies(settings["proxies"].values())
        self.request.proxy = self.http.proxy_of(url, settings)
        if response.trace is not None:
            proxies = settings["proxies"].values()
            response.trace.request(self.call.method, url, prepared.headers, self.data, proxies)
        with response.mapped_errors(), response.exchange.running():
            return self.session.send(
                prepared, timeout=(limit, limit), allow_redirects=False, **settings
            )

    def _headers(self) -> dict[str, str]:
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        if isinstance(self.call.body, Mapping):
            headers["Content-Type"] = "application/json"
        return {**headers, **self.call.headers}

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.access.key}"
        return request


# service -> the usage passed to the client's config callable
_USAGE: Mapping[str, Usage] = {"api": "transcribe_websocket", "tts": "tts_rt"}


def _check_version(base: str, path: str) -> None:
    """Refuse a path with the version, which the base URL ends with, before it is a mere 404."""
    version = base[base.rfind("/") :]
    if version.startswith("/v") and path.startswith(f"{version}/"):
        rest = path[len(version) :]
        advice = f"the base URL already ends with {version!r}, so pass {rest!r}"
        raise wrong_value("path", "a path without the version", path, advice)


def _encoded(call: Call) -> Any:
    if not isinstance(call.body, Mapping):
        return call.body
    try:
        return json.dumps(call.body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError) as error:  # a lone surrogate is a UnicodeEncodeError
        raise ConfigurationError(f"{call.path}: a value cannot be sent as JSON: {error}") from None


def _read_content(response: Response) -> Any:
    """Return a body as what its `Content-Type` says; without one, as JSON if it is JSON."""
    body = response.read_all(_MAX_JSON_BYTES)
    failure = response.late_error()
    if failure is not None:
        raise failure
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        return _parsed(response, body, json.loads)
    if kind:
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _read_json(response: Response, read: Callable[[Any], T]) -> T:
    body = response.read_all(_MAX_JSON_BYTES)
    return _parsed(response, body, lambda data: read(json.loads(data, parse_float=parse_float)))


def _parsed(response: Response, body: bytes, read: Callable[[bytes], T]) -> T:
    try:
        return read(body)
    except Unreadable as error:
        why = str(error)
    except (ValueError, RecursionError) as error:
        why = "it is empty" if not body else f"it is not JSON, {type(error).__name__}"
    raise errors.malformed(response.request, response.received, body, why)
