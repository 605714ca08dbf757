"""Servers and scenes for the end-to-end tests.

`TtsService` and `SttService` behave like the real ones (PROTOCOL 2, 3) and are built on the
`websockets` package, which shares no code with the library. Scenes put a client object and the raw
far end of its line into the hands of one test.
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

from peers import PING, PONG, Got, RawLine, RawPeer, close_frame, frame, message
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from soniox_sync import SonioxClient

KEY = "snx-Secret0Key1Of2The3Tests"
VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le"}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
# the server's own log is not what the tests are about
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
    """Is a WebSocket server on loopback; `log` holds what it received, in order."""

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
        """Give the URL to connect to."""
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def idle(self) -> bool:
        """Tell whether every connection has ended."""
        return self._open == 0

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self.opened += 1
            self._open += 1
        self.requests.append(connection.request)
        try:
            self.talk(connection)
        except (ConnectionClosed, ConnectionError):
            pass  # the client left; what it sent is in the log
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
        for name in ("shutdown_watcher", "shutdown_notifier"):  # some releases keep this pipe
            descriptor = getattr(self._server, name, None)
            if isinstance(descriptor, int) and self._pipe:
                os.close(descriptor)
        self._pipe = False

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def audio_of(stream_id: str, frames: int, size: int = 960) -> list[bytes]:
    """Give the audio that `TtsService` speaks for a stream: distinct for each id and frame."""
    return [f"{stream_id}:{index:06d};".encode().ljust(size, b".") for index in range(frames)]


class TtsService(Service):
    """Speaks: 20 frames for a stream, or what its voice asks for.

    Voices: `frames-N`, `fail` (three frames, then an error), `endless` (until it is cancelled),
    `mute` (nothing until it is cancelled). Streams are served on threads of their own, so that
    their audio interleaves.
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
    """Is one stream of a `TtsService`."""

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
            pass  # the client left

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
            # the endless one leaves the processor to others
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
    """Transcribes: one final token `w<n> ` per audio message, `finished` after the end."""

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


# -- the wire in the test's hands -----------------------------------------------------------------


@contextmanager
def tts_line(
    peer: RawPeer, *, client: Optional[SonioxClient] = None, **options: Any
) -> Iterator[tuple[Any, RawLine]]:
    """Give a `TtsConnection` and the far end of its line; the far end leaves first."""
    connection = (client or client_for(peer.url)).realtime.tts.multi_stream(**options)
    line = peer.line()
    try:
        yield connection, line
    finally:
        line.close()
        connection.close()


@contextmanager
def stt_line(
    peer: RawPeer,
    *,
    client: Optional[SonioxClient] = None,
    options: Optional[dict[str, Any]] = None,
    **config: Any,
) -> Iterator[tuple[Any, RawLine]]:
    """Give an `SttSession` and the far end of its line, its start message taken already."""
    maker = client or client_for(peer.url)
    session = maker.realtime.stt(options=options, **{**RAW, **config})
    line = peer.line()
    assert line.recv_message().json["model"]
    try:
        yield session, line
    finally:
        line.close()
        session.close()


def begin(connection: Any, line: RawLine, name: str, **fields: Any) -> Any:
    """Open a stream, send a first text, take both messages at the far end."""
    stream = connection.stream(stream_id=name, **{**VOICE, **fields})
    stream.send_text("Hello.")
    assert line.recv_message().json["voice"]
    assert line.recv_message().json["text"] == "Hello."
    return stream


def audio(name: str, data: bytes, *, end: bool = False, **fields: Any) -> bytes:
    """Build a frame with audio."""
    encoded = base64.b64encode(data).decode()
    return message(stream_id=name, audio=encoded, audio_end=end, **fields)


def terminated(name: str) -> bytes:
    """Build the last frame of a stream."""
    return message(stream_id=name, terminated=True)


def whole(name: str, data: bytes) -> bytes:
    """Build all the frames of a stream that ends well."""
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
    """Build one token as it is on the wire."""
    return {"text": content, "is_final": final, "confidence": 0.9, **fields}


def result(*tokens: dict[str, Any], **fields: Any) -> bytes:
    """Build a response with tokens."""
    return message(tokens=list(tokens), **fields)


def finished(**fields: Any) -> bytes:
    """Build the last response of a transcription."""
    return message(tokens=[], finished=True, **fields)


def goodbye(code: int = 1000) -> bytes:
    """Build the close frame that follows the last word of the service."""
    return close_frame(code)


def recv_text(line: RawLine) -> Got:
    """Receive the next text message, passing over audio."""
    while True:
        got = line.recv_message()
        if got.opcode == 1:
            return got


def nothing_came(line: RawLine) -> None:
    """Assert that the client sent nothing but what the test took: a ping's pong is next."""
    line.send(frame(PING, b"?"))
    assert line.recv_frame().opcode == PONG


def descriptors() -> int:
    """Count the descriptors of this process (0 where that cannot be told)."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def raised_by(function: Callable[[], Any]) -> BaseException:
    """Give the exception a call raises; fail when it raises none."""
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        return error
    raise AssertionError(f"nothing was raised; got {value!r}")


def drain_to(session: Any) -> str:
    """Give the text of all events of a session that is over."""
    return "".join(event.text for event in session)


def names(threads: Sequence[threading.Thread]) -> list[str]:
    """Give the names of the library's threads among `threads`."""
    return sorted(t.name for t in threads if t.name.startswith("soniox-"))
