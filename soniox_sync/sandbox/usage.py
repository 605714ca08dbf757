"""Usage: one entry per successful request, and which streams ran when (PROTOCOL 5.8)."""

from __future__ import annotations

import collections
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional

from .._support.locks import new_lock

__all__ = ["StreamUsage", "UsageEntry", "UsageLog"]

_KEPT = 10_000
# US dollars per hour of audio (PROTOCOL 7), rounded to what the service shows
_PRICES = {"stt": Decimal("0.12"), "async": Decimal("0.10"), "tts": Decimal("0.70")}
_ROUNDED_TO = Decimal("0.000001")
# invented but constant: tokens per amount of audio and text
_TOKENS_PER_SEC, _CHARS_PER_TOKEN = 8, 4


@dataclass(frozen=True)
class UsageEntry:
    """One successful request; `number` is its position in the log, from 1."""

    number: int
    uuid: str
    kind: str
    model: str
    client_reference_id: str
    start: datetime
    end: datetime
    input_audio_ms: int
    output_audio_ms: int
    input_chars: int
    output_chars: int

    def counters(self) -> dict[str, int]:
        """Return the numbers of the entry under the service's names."""
        return {
            "input_text_tokens": -(-self.input_chars // _CHARS_PER_TOKEN),
            "input_audio_tokens": self.input_audio_ms * _TOKENS_PER_SEC // 1000,
            "input_audio_duration_ms": self.input_audio_ms,
            "output_text_tokens": -(-self.output_chars // _CHARS_PER_TOKEN),
            "output_audio_tokens": self.output_audio_ms * _TOKENS_PER_SEC // 1000,
            "output_audio_duration_ms": self.output_audio_ms,
        }

    def costs(self) -> tuple[Decimal, Decimal]:
        """Return what input and output cost, in US dollars."""
        per_hour = _PRICES[self.kind]
        audio = (self.input_audio_ms, self.output_audio_ms)
        given, made = ((per_hour * ms / 3_600_000).quantize(_ROUNDED_TO) for ms in audio)
        return given, made


class StreamUsage:
    """One real-time stream while it runs; `charge()` or `end()` ends it, the first call counts."""

    def __init__(self, usage: UsageLog, kind: str, model: str, reference: Optional[str]) -> None:
        self._usage = usage
        self.kind = kind
        self.start: datetime = datetime.now(timezone.utc)
        # set by the log, under its lock
        self.ended: Optional[datetime] = None
        self._model = model
        self._reference = reference

    def charge(self, **amounts: int) -> None:
        """End it as a success, and add an entry to the log."""
        if self._usage.end_stream(self):
            self._usage.add(self.kind, self._model, self._reference, self.start, **amounts)

    def end(self) -> None:
        """End it without a charge."""
        self._usage.end_stream(self)


class UsageLog:
    """Bounded record of usage: the latest 10,000 entries and streams. Thread-safe."""

    def __init__(self) -> None:
        # Guards all below, and the end of each stream. Leaf.
        self._lock = new_lock()
        self._count = 0
        self._entries: collections.deque[UsageEntry] = collections.deque(maxlen=_KEPT)
        self._streams: collections.deque[StreamUsage] = collections.deque(maxlen=_KEPT)

    def begin_stream(self, kind: str, model: Any, reference: Any) -> StreamUsage:
        """Record that a real-time stream starts now (`kind`: `"stt"` or `"tts"`)."""
        stream = StreamUsage(self, kind, str(model), reference)
        with self._lock:
            self._streams.append(stream)
        return stream

    def end_stream(self, stream: StreamUsage) -> bool:
        """Record that a stream ended; return False if it had ended before."""
        with self._lock:
            first = stream.ended is None
            if first:
                stream.ended = datetime.now(timezone.utc)
            return first

    def add(
        self,
        kind: str,
        model: str,
        reference: Optional[str],
        start: datetime,
        *,
        input_audio_ms: int = 0,
        output_audio_ms: int = 0,
        input_chars: int = 0,
        output_chars: int = 0,
    ) -> None:
        """Record one successful request that ends now."""
        with self._lock:
            self._count += 1
            self._entries.append(
                UsageEntry(
                    self._count,
                    str(uuid.uuid4()),
                    kind,
                    model,
                    reference or "",
                    start,
                    datetime.now(timezone.utc),
                    input_audio_ms,
                    output_audio_ms,
                    input_chars,
                    output_chars,
                )
            )

    def entries(self, start: datetime, end: datetime) -> list[UsageEntry]:
        """Return the requests that ended in [start, end), in that order."""
        with self._lock:
            return [entry for entry in self._entries if start <= entry.end < end]

    def peak(self, kind: str, start: datetime, sec: int) -> int:
        """Return the maximum number of concurrent streams in a period of `sec` seconds."""
        end = start + timedelta(seconds=sec)
        now = datetime.now(timezone.utc)
        with self._lock:
            spans = [(each.start, each.ended or now) for each in self._streams if each.kind == kind]
        ours = [span for span in spans if span[0] < end and span[1] >= start]
        # the peak is always reached at the start of some stream
        return max((sum(a <= moment <= b for a, b in ours) for moment, _ in ours), default=0)
