"""The table of endpoints, and what they take and give: an endpoint is one line and one function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, Union
from urllib.parse import unquote

from .problems import Problem, bad_request
from .wire_json import read_json

if TYPE_CHECKING:
    from .world import World
    from .ws import Service, WsPeer

__all__ = [
    "Answer",
    "Doorkeeper",
    "Handler",
    "Handshake",
    "Request",
    "Routes",
    "ServiceFactory",
    "SocketRoute",
    "Turndown",
]


@dataclass(frozen=True)
class Request:
    """Is one plain HTTP request. `headers` have lower-case names and no credentials."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    key: Optional[str] = field(repr=False)
    request_id: str
    # sleeps for seconds (None: for ever); True as soon as the connection is cut
    wait_gone: Callable[[Optional[float]], bool]

    def json(self) -> dict[str, Any]:
        """Decode the body as a JSON object. Raises `Problem` 400."""
        try:
            value = read_json(self.body)
        except ValueError:
            raise bad_request("Malformed JSON body.") from None
        if not isinstance(value, dict):
            raise bad_request("The JSON body must be an object.")
        return value


@dataclass(frozen=True)
class Answer:
    """Is what goes back. `body`: bytes with a length, or an iterable sent chunked as it comes."""

    status: int = 200
    body: Union[bytes, Iterable[bytes]] = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Answer:
        """Make an answer of a JSON value."""
        return cls(status, json.dumps(value, ensure_ascii=False).encode("utf-8"))


@dataclass(frozen=True)
class Handshake:
    """Is what the upgrade brought. `key_source`: `"header"`, `"subprotocol"` or `None`."""

    path: str
    headers: Mapping[str, str]
    key: Optional[str] = field(repr=False)
    key_source: Optional[str]
    problem: Optional[Problem]
    request_id: str
    provider_key: Optional[str] = field(default=None, repr=False)


@dataclass(frozen=True)
class Turndown:
    """Is an upgrade answered with an HTTP status and a text instead of a WebSocket."""

    status: int
    text: str


Handler = Callable[["World", Request], Answer]
ServiceFactory = Callable[["World", "WsPeer", Handshake], "Service"]
Doorkeeper = Callable[["World", Handshake], Optional[Turndown]]


@dataclass(frozen=True)
class SocketRoute:
    """Is one WebSocket endpoint. `door` may turn an upgrade down; the service itself never does."""

    kind: str
    factory: ServiceFactory
    door: Optional[Doorkeeper] = None


class Routes:
    """Is the table of endpoints; `{name}` in a pattern stands for one path segment."""

    def __init__(self) -> None:
        self._plain: list[tuple[str, re.Pattern[str], Handler]] = []
        self._sockets: dict[str, SocketRoute] = {}

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Serve `method pattern` with `handler(world, request)`."""
        parts = re.split(r"\{(\w+)\}", pattern)
        expression = "".join(
            f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
        self._plain.append((method, re.compile(expression), handler))

    def add_socket(
        self, path: str, kind: str, factory: ServiceFactory, door: Optional[Doorkeeper] = None
    ) -> None:
        """Serve WebSockets at `path` with the service that `factory` makes."""
        self._sockets[path] = SocketRoute(kind, factory, door)

    def socket(self, path: str) -> Optional[SocketRoute]:
        """Find the WebSocket service of a path."""
        return self._sockets.get(unquote(path))

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """Find the handler of a request. Raises `Problem` 404 or 405."""
        allowed = []
        for its_method, expression, handler in self._plain:
            found = expression.fullmatch(path)
            if found is None:
                continue
            if its_method == method:
                return handler, {name: unquote(v) for name, v in found.groupdict().items()}
            allowed.append(its_method)
        if allowed:
            raise Problem("method_not_allowed", f"Use {', '.join(sorted(allowed))} here.")
        raise Problem("not_found", f"The sandbox has no endpoint {method} {path}.")
