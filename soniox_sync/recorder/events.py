"""Merging the events of successive sessions into those of one recording."""

from __future__ import annotations

from typing import Optional

from ..protocol.tokens import Result, SttEvent
from .merging import Merger


class EventMerger:
    """Merges events as `Merger` merges results: none is repeated, and no partial is left behind.

    Methods return the event for the user, or `None` if there is none.
    """

    def __init__(self) -> None:
        self.merger: Merger = Merger()
        self.in_segment: bool = False  # words were received since the last endpoint

    def begin(self, offset_ms: int) -> None:
        """Start the next session; its audio starts `offset_ms` into the recording."""
        self.merger.begin(offset_ms)

    def accept(self, event: SttEvent) -> Optional[SttEvent]:
        """Merge an event of the session whose results are being delivered."""
        merger = self.merger
        if event.kind == "result":
            had_partial = merger.has_partial
            result = merger.accept(event.result)
            if merger.has_words:
                self.in_segment = True
            if result is event.result:
                return event
            # a result of which everything was delivered before is left out, unless it withdraws a
            # partial
            if result.tokens or had_partial or not event.result.tokens:
                return SttEvent("result", result)
            return None
        if event.kind == "endpoint":
            is_repeated = not self.in_segment and merger.session > 0
            self.in_segment = False
            if is_repeated:
                return None  # the replayed pause had its endpoint in an earlier session
        return SttEvent(event.kind, merger.make_result([], event.result))

    def accept_late(self, event: SttEvent) -> Optional[SttEvent]:
        """Merge an event of a session that was replaced: only its translations still matter."""
        if event.kind != "result":
            return None
        return _with_tokens(self.merger.accept_late(event.result))

    def flush(self) -> Optional[SttEvent]:
        """Return what was held back of a session that sends nothing more."""
        return _with_tokens(self.merger.flush())

    def withdraw_partial(self) -> Optional[SttEvent]:
        """Return the event that withdraws the partial of a lost session, if there is one."""
        merger = self.merger
        return SttEvent("result", merger.withdrawal()) if merger.has_partial else None

    def finished(self) -> SttEvent:
        """Return the last event of the recording."""
        return SttEvent("finished", Result((), self.merger.final_ms, self.merger.total_ms, True))


def _with_tokens(result: Result) -> Optional[SttEvent]:
    return SttEvent("result", result) if result.tokens else None
