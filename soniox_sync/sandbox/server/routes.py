"""Table of endpoints, with their requests and responses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, Union
from urllib.parse import unquote

from ..problems import Problem, bad_request
from ..schedule import Refusal
from .wire_json import read_json

if TYPE_CHECKING:
    from .ws import Service, WsPeer

__all__ = [
    "Answer",
    "Handler",
    "Handshake",
    "Request",
    "Routes",
    "ServiceFactory",
    "SocketRoute",
    "UpgradeCheck",
]


@dataclass(frozen=True)
class Request:
    """One plain HTTP request. `headers` have lower-case names and no credentials."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    key: Optional[str] = field(repr=False)
    request_id: str
    # sleeps for some seconds (None: forever); returns True once the connection is gone
    wait_gone: Callable[[Optional[float]], bool]

    def json(self) -> dict[str, Any]:
        """Decode the body as a JSON object.

        Raises
            Problem: 400.
        """
        try:
            value = read_json(self.body)
        except ValueError:
            raise bad_request("Malformed JSON body.") from None
        if not isinstance(value, dict):
            raise bad_request("The JSON body must be an object.")
        return value


@dataclass(frozen=True)
class Answer:
    """HTTP response. `body`: bytes with a length, or an iterable that is sent in chunks."""

    status: int = 200
    body: Union[bytes, Iterable[bytes]] = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Answer:
        """Return a response with a JSON body."""
        return cls(status, json.dumps(value, ensure_ascii=False).encode("utf-8"))


@dataclass(frozen=True)
class Handshake:
    """Contents of an upgrade request. `key_source`: `"header"`, `"subprotocol"` or `None`.

    `problem` is what was wrong with it; the service reports it over the WebSocket.
    """

    path: str
    headers: Mapping[str, str]
    key: Optional[str] = field(repr=False)
    key_source: Optional[str]
    problem: Optional[Problem]
    request_id: str
    provider_key: Optional[str] = field(default=None, repr=False)


Handler = Callable[[Request], Answer]
ServiceFactory = Callable[["WsPeer", Handshake], "Service"]
UpgradeCheck = Callable[[Handshake], Optional[Refusal]]


@dataclass(frozen=True)
class SocketRoute:
    """One WebSocket endpoint. `check` may refuse an upgrade; the service itself never does."""

    kind: str
    factory: ServiceFactory
    check: Optional[UpgradeCheck] = None


class Routes:
    """Table of endpoints; `{name}` in a pattern matches one path segment."""

    def __init__(self) -> None:
        self._plain: list[tuple[str, re.Pattern[str], Handler]] = []
        self._sockets: dict[str, SocketRoute] = {}

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Serve `method pattern` with `handler(request)`."""
        parts = re.split(r"\{(\w+)\}", pattern)
        expression = "".join(
            f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
        self._plain.append((method, re.compile(expression), handler))

    def add_socket(
        self, path: str, kind: str, factory: ServiceFactory, check: Optional[UpgradeCheck] = None
    ) -> None:
        """Serve WebSockets at `path` with the service that `factory(peer, handshake)` returns."""
        self._sockets[path] = SocketRoute(kind, factory, check)

    def socket(self, path: str) -> Optional[SocketRoute]:
        """Return the WebSocket endpoint at a path, if there is one."""
        return self._sockets.get(unquote(path))

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """Return the handler of a request and the parameters in its path; HEAD is as GET.

        Raises
            Problem: 404 or 405.
        """
        allowed = []
        for known_method, expression, handler in self._plain:
            found = expression.fullmatch(path)
            if found is None:
                continue
            if known_method == ("GET" if method == "HEAD" else method):
                return handler, {name: unquote(v) for name, v in found.groupdict().items()}
            allowed.append(known_method)
        if allowed:
            raise Problem("method_not_allowed", f"Use {', '.join(sorted(allowed))} here.")
        raise Problem("not_found", f"The sandbox has no endpoint {method} {path}.")
