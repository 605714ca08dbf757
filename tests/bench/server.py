"""The fake Soniox server of the benchmark: a process that runs the scenario named in the URL.

``ws://127.0.0.1:PORT/SCENARIO/COUNT/SIZE/INTERVAL_US``, for example ``/tts/1000/9600/0``. It is
started by the benchmark, prints its two ports as a JSON line and ends when its stdin closes.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Set

from tests.bench import frames, wire

# large enough for few calls of sendall, small enough to stay in the CPU's cache
_BURST_BYTES = 400_000
# about a hundred frames of the fastest client, which fit into the kernel's buffers
_UPLINK_NAP_SEC = 0.0002
_UPLINK_BUFFER_BYTES = 1_048_576
# interval of the silent stream in the head-of-line row; until then its reader is blocked
_RARE_SEC = 1.0


@dataclass(frozen=True)
class Scenario:
    """Scenario of a connection."""

    name: str
    count: int
    size: int
    interval_sec: float


def parse(path: str) -> Scenario:
    """Return the scenario of a request's path."""
    name, count, size, interval_us = path.split("?")[0].strip("/").split("/")
    return Scenario(name, int(count), int(size), int(interval_us) / 1e6)


def play_tts(peer: wire.Wire, scenario: Scenario) -> None:
    """Send audio to every stream in turn, as fast as possible, once all have sent their text."""
    ids = _await_texts(peer, 5 if scenario.name == "multi" else 1)
    turn = b"".join(frames.tts_audio(name, scenario.size) for name in ids)
    _send_burst(peer, turn, scenario.count)
    peer.send(b"".join(frames.tts_end(name) for name in ids))


def play_stt(peer: wire.Wire, scenario: Scenario) -> None:
    """Send results as fast as possible after the first audio."""
    _await_binary(peer, 1)
    _send_burst(peer, frames.stt_result(scenario.size), scenario.count)
    _finish_stt(peer)


def play_uplink(peer: wire.Wire, scenario: Scenario) -> None:
    """Count audio frames and finish the session after the last."""
    peer.buffer_bytes = _UPLINK_BUFFER_BYTES
    peer.skim, peer.nap_sec = True, _UPLINK_NAP_SEC
    _await_binary(peer, scenario.count)
    peer.skim, peer.nap_sec = False, 0.0
    _finish_stt(peer)


def play_paced(peer: wire.Wire, scenario: Scenario) -> None:
    """Send single stamped frames on a schedule."""
    (name,) = _await_texts(peer, 1)
    stamped = frames.Stamped(name, scenario.size)
    for _ in _schedule(scenario):
        peer.send(stamped.now())
    peer.send(frames.tts_end(name))


def play_blocked(peer: wire.Wire, scenario: Scenario) -> None:
    """Send one stream on a schedule while the other on the same socket is nearly silent."""
    quiet, busy = sorted(_await_texts(peer, 2))
    rare, often = frames.Stamped(quiet, scenario.size), frames.Stamped(busy, scenario.size)
    sent_at = time.monotonic()
    for _ in _schedule(scenario):
        peer.send(often.now())
        if time.monotonic() - sent_at > _RARE_SEC:
            peer.send(rare.now())
            sent_at = time.monotonic()
    peer.send(frames.tts_end(busy) + frames.tts_end(quiet))


def play_idle(peer: wire.Wire, scenario: Scenario) -> None:
    """Send nothing, but answer the close frame."""


def play_silent(peer: wire.Wire, scenario: Scenario) -> None:
    """Read without answering, not even a close frame, until the peer disconnects."""
    for _ in peer.frames():
        pass


_PLAYS: Dict[str, Callable[[wire.Wire, Scenario], None]] = {
    "tts": play_tts,
    "multi": play_tts,
    "stt": play_stt,
    "uplink": play_uplink,
    "paced": play_paced,
    "blocked": play_blocked,
    "idle": play_idle,
    "silent": play_silent,
}


def _await_texts(peer: wire.Wire, streams: int) -> List[str]:
    """Wait until this many streams have ended their text; return their ids."""
    ended: Set[str] = set()
    for opcode, payload in peer.frames():
        if opcode == wire.TEXT:
            message = json.loads(payload)
            if message.get("text_end"):
                ended.add(message["stream_id"])
        if len(ended) == streams:
            return sorted(ended)
    raise ConnectionError("the client disconnected before it had sent its text")


def _await_binary(peer: wire.Wire, wanted: int) -> None:
    for opcode, _ in peer.frames():
        wanted -= opcode == wire.BINARY
        if not wanted:
            return
    raise ConnectionError("the client disconnected before it had sent its audio")


def _send_burst(peer: wire.Wire, turn: bytes, count: int) -> None:
    each = max(1, min(count, _BURST_BYTES // len(turn)))
    burst = turn * each
    for _ in range(count // each):
        peer.send(burst)
    peer.send(turn * (count % each))


def _schedule(scenario: Scenario) -> Iterator[int]:
    due = time.monotonic()
    for index in range(scenario.count):
        due += scenario.interval_sec
        time.sleep(max(0.0, due - time.monotonic()))
        yield index


def _finish_stt(peer: wire.Wire) -> None:
    peer.send(frames.stt_finished() + wire.server_frame(b"\x03\xe8", wire.CLOSE))


def _answer_close(peer: wire.Wire) -> None:
    for opcode, payload in peer.frames():
        if opcode == wire.CLOSE:
            peer.send(wire.server_frame(payload, wire.CLOSE))
            return
        if opcode == wire.PING:
            peer.send(wire.server_frame(payload, wire.PONG))


def _serve(sock: socket.socket, context: ssl.SSLContext | None) -> None:
    wire.set_nodelay(sock)
    try:
        with sock if context is None else context.wrap_socket(sock, server_side=True) as open_sock:
            scenario = parse(wire.accept(open_sock))
            peer = wire.Wire(open_sock)
            _PLAYS[scenario.name](peer, scenario)
            _answer_close(peer)
    except OSError:
        # clients disconnect early in several scenarios
        sock.close()


def _listen(context: ssl.SSLContext | None) -> int:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def loop() -> None:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_serve, args=(sock, context), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def _tls(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # session tickets that arrive while the official SDK connects sometimes make it hang
    context.num_tickets = 0
    return context


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate", required=True)
    options = parser.parse_args()
    ports = {"ws": _listen(None), "wss": _listen(_tls(options.certificate))}
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
