"""The fake server of the capacity benchmark: one thread, one selector, prepared frames.

``/live/0/0/PERIOD_US`` answers each binary frame with a result of 20 tokens, as if it were as much
audio. ``/speech/COUNT/SIZE/INTERVAL_US``
answers the first text of a stream with frames of audio on a schedule. Everything carries the time
at which it was sent. A thread for each connection, as in `tests.bench.server`, would be late by
itself when there are two hundred of them. It prints its port and ends when its stdin closes.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import json
import selectors
import socket
import sys
import time
from typing import Dict, List, Optional, Tuple

from tests.bench import frames, wire
from tests.bench.server import Scenario, parse

_TOKENS = 20
_BUFFER_BYTES = 16_384  # of each connection: a few frames
# a client that reads nothing for so much would only be measured waiting
_MOST_BEHIND_BYTES = 8_000_000


class _Due:
    """Frames of one stream that are sent on a schedule."""

    def __init__(self, peer: _Peer, stream_id: str, scenario: Scenario) -> None:
        self.peer = peer
        self.stamped = frames.Stamped(stream_id, scenario.size)
        self.left = scenario.count
        self.interval_sec = scenario.interval_sec
        self.stream_id = stream_id


class _Peer:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.wire = wire.Wire(sock)
        self.wire.buffer_bytes, self.wire.skip_binary = _BUFFER_BYTES, True
        self.request: Optional[bytes] = b""  # None after the upgrade
        self.scenario: Optional[Scenario] = None
        self.period_ms = 0
        self.results = 0
        self.streams: Dict[str, _Due] = {}
        self.unsent = bytearray()


class Loop:
    """The server's one thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._due: List[Tuple[float, int, _Due]] = []
        self._numbers = itertools.count()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until stdin closes."""
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, mask in self._selector.select(wait):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._ready(key.data, mask)
            self._send_due()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        wire.set_nodelay(sock)
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, _Peer(sock))

    def _ready(self, peer: _Peer, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                self._flush(peer)
            if mask & selectors.EVENT_READ:
                self._read(peer)
        except OSError:
            self._drop(peer)  # clients disconnect when they have what they wanted

    def _drop(self, peer: _Peer) -> None:
        if peer.sock.fileno() >= 0:
            self._selector.unregister(peer.sock)
            peer.sock.close()

    def _read(self, peer: _Peer) -> None:
        if peer.request is not None:
            self._shake_hands(peer)
            return
        for opcode, payload in peer.wire.arrived():
            if opcode == wire.BINARY:
                self._send(peer, frames.live_result(peer.results, _TOKENS, peer.period_ms))
                peer.results += 1
            elif opcode == wire.TEXT:
                self._text(peer, payload)
            elif opcode == wire.PING:
                self._send(peer, wire.server_frame(payload, wire.PONG))
            elif opcode == wire.CLOSE:
                self._send(peer, wire.server_frame(payload, wire.CLOSE))
                self._drop(peer)
                return

    def _shake_hands(self, peer: _Peer) -> None:
        data = peer.sock.recv(65_536)
        if not data:
            raise ConnectionError("the peer disconnected during the handshake")
        assert peer.request is not None
        peer.request += data
        # clients send nothing behind the request before it is answered
        if peer.request.endswith(b"\r\n\r\n"):
            path, response = wire.answer(peer.request)
            peer.request = None
            peer.scenario = parse(path)
            peer.period_ms = round(peer.scenario.interval_sec * 1000)
            self._send(peer, response)

    def _text(self, peer: _Peer, payload: bytes) -> None:
        if not payload:  # the end of the audio
            self._send(peer, frames.stt_finished() + wire.server_frame(b"\x03\xe8", wire.CLOSE))
            return
        message = json.loads(payload)
        name = message.get("stream_id")
        if name is not None and message.get("text") and name not in peer.streams:
            assert peer.scenario is not None
            stream = peer.streams[name] = _Due(peer, name, peer.scenario)
            heapq.heappush(self._due, (time.monotonic(), next(self._numbers), stream))

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            due, number, stream = heapq.heappop(self._due)
            try:
                if not stream.left:
                    del stream.peer.streams[stream.stream_id]
                    self._send(stream.peer, frames.tts_end(stream.stream_id))
                    continue
                self._send(stream.peer, stream.stamped.now())
            except OSError:
                self._drop(stream.peer)
                continue
            stream.left -= 1
            # the end comes with the last audio
            wait = stream.interval_sec if stream.left else 0.0
            heapq.heappush(self._due, (due + wait, number, stream))

    def _send(self, peer: _Peer, data: bytes) -> None:
        if peer.unsent:
            peer.unsent += data
        else:
            try:
                count = peer.sock.send(data)
            except BlockingIOError:
                count = 0
            if count == len(data):
                return
            peer.unsent += data[count:]
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            self._selector.modify(peer.sock, both, peer)
        if len(peer.unsent) > _MOST_BEHIND_BYTES:
            raise ConnectionError("the client does not read")

    def _flush(self, peer: _Peer) -> None:
        del peer.unsent[: peer.sock.send(peer.unsent)]
        if not peer.unsent:
            self._selector.modify(peer.sock, selectors.EVENT_READ, peer)


def main() -> None:
    """Serve until stdin closes."""
    loop = Loop()
    print(json.dumps({"port": loop.port}), flush=True)
    # nothing here is a circle, and a collection would make hundreds of frames late
    gc.disable()
    loop.run()


if __name__ == "__main__":
    main()
