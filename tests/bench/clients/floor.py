"""The floor: the cost of a blocking socket and the standard library's parsers, nothing else."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from binascii import a2b_base64
from typing import Callable, Iterator, List
from urllib.parse import urlsplit

from tests.bench import wire
from tests.bench.clients.base import TEXT, TTS_ID, Closable, Speech

_CONFIG = {"model": "tts-rt-v2", "language": "en", "voice": "Adrian", "audio_format": "pcm_s16le"}


class _Speech:
    """All streams of a connection in one loop: the minimum for one thread."""

    def __init__(self, peer: wire.Wire, ids: List[str]) -> None:
        self._peer, self._ids = peer, ids

    def start(self) -> None:
        for name in self._ids:
            self._send({**_CONFIG, "stream_id": name})
            self._send({"text": TEXT, "text_end": True, "stream_id": name})

    def _send(self, message: object) -> None:
        self._peer.send(wire.client_frame(json.dumps(message).encode()))

    def chunks(self) -> Iterator[bytes]:
        live = len(self._ids)
        for _, payload in self._peer.frames():
            message = json.loads(payload)
            if message.get("audio"):
                yield a2b_base64(message["audio"])
            if message.get("terminated"):
                live -= 1
                if not live:
                    return


class _Listening:
    def __init__(self, peer: wire.Wire, mask: Callable[[bytes], bytes]) -> None:
        self._peer, self._mask = peer, mask

    def send(self, audio: bytes) -> None:
        self._peer.send(self._mask(audio))

    def end(self) -> None:
        """Send the end of the audio."""
        self._peer.send(wire.client_frame(b""))

    def frames(self) -> Iterator[bytes]:
        """Yield the payload of each message until the server closes the connection."""
        for opcode, payload in self._peer.frames():
            if opcode == wire.CLOSE:
                return
            yield payload

    def consume(self, every_field: bool = False) -> int:
        count, text = 0, ""
        for _, payload in self._peer.frames():
            message = json.loads(payload)
            for token in message["tokens"]:
                if token["is_final"]:
                    text += token["text"]
                count += 1
                if every_field:
                    get = token.get
                    _ = get("start_ms"), get("end_ms"), get("confidence")
                    _ = get("speaker"), get("language")
            if message.get("finished"):
                return count
        raise ConnectionError("the server disconnected before the session was finished")


class _Connection:
    def __init__(self, peer: wire.Wire) -> None:
        self._peer = peer

    def close(self) -> None:
        self._peer.send(wire.client_frame(b"\x03\xe8", wire.CLOSE))
        self._peer.sock.close()


class FloorClient:
    """Raw sockets; the TLS context is shared, the certificate is checked."""

    def __init__(self, cafile: str) -> None:
        self._context = ssl.create_default_context(cafile=cafile)
        self._mask = _audio_masker()

    def _open(self, url: str) -> wire.Wire:
        parts = urlsplit(url)
        sock = socket.create_connection((parts.hostname, parts.port))
        wire.set_nodelay(sock)
        if parts.scheme == "wss":
            sock = self._context.wrap_socket(sock, server_hostname=parts.hostname)
        wire.upgrade(sock, parts.path)
        return wire.Wire(sock)

    @contextlib.contextmanager
    def speech(self, url: str) -> Iterator[Speech]:
        peer = self._open(url)
        yield _Speech(peer, [TTS_ID])
        _Connection(peer).close()

    @contextlib.contextmanager
    def speeches(self, url: str, ids: List[str]) -> Iterator[List[Speech]]:
        peer = self._open(url)
        yield [_Speech(peer, ids)]
        _Connection(peer).close()

    @contextlib.contextmanager
    def listening(self, url: str) -> Iterator[_Listening]:
        peer = self._open(url)
        peer.send(wire.client_frame(json.dumps({"model": "stt-rt-v6"}).encode()))
        yield _Listening(peer, self._mask)
        _Connection(peer).close()

    def tts_connection(self, url: str) -> Closable:
        return _Connection(self._open(url))

    def stt_connection(self, url: str) -> Closable:
        return _Connection(self._open(url))


def _audio_masker() -> Callable[[bytes], bytes]:
    """Return the fastest available function for masked binary frames: in C, else with integers."""
    try:
        from websockets.speedups import apply_mask  # comes with the official SDK
    except ImportError:
        return lambda audio: wire.client_frame(audio, wire.BINARY)

    def mask(audio: bytes) -> bytes:
        key = wire.new_key()
        return wire.client_head(len(audio), wire.BINARY) + key + apply_mask(audio, key)

    return mask
