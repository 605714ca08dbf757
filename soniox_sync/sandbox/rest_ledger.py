"""What was used: one entry per successful request, and how many streams ran at once."""

from __future__ import annotations

import collections
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional

from .rest_common import iso

__all__ = ["Entry", "Ledger", "Use"]

_KEPT = 10_000
# US dollars per hour of audio (PROTOCOL 7), rounded to what the service shows
_PRICES = {"stt": Decimal("0.12"), "async": Decimal("0.10"), "tts": Decimal("0.70")}
_CENTS = Decimal("0.000001")
# made up, but always the same: how many tokens audio and text are
_TOKENS_PER_SEC, _CHARS_PER_TOKEN = 8, 4


@dataclass(frozen=True)
class Entry:
    """Is one successful request; `number` is its place in the list."""

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
        """Give the numbers of the entry under the service's names."""
        return {
            "input_text_tokens": -(-self.input_chars // _CHARS_PER_TOKEN),
            "input_audio_tokens": self.input_audio_ms * _TOKENS_PER_SEC // 1000,
            "input_audio_duration_ms": self.input_audio_ms,
            "output_text_tokens": -(-self.output_chars // _CHARS_PER_TOKEN),
            "output_audio_tokens": self.output_audio_ms * _TOKENS_PER_SEC // 1000,
            "output_audio_duration_ms": self.output_audio_ms,
        }

    def costs(self) -> tuple[Decimal, Decimal]:
        """Give what input and output cost."""
        return self._cost(self.input_audio_ms), self._cost(self.output_audio_ms)

    def _cost(self, ms: int) -> Decimal:
        return (_PRICES[self.kind] * ms / 3_600_000).quantize(_CENTS)

    def body(self) -> dict[str, Any]:
        """Give it as the service does (PROTOCOL 5.8): money is a string."""
        given, made = self.costs()
        return {
            "uuid": self.uuid,
            "request_scope": "api",
            "client_reference_id": self.client_reference_id,
            "model": self.model,
            "start_time": iso(self.start),
            "end_time": iso(self.end),
            **self.counters(),
            "cost_usd": str(given + made),
            "input_cost_usd": str(given),
            "input_text_cost_usd": str(Decimal(0).quantize(_CENTS)),
            "input_audio_cost_usd": str(given),
            "output_cost_usd": str(made),
            "output_text_cost_usd": str(Decimal(0).quantize(_CENTS)),
            "output_audio_cost_usd": str(made),
        }


class Use:
    """Is one real-time stream as it runs; `done()` or `stop()` ends it, the first counts."""

    def __init__(self, ledger: Ledger, kind: str, model: str, reference: Optional[str]) -> None:
        self._ledger = ledger
        self.kind = kind
        self.start = datetime.now(timezone.utc)
        self.end: Optional[datetime] = None
        self._model = model
        self._reference = reference

    def done(self, **amounts: int) -> None:
        """End it well: it is charged."""
        if self._ledger.end(self):
            self._ledger.note(self.kind, self._model, self._reference, self.start, **amounts)

    def stop(self) -> None:
        """End it otherwise."""
        self._ledger.end(self)


class Ledger:
    """Is the bounded record of what was used: the newest 10,000 of each kind. Thread-safe."""

    def __init__(self) -> None:
        # Guards all below. Leaf.
        self._lock = threading.Lock()
        self._count = 0
        self._entries: collections.deque[Entry] = collections.deque(maxlen=_KEPT)
        self._uses: collections.deque[Use] = collections.deque(maxlen=_KEPT)

    def begin(self, kind: str, model: Any, reference: Any) -> Use:
        """Note that a real-time stream runs from now on (`kind`: `"stt"` or `"tts"`)."""
        use = Use(self, kind, str(model), reference)
        with self._lock:
            self._uses.append(use)
        return use

    def end(self, use: Use) -> bool:
        """Note that a stream ended; False when that was known."""
        with self._lock:
            first = use.end is None
            if first:
                use.end = datetime.now(timezone.utc)
            return first

    def note(
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
        """Note one successful request, ending now."""
        with self._lock:
            self._count += 1
            self._entries.append(
                Entry(
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

    def entries(self, start: datetime, end: datetime) -> list[Entry]:
        """Give the requests that ended in [start, end), in that order."""
        with self._lock:
            return [entry for entry in self._entries if start <= entry.end < end]

    def peak(self, kind: str, start: datetime, sec: int) -> int:
        """Tell how many streams ran at once, at most, in a period."""
        end = start + timedelta(seconds=sec)
        now = datetime.now(timezone.utc)
        with self._lock:
            spans = [(use.start, use.end or now) for use in self._uses if use.kind == kind]
        ours = [span for span in spans if span[0] < end and span[1] >= start]
        # the peak is reached when some stream begins
        return max((sum(a <= moment <= b for a, b in ours) for moment, _ in ours), default=0)
