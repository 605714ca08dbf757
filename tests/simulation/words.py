"""A transcription service that recognises numbered audio, and fails in every way it can.

Audio is one byte a millisecond (`pcm_s8` at 1000 Hz). A word of number n is 100 bytes of value n;
0 is silence. A word that was cut is recognised as one that nobody spoke.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Optional

from .kernel import Kernel
from .network import Socket
from .server import BINARY, Peer, Service

WORD_MS = 100
CONFIG = {"audio_format": "pcm_s8", "sample_rate": 1000, "num_channels": 1}
# how a connection may end before its time
FAULTS = ("reset", "vanish", "close", "503", "413", "400", "stall")


def speak(numbers: Any, gap_ms: int = 20) -> bytes:
    """Return the audio of words, each followed by silence."""
    return b"".join(bytes((n,)) * WORD_MS + bytes(gap_ms) for n in numbers)


def numbers_of(tokens: Any) -> list[int]:
    """Return the numbers of the words in final tokens; -1 for one that nobody spoke."""
    texts = [token.text.strip() for token in tokens if token.is_final]
    return [int(text[1:]) if text[0] == "w" else -1 for text in texts]


@dataclass
class _Heard:
    """What one connection has said and heard."""

    config: Optional[dict[str, Any]] = None
    total_ms: int = 0
    final_ms: int = 0
    run: tuple[int, int] = (0, 0)  # value and length
    pending: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False
    messages: int = 0


class Words(Service):
    """The service. `faults` are used up in the order of connections; None: a good one."""

    def __init__(self, kernel: Kernel, faults: tuple[Optional[str], ...] = ()) -> None:
        super().__init__(kernel)
        self._faults = iter(faults)
        self.heard: list[_Heard] = []
        self.connections = 0
        self.lag_sec = self.rng.choice((0.0, 0.01, 0.3))
        self.lag_ms = self.rng.choice((0, 150, 400))  # by how much what is final is behind

    def accept(self, sock: Socket) -> Any:
        fault = next(self._faults, None)
        self.connections += 1
        if fault == "refuse":
            return None
        if fault == "hang":
            return "hang"
        peer: Any = super().accept(sock)
        peer.fault = fault
        peer.heard = _Heard()
        self.heard.append(peer.heard)
        return peer

    def refusal(self, peer: Any) -> int:
        return int(peer.fault[5:]) if (peer.fault or "").startswith("http ") else 0

    def opened(self, peer: Any) -> None:
        if peer.fault in FAULTS:
            delay = self.rng.choice((0.0, 0.01, 0.1, 1.0)) * (0.5 + self.rng.random())
            peer.later(delay, lambda: self._strike(peer))

    def _strike(self, peer: Any) -> None:
        fault = peer.fault
        if fault == "reset":
            peer.reset()
        elif fault == "vanish":
            peer.vanish()
        elif fault == "close":
            peer.close(self.rng.choice((1000, 1001, 1011)))
        elif fault == "stall":
            peer.is_reading = False
            peer.later(self.rng.choice((0.5, 5.0)), peer.read_again)
        else:
            kinds = {"503": "service_unavailable", "413": "max_duration_reached"}
            self.refuse(peer, int(fault), kinds.get(fault, "invalid_request"))

    def refuse(self, peer: Peer, code: int, kind: str) -> None:
        """End a connection with an error frame."""
        peer.send({"error_code": code, "error_type": kind, "error_message": "no", "tokens": []})
        peer.close()

    def message(self, peer: Any, opcode: int, payload: bytes) -> None:
        heard = peer.heard
        heard.messages += 1
        self.kernel.note(f"server got {payload[:60]!r} of {len(payload)}")
        if opcode == BINARY:
            self._hear(heard, payload)
        elif not payload:
            heard.ended = True
            self._end_word(heard)
        else:
            message = json.loads(payload)
            if heard.config is None:
                heard.config = message
            elif message["type"] == "finalize":
                if heard.run[1] == WORD_MS:  # else it is being spoken, and stays as it is
                    self._end_word(heard)
                peer.later(self.lag_sec, lambda: self._finalize(peer))
            return
        peer.later(self.lag_sec, lambda: self._answer(peer))

    def _hear(self, heard: _Heard, audio: bytes) -> None:
        for value, same in itertools.groupby(audio):
            length = sum(1 for _ in same)
            if value == heard.run[0]:
                heard.run = (value, heard.run[1] + length)
            else:
                self._end_word(heard)
                heard.run = (value, length)
            heard.total_ms += length

    def _end_word(self, heard: _Heard) -> None:
        value, length = heard.run
        heard.run = (0, 0)
        if value:
            text = f"w{value}" if length == WORD_MS else f"~{value}"
            start = heard.total_ms - length
            heard.pending.append({"text": text, "start_ms": start, "end_ms": heard.total_ms})

    def _finalize(self, peer: Any) -> None:
        self._result(peer, peer.heard.total_ms, [{"text": "<fin>", "is_final": True}])

    def _answer(self, peer: Any) -> None:
        heard = peer.heard
        if not heard.ended:
            self._result(peer, heard.total_ms - self.lag_ms)
            return
        self._result(peer, heard.total_ms)
        done = {"tokens": [], "finished": True}
        peer.send({**done, **self._counters(heard)})
        peer.close()

    def _result(self, peer: Any, until_ms: int, more: Any = ()) -> None:
        heard = peer.heard
        if heard.run[0]:
            until_ms = min(until_ms, heard.total_ms - heard.run[1])
        final = []
        while heard.pending and heard.pending[0]["end_ms"] <= until_ms:
            final.append({**heard.pending.pop(0), "is_final": True, "confidence": 0.9})
        heard.final_ms = max(heard.final_ms, until_ms)
        partial = [{**token, "is_final": False} for token in heard.pending]
        peer.send({"tokens": [*final, *partial, *more], **self._counters(heard)})

    def _counters(self, heard: _Heard) -> dict[str, int]:
        return {"final_audio_proc_ms": heard.final_ms, "total_audio_proc_ms": heard.total_ms}
