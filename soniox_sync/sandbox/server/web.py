"""HTTP on the sandbox's port: requests, responses, and the WebSocket upgrade.

Parsing is left to the standard library.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import parse_qs, urlsplit

from ..access import is_preflight
from ..problems import Problem, bad_request, new_request_id
from ..schedule import Refusal, ScheduledFault, Target
from .body import HttpTarget
from .link import Link, LinkDown, LinkReader, LinkWriter
from .routes import Answer, Handshake, Request, Routes, SocketRoute
from .tripwire import Tripwire
from .ws import WsPeer

if TYPE_CHECKING:
    from ..world import World

__all__ = ["Exchange"]

log: logging.Logger = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SUBPROTOCOL = "soniox-api-key"
# the largest upload of the service, in bytes (a body is kept in memory)
_MAX_BODY = 1_073_741_824


class Exchange(BaseHTTPRequestHandler):
    """Serves the requests of one TCP connection, on that connection's thread."""

    close_connection: bool

    protocol_version = "HTTP/1.1"
    server_version = "soniox-sandbox"
    sys_version = ""
    rfile: Any
    wfile: Any

    def __init__(self, link: Link, address: Any, world: World, routes: Routes, number: int) -> None:
        self._link = link
        self._world = world
        self._routes = routes
        self._number = number
        super().__init__(link, address, world)  # type: ignore[arg-type]

    def setup(self) -> None:
        """Read and write through the link, so that faults can act."""
        self.rfile = io.BufferedReader(LinkReader(self._link), 64 * 1024)
        self.wfile = LinkWriter(self._link)

    def finish(self) -> None:
        """Do nothing: the server closes the connection."""

    def log_message(self, format: str, *args: Any) -> None:
        """Log only the method: a query may contain anything."""
        log.debug("= %d %s", self._number, self.command)

    def do_GET(self) -> None:
        """Serve a request; the table of routes defines which methods exist."""
        try:
            url = urlsplit(self.path)
        except ValueError:  # not a URL, such as `http://[::1/`
            self._refuse(Refusal(400, body=b"Bad request target."))
            return
        reason = self._world.access.refusal(self.headers, url)
        if reason is not None:
            self._refuse_access(reason)
            return
        if is_preflight(self.command, self.headers):
            self._send_head(Answer(204))
            return
        route = self._routes.socket(url.path)
        if route is not None and "websocket" in self.headers.get("Upgrade", "").lower():
            self.close_connection = True
            self._serve_socket(url.path, route)
        else:
            self._serve_plain(url.path, url.query)

    def _refuse_access(self, reason: str) -> None:
        log.info("refused a request: %r", reason.strip())
        try:
            self._read_body()  # unread data would reset the connection, and with it the response
        except ValueError:
            pass
        self._refuse(Refusal(403, body=reason.encode("utf-8", "replace")))

    # --- WebSocket

    def _serve_socket(self, path: str, route: SocketRoute) -> None:
        world, kind = self._world, route.kind
        handshake = self._read_handshake(path)
        facts = {name: handshake.headers[name] for name in _LOGGED if name in handshake.headers}
        self._record(
            kind,
            "upgrade",
            path=path,
            auth=handshake.key_source,
            **({"headers": facts} if facts else {}),
        )
        faults = world.faults.claim(kind, path)
        if self._refused(faults) or not self._upgrade_ok():
            return
        refusal = route.check(handshake) if route.check is not None else None
        if refusal is not None:
            self._refuse(refusal)
            return
        self._accept(handshake)
        end, problem = world.quota.begin_connection(kind)
        peer = WsPeer(
            self._link,
            self.rfile.read1,
            kind=kind,
            number=self._number,
            traffic=world.traffic,
            clock=world.clock,
            limits=world.limits,
        )
        peer.trip = self._link.trip = self._tripwire(faults, peer)
        if problem is not None and handshake.problem is None:
            handshake = dataclasses.replace(handshake, problem=problem)
        try:
            peer.run(route.factory(peer, handshake))
        finally:
            end()

    def _read_handshake(self, path: str) -> Handshake:
        bearer = _bearer(self.headers.get("Authorization"))
        protocols = [
            name.strip()
            for line in self.headers.get_all("Sec-WebSocket-Protocol") or []
            for name in line.split(",")
        ]
        offered = protocols[1] if protocols[:1] == [SUBPROTOCOL] and len(protocols) > 1 else None
        problem = None
        if self.headers.get("Authorization") is not None and offered is not None:
            problem = bad_request("API key must be provided in exactly one place.")
        if self.headers.get("Authorization") is not None and bearer is None:
            problem = Problem("unauthenticated", "Authorization must be a Bearer token.")
        source = "header" if bearer is not None else "subprotocol" if offered else None
        return Handshake(
            path,
            _public_headers(self.headers),
            bearer or offered,
            source,
            problem,
            new_request_id(),
            self.headers.get("X-Slng-Provider-Key"),
        )

    def _upgrade_ok(self) -> bool:
        if self.headers.get("Sec-WebSocket-Version") != "13":
            self._refuse(Refusal(426, {"Sec-WebSocket-Version": "13"}, b"use version 13"))
            return False
        connection = self.headers.get("Connection", "").lower()
        if self.headers.get("Sec-WebSocket-Key") is None or "upgrade" not in connection:
            self._refuse(Refusal(400, body=b"not a WebSocket handshake"))
            return False
        return True

    def _accept(self, handshake: Handshake) -> None:
        key = self.headers["Sec-WebSocket-Key"].strip().encode("latin-1")
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode("ascii")
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
        ]
        if SUBPROTOCOL in self.headers.get("Sec-WebSocket-Protocol", ""):
            lines.append(f"Sec-WebSocket-Protocol: {SUBPROTOCOL}")
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    # --- plain HTTP

    def _serve_plain(self, path: str, query: str) -> None:
        request_id = self.headers.get("X-Request-Id") or new_request_id()
        faults = self._world.faults.claim("rest", path)
        try:
            body = self._read_body()
        except ValueError as error:
            self.close_connection = True
            self._respond(self._problem_answer(path, bad_request(str(error)), request_id), faults)
            return
        self._record("rest", "request", method=self.command, path=path, size=len(body))
        if self._refused(faults):
            return
        self._respond(self._answer(path, query, body, request_id), faults)

    def _answer(self, path: str, query: str, body: bytes, request_id: str) -> Answer:
        try:
            handler, params = self._routes.find(self.command, path)
            request = Request(
                self.command,
                path,
                params,
                parse_qs(query, keep_blank_values=True),
                _public_headers(self.headers),
                body,
                _bearer(self.headers.get("Authorization")),
                request_id,
                self._link.wait_gone,
            )
            return handler(request)
        except Problem as problem:
            return self._problem_answer(path, problem, request_id)
        except LinkDown:
            raise
        except Exception:
            log.exception("a sandbox endpoint failed")
            failure = Problem("internal_error", "The sandbox failed; see its log.")
            return self._problem_answer(path, failure, request_id)

    def _problem_answer(self, path: str, problem: Problem, request_id: str) -> Answer:
        # the two hosts of the service have different error bodies (PROTOCOL 10, trap 16)
        shape = problem.body if path.startswith("/v1/") else problem.frame
        return Answer.json(shape(request_id), problem.code)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._read_chunks())
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= _MAX_BODY:
            raise ValueError("body too large")
        return bytes(self.rfile.read(size)) if size else b""

    def _read_chunks(self) -> Iterator[bytes]:
        total = 0
        while True:
            size = int(self.rfile.readline(1024).split(b";")[0], 16)
            total += size
            if total > _MAX_BODY:
                raise ValueError("body too large")
            data = self.rfile.read(size)
            if size == 0:
                while self.rfile.readline(65536).strip():
                    continue
                return
            yield data
            self.rfile.readline(8)

    def _respond(self, answer: Answer, faults: list[ScheduledFault]) -> None:
        target = HttpTarget(self._link)
        trip = self._tripwire(faults, target)
        self._link.trip = trip
        try:
            trip.start()
            target.wait_lag()
            self._send_head(answer)
            if self.command != "HEAD":
                target.send(self.wfile, answer.body, trip)
        finally:
            # the connection may serve another request, for which no fault is due
            self._link.heal()
            if target.broken:
                self.close_connection = True
        self._record("rest", "response", status=answer.status)

    def _send_head(self, answer: Answer) -> None:
        head = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}"]
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            **answer.headers,
            **self._world.access.headers(self.headers),
        }
        if answer.status == 204:
            headers.pop("Content-Type")
        elif isinstance(answer.body, bytes):
            headers["Content-Length"] = str(len(answer.body))
        else:
            headers["Transfer-Encoding"] = "chunked"
        head += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))

    # --- both

    def _refused(self, faults: list[ScheduledFault]) -> bool:
        """Run the first fault that refuses the request; return False if there is none."""
        for fault in faults:
            if fault.refusal is not None:
                fault.act(self._number)
                self._refuse(fault.refusal)
                return True
        return False

    def _refuse(self, refusal: Refusal) -> None:
        self.close_connection = True
        if refusal.hang:
            self._link.freeze()
            self._link.wait_gone(None)
            return
        headers = {**refusal.headers, "Connection": "close"}
        self._send_head(Answer(refusal.status, refusal.body, "text/plain", headers))
        self.wfile.write(refusal.body)

    def _tripwire(self, faults: list[ScheduledFault], target: Target) -> Tripwire:
        acting = [fault for fault in faults if fault.refusal is None]
        return Tripwire(acting, target, self._number, self._world.clock)

    def _record(self, kind: str, event: str, **more: Any) -> None:
        self._world.traffic.add(kind, self._number, "event", {"event": event, **more})


# http.server looks for a method by its name
for _name in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
    setattr(Exchange, f"do_{_name}", Exchange.do_GET)


def _bearer(value: Optional[str]) -> Optional[str]:
    scheme, _, key = (value or "").strip().partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


# headers of an upgrade that are in the log: those of the gateway that are no keys
_LOGGED = (
    "x-slng-agent-id",
    "x-slng-session-id",
    "x-world-part-override",
    "x-region-override",
)


def _public_headers(headers: Any) -> dict[str, str]:
    """Return the headers that cannot be credentials, with lower-case names."""
    hidden = ("authorization", "sec-websocket-protocol", "cookie")
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() not in hidden and "key" not in name.lower()
    }
