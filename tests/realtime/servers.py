"""Servers and connected pairs for the end-to-end tests.

`TtsService` and `SttService` behave like the real ones (PROTOCOL 2, 3) and are built on the
`websockets` package, which shares no code with the library. `connected_tts` and
`connected_stt` provide a client object together with the raw server's end of its connection.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable, Optional

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from soniox_sync import SonioxClient
from tests.peers import PING, PONG, Got, RawPeer, Remote, frame, message

KEY = "snx-Secret0Key1Of2The3Tests"
VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le"}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
# the tests do not need the server's own log
_quiet = logging.getLogger("tests.servers")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def client_for(url: str, **options: Any) -> SonioxClient:
    """Make a client whose services are at `url`."""
    settings: dict[str, Any] = {"api_key": KEY, "stt_ws_url": url, "tts_ws_url": url}
    settings.update(options)
    return SonioxClient(**settings)


# -- well-behaved services ------------------------------------------------------------------------


class Service:
    """WebSocket server on loopback; `log` holds what it received, in order."""

    def __init__(self, **options: Any) -> None:
        self.log: list[Any] = []
        self.requests: list[Any] = []
        self.opened = 0
        # Guards opened and _open. Leaf.
        self._lock = threading.Lock()
        self._open = 0
        self._pipe = os.name != "nt"
        self._server: Server = serve(
            self._serve,
            "127.0.0.1",
            0,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            logger=_quiet,
            **options,
        )
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="service")
        self._thread.start()

    @property
    def url(self) -> str:
        """URL to connect to."""
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def idle(self) -> bool:
        """Whether every connection has ended."""
        return self._open == 0

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self.opened += 1
            self._open += 1
        self.requests.append(connection.request)
        try:
            self.talk(connection)
        except (ConnectionClosed, ConnectionError):
            pass  # the client disconnected; what it sent is in the log
        finally:
            connection.close()
            with self._lock:
                self._open -= 1

    def talk(self, connection: ServerConnection) -> None:
        """Serve one connection until it ends."""
        raise AssertionError("a service has to say what it does")

    def close(self) -> None:
        """Stop serving. Idempotent."""
        self._server.shutdown()
        self._thread.join()
        for name in ("shutdown_watcher", "shutdown_notifier"):  # some releases leave this pipe open
            descriptor = getattr(self._server, name, None)
            if isinstance(descriptor, int) and self._pipe:
                os.close(descriptor)
        self._pipe = False

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def audio_of(stream_id: str, frames: int, size: int = 960) -> list[bytes]:
    """Return the audio that `TtsService` sends for a stream: distinct for each id and frame."""
    return [f"{stream_id}:{index:06d};".encode().ljust(size, b".") for index in range(frames)]


class TtsService(Service):
    """Speech service: 20 frames for each stream, or what its voice requests.

    Voices: `frames-N`, `fail` (three frames, then an error), `endless` (until it is cancelled),
    `mute` (nothing until it is cancelled). Each stream has its own thread, so that their
    audio interleaves.
    """

    def talk(self, connection: ServerConnection) -> None:
        streams: dict[str, _Spoken] = {}
        for received in connection:
            frame = json.loads(received)
            self.log.append(frame)
            if "keep_alive" in frame:
                continue
            name = frame["stream_id"]
            if "voice" in frame:
                streams[name] = _Spoken(connection, name, frame["voice"])
            elif frame.get("cancel"):
                streams[name].cancelled.set()
                streams[name].start()
            elif frame["text_end"] or streams[name].voice in ("fail", "endless"):
                streams[name].start()


class _Spoken:
    """One stream of a `TtsService`."""

    def __init__(self, connection: ServerConnection, name: str, voice: str) -> None:
        self.voice = voice
        self.cancelled = threading.Event()
        self._connection = connection
        self._name = name
        self._started = False

    def start(self) -> None:
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="speaker", daemon=True).start()

    def _run(self) -> None:
        try:
            self._speak()
            self._send(terminated=True)
        except (ConnectionClosed, ConnectionError):
            pass  # the client disconnected

    def _speak(self) -> None:
        if self.voice == "mute":
            self.cancelled.wait(30)
        if self.cancelled.is_set():
            return
        kind, _, count = self.voice.partition("-")
        frames = {"frames": int(count or 0), "fail": 3, "endless": 1_000_000}.get(kind, 20)
        last = frames - 1
        pieces = audio_of(self._name, min(frames, 100))
        for index in range(frames):
            # let other threads run beside the endless one
            if self.cancelled.wait(0.001 if kind == "endless" else 0):
                return
            piece = pieces[index] if index < len(pieces) else bytes(960)
            end = index == last and kind != "fail"
            self._send(audio=base64.b64encode(piece).decode(), audio_end=end)
        if kind == "fail":
            self._send(error_code=500, error_type="internal_error", error_message="Broken voice.")

    def _send(self, **fields: Any) -> None:
        self._connection.send(json.dumps({"stream_id": self._name, **fields}))


class SttService(Service):
    """Transcription service: a final token `w<n> ` per audio message, `finished` after the end."""

    def talk(self, connection: ServerConnection) -> None:
        self.log.append(json.loads(connection.recv()))
        count = 0
        for received in connection:
            if isinstance(received, bytes):
                self.log.append(received)
                token = {"text": f"w{count} ", "is_final": True, "start_ms": count, "end_ms": count}
                count += 1
                connection.send(json.dumps({"tokens": [token], "final_audio_proc_ms": count}))
            elif received == "":
                self.log.append("")
                connection.send(json.dumps({"tokens": [], "finished": True}))
                return
            else:
                self.log.append(json.loads(received))


# -- connections with a raw server's end ----------------------------------------------------------


@contextmanager
def connected_tts(
    peer: RawPeer, *, client: Optional[SonioxClient] = None, **options: Any
) -> Iterator[tuple[Any, Remote]]:
    """Provide a `TtsConnection` and the server's end of it, which disconnects first."""
    connection = (client or client_for(peer.url)).realtime.tts.multi_stream(**options)
    remote = peer.accept()
    try:
        yield connection, remote
    finally:
        remote.close()
        connection.close()
        _HELD.clear()


