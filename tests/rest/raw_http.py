"""A small HTTP server that sends exactly the bytes of a test, valid HTTP or not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

from soniox_sync import SonioxClient, SonioxHttpError

# head of a response with a chunked body
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
KEY = "sk-test/secret+key"
# long enough for a loaded machine; a longer wait fails the test
PATIENCE = 20.0

Act = Union[bytes, Callable[["Peer"], None]]


class Request:
    """Request as the server received it."""

    def __init__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body


class Peer:
    """Server's end of one connection."""

    def __init__(self, server: RawHttp, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """Reset the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def wait_closed(self) -> bool:
        """Wait until the client disconnects; return whether it did."""
        self.sock.settimeout(PATIENCE)
        try:
            while self.file.read1(65536):
                continue
        except socket.timeout:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Close the connection."""
        self.file.close()
        self.sock.close()


class RawHttp:
    """Server that answers each request with the next of `acts`, the last one repeatedly."""

    def __init__(self, *acts: Act, tls: Optional[ssl.SSLContext] = None) -> None:
        self.acts = list(acts)
        self.requests: list[Request] = []
        self.connections = 0
        # set once the first request was read
        self.asked = threading.Event()
        self.release = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._peers: list[Peer] = []
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Base URL."""
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}"

    def client(self, **options: object) -> SonioxClient:
        """Make a client of this server."""
        settings: dict[str, object] = {
            "api_url": f"{self.url}/v1",
            "tts_api_url": self.url,
            "timeout_sec": PATIENCE,
        }
        return SonioxClient(KEY, **{**settings, **options})  # type: ignore[arg-type]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            peer = Peer(self, sock)
            self._peers.append(peer)
            while self._serve_one(peer):
                continue
        except (OSError, ValueError):
            pass  # the client, or the end of the test, closed it first
        finally:
            sock.close()

    def _serve_one(self, peer: Peer) -> bool:
        request = _read(peer.file)
        if request is None:
            return False
        self.requests.append(request)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        self.asked.set()
        if callable(act):
            act(peer)
            return False
        peer.send(act)
        return True

    def close(self) -> None:
        """Stop serving and close all connections."""
        self.release.set()
        self._listener.close()
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            pass  # not listening, as intended
        for peer in self._peers:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # shut down already
        for thread in self._threads:
            thread.join(PATIENCE)
        for peer in self._peers:
            peer.close()

    def __enter__(self) -> RawHttp:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _read(file: object) -> Optional[Request]:
    first = file.readline()  # type: ignore[attr-defined]
    if not first:
        return None
    method, path, _ = first.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while True:
        line = file.readline().decode("latin-1").strip()  # type: ignore[attr-defined]
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = file.read(int(headers.get("content-length", 0)))  # type: ignore[attr-defined]
    return Request(method, path, headers, body)


def reply(
    body: bytes = b"{}",
    status: str = "200 OK",
    headers: Optional[Mapping[str, str]] = None,
) -> bytes:
    """Return a response with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", head: str = "") -> bytes:
    """Return a response in chunks."""
    lines = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode()
    return lines + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + end


def closing(data: bytes) -> Callable[[Peer], None]:
    """Return an act that sends bytes, then closes the connection."""

    def act(peer: Peer) -> None:
        peer.send(data)
        peer.close()

    return act


FILE = (
    b'{"id":"f1","filename":"a.wav","size":3,"created_at":"2026-01-31T12:00:00Z",'
    b'"client_reference_id":null,"from_the_future":{"x":1}}'
)


def collect(body: Any) -> tuple[bytes, Exception]:
    """Read a body until it fails; return the data before, and the error."""
    data = b""
    try:
        for piece in body:
            data += piece
    except SonioxHttpError as error:
        return data, error
    raise AssertionError("the body did not fail")
