"""A speech service whose audio says which characters were spoken, and which fails in many ways.

One character is one sample of 16 bits, at 1000 Hz. It notes every message that breaks the protocol.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Optional

from .kernel import Kernel
from .network import Socket
from .server import Peer, Service

CONFIG = {
    "model": "tts-rt-v1",
    "voice": "Adrian",
    "language": "en",
    "audio_format": "pcm_s16le",
    "sample_rate": 8000,
}
FAULTS = ("reset", "vanish", "close", "error", "stall")
STREAM_FAULTS = (None, None, None, None, "429", "503", "408", "early")


def heard(audio: bytes) -> str:
    """Return the characters that audio says."""
    return audio.decode("utf-16-le", "replace")


@dataclass
class _Stream:
    """One stream, as the service has it."""

    stream_id: str
    fault: Optional[str]
    text: str = ""
    spoken: int = 0
    ended: bool = False
    over: bool = False
    last_text: float = 0.0
    busy: bool = False


class Voices(Service):
    """The service. `faults` are used up in the order of connections; None: a good one."""

    def __init__(
        self,
        kernel: Kernel,
        faults: tuple[Optional[str], ...] = (),
        stream_faults: tuple[Optional[str], ...] = (),
        *,
        timestamps: bool = False,
    ) -> None:
        super().__init__(kernel)
        self._faults = iter(faults)
        self._stream_faults = iter(stream_faults)
        self._timestamps = timestamps
        self.violations: list[str] = []
        self.connections = 0
        self.texts: list[str] = []  # of every stream that began
        self.speed = self.rng.choice((3, 20, 1000))  # characters a chunk
        self.lag_sec = self.rng.choice((0.0, 0.01, 0.2))
        self.late_frames = self.rng.random() < 0.5
        self.quiet_sec = 5.0  # without a text for so long a stream is ended
        self.most_streams = 100  # of the account

    def accept(self, sock: Socket) -> Any:
        fault = next(self._faults, None)
        self.connections += 1
        if fault == "refuse":
            return None
        if fault == "hang":
            return "hang"
        peer: Any = super().accept(sock)
        peer.fault = fault
        peer.streams = {}
        return peer

    def opened(self, peer: Any) -> None:
        if peer.fault in FAULTS:
            delay = self.rng.choice((0.0, 0.01, 0.1, 1.0)) * (0.5 + self.rng.random())
            peer.later(delay, lambda: self._strike(peer))

    def _strike(self, peer: Any) -> None:
        if peer.fault == "reset":
            peer.reset()
        elif peer.fault == "vanish":
            peer.vanish()
        elif peer.fault == "close":
            peer.close(self.rng.choice((1000, 1001, 1011)))
        elif peer.fault == "stall":
            peer.is_reading = False
            peer.later(self.rng.choice((0.5, 5.0)), peer.read_again)
        else:
            peer.send({"error_code": 503, "error_type": "service_unavailable"})
            peer.close()

    def message(self, peer: Any, opcode: int, payload: bytes) -> None:
        message = json.loads(payload)
        self.kernel.note(f"server got {message}")
        if message.get("keep_alive"):
            return
        stream = peer.streams.get(message.get("stream_id"))
        if message.get("cancel"):
            if stream is not None:
                peer.later(self.lag_sec, lambda: self._cancel(peer, stream))
        elif "text" in message:
            self._text(peer, stream, message)
        else:
            self._begin(peer, stream, message)

    def _begin(self, peer: Any, before: Optional[_Stream], config: Any) -> None:
        if before is not None:
            self.violations.append(f"id in use: {config}")
        if len(peer.streams) >= 5:
            self.violations.append(f"a sixth stream: {config}")
        fault = next(self._stream_faults, None)
        if self.active() >= self.most_streams:
            fault = "429"
        stream = peer.streams[config["stream_id"]] = _Stream(config["stream_id"], fault)
        stream.last_text = self.kernel.now
        self._watch(peer, stream)
        if fault in ("429", "503"):
            kind = "limit_exceeded" if fault == "429" else "service_unavailable"
            peer.later(self.lag_sec, lambda: self._fail(peer, stream, int(fault), kind))

    def active(self) -> int:
        """Return the number of streams that live, on all connections."""
        return sum(len(peer.streams) for peer in self.peers if not peer.is_gone)

    def _text(self, peer: Any, stream: Optional[_Stream], message: Any) -> None:
        if stream is None or stream.over:
            return  # it was ended here, and the client does not know yet
        if stream.ended:
            self.violations.append(f"text after the end: {message}")
        stream.text += message["text"]
        stream.ended = bool(message["text_end"])
        stream.last_text = self.kernel.now
        if stream.fault not in ("429", "503") and not stream.busy:
            stream.busy = True
            peer.later(self.lag_sec, lambda: self._speak(peer, stream))

    def _speak(self, peer: Any, stream: _Stream) -> None:
        if stream.over:
            return
        part = stream.text[stream.spoken : stream.spoken + self.speed]
        if stream.fault == "408" and stream.spoken:
            self._fail(peer, stream, 408, "request_timeout")
            return
        if stream.fault == "early" and stream.spoken:
            self._terminate(peer, stream)
            return
        start = stream.spoken
        stream.spoken += len(part)
        last = stream.ended and stream.spoken == len(stream.text)
        if part or last:
            peer.send(self._frame(stream, part, start, last))
        if last:
            peer.later(self.lag_sec, lambda: self._terminate(peer, stream))
        elif stream.spoken < len(stream.text):
            peer.later(self.lag_sec, lambda: self._speak(peer, stream))
        else:
            stream.busy = False

    def _frame(self, stream: _Stream, part: str, start: int, last: bool) -> dict[str, Any]:
        audio = base64.b64encode(part.encode("utf-16-le")).decode()
        frame: dict[str, Any] = {"stream_id": stream.stream_id, "audio": audio, "audio_end": last}
        if self._timestamps and part:
            times = [round((start + n) / 8000, 6) for n in range(len(part) + 1)]
            frame["timestamps"] = {
                "characters": list(part),
                "character_start_times_seconds": times[:-1],
                "character_end_times_seconds": times[1:],
            }
        return frame

    def _watch(self, peer: Any, stream: _Stream) -> None:
        """End a stream whose text pauses for too long, as the service does."""
        if stream.over or stream.ended:
            return
        left = stream.last_text + self.quiet_sec - self.kernel.now
        if left <= 0:
            self._fail(peer, stream, 408, "request_timeout")
        else:
            peer.later(left, lambda: self._watch(peer, stream))

    def _fail(self, peer: Any, stream: _Stream, code: int, kind: str) -> None:
        if stream.over:
            return
        stream.over = True
        said = {"error_code": code, "error_type": kind, "error_message": "no"}
        peer.send({"stream_id": stream.stream_id, **said})
        peer.later(self.lag_sec, lambda: self._terminate(peer, stream))

    def _terminate(self, peer: Any, stream: _Stream) -> None:
        if peer.streams.get(stream.stream_id) is not stream:
            return
        stream.over = True
        self.texts.append(stream.text)
        del peer.streams[stream.stream_id]
        peer.send({"stream_id": stream.stream_id, "terminated": True})

    def _cancel(self, peer: Any, stream: _Stream) -> None:
        if peer.streams.get(stream.stream_id) is stream and self.late_frames:
            peer.send(self._frame(stream, "?", 0, False))  # on its way when the cancel came
        self._terminate(peer, stream)

    def gone(self, peer: Peer) -> None:
        peer.streams.clear()  # type: ignore[attr-defined]