@contextmanager
def connected_stt(
    peer: RawPeer,
    *,
    client: Optional[SonioxClient] = None,
    options: Optional[dict[str, Any]] = None,
    **config: Any,
) -> Iterator[tuple[Any, Remote]]:
    """Provide an `SttSession` and the server's end of it, with the start message received."""
    maker = client or client_for(peer.url)
    session = maker.realtime.stt(options=options, **{**RAW, **config})
    remote = peer.accept()
    assert remote.recv_message().json["model"]
    try:
        yield session, remote
    finally:
        remote.close()
        session.close()


# streams of a test, kept until their connection is closed: dropping an open one would warn
_HELD: list[Any] = []


def begin(connection: Any, remote: Remote, name: str, **fields: Any) -> Any:
    """Open a stream, send a first text, and receive both messages at the server's end."""
    stream = connection.stream(stream_id=name, **{**VOICE, **fields})
    stream.send_text("Hello.")
    assert remote.recv_message().json["voice"]
    assert remote.recv_message().json["text"] == "Hello."
    _HELD.append(stream)
    return stream


def audio(name: str, data: bytes, *, end: bool = False, **fields: Any) -> bytes:
    """Build a frame with audio."""
    encoded = base64.b64encode(data).decode()
    return message(stream_id=name, audio=encoded, audio_end=end, **fields)


def terminated(name: str) -> bytes:
    """Build the last frame of a stream."""
    return message(stream_id=name, terminated=True)


def whole(name: str, data: bytes) -> bytes:
    """Build all frames of a successful stream."""
    return audio(name, data, end=True) + terminated(name)


def failure(code: int = 500, kind: str = "internal_error", **fields: Any) -> bytes:
    """Build an error frame as the service sends it."""
    return message(
        error_code=code,
        error_type=kind,
        error_message="It went wrong.",
        more_info="https://soniox.com/docs/api-reference/errors",
        request_id="r-17",
        **fields,
    )


def token(content: str, *, final: bool = True, **fields: Any) -> dict[str, Any]:
    """Build one token in its wire form."""
    return {"text": content, "is_final": final, "confidence": 0.9, **fields}


def result(*tokens: dict[str, Any], **fields: Any) -> bytes:
    """Build a response with tokens."""
    return message(tokens=list(tokens), **fields)


def finished(**fields: Any) -> bytes:
    """Build the last response of a transcription."""
    return message(tokens=[], finished=True, **fields)


def recv_text(remote: Remote) -> Got:
    """Receive the next text message, skipping audio."""
    while True:
        got = remote.recv_message()
        if got.opcode == 1:
            return got


def assert_nothing_received(remote: Remote) -> None:
    """Assert that nothing is left to receive: the answer to a ping is next."""
    remote.send(frame(PING, b"?"))
    assert remote.recv_frame().opcode == PONG


def descriptors() -> int:
    """Return the number of open descriptors (0 where unknown)."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def raised_by(function: Callable[[], Any]) -> BaseException:
    """Return the exception that a call raises; fail if it raises none."""
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        return error
    raise AssertionError(f"nothing was raised; got {value!r}")


def drain_to(session: Any) -> str:
    """Return the text of all events of a session that has ended."""
    return "".join(event.text for event in session)


def names(threads: Sequence[threading.Thread]) -> list[str]:
    """Return the names of the library's threads among `threads`."""
    return sorted(t.name for t in threads if t.name.startswith("soniox-"))
