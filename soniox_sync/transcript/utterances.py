"""Collect tokens into utterances: what was said between two endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..protocol.tokens import Result, Token
from .segments import GROUP_KEYS, Segment, SegmentBuffer, build_segment, common, greatest, least

__all__ = ["Utterance", "UtteranceBuffer", "build_utterance"]


@dataclass(frozen=True)
class Utterance:
    """Is what was said, and its translation, from one endpoint to the next.

    `text` is that of all `segments`, in order. `speaker` and `language` are given only when all
    segments agree, so a translated utterance has no single `language`; see `translation_pairs`.
    Times are milliseconds, `None` where no token has one.
    """

    text: str
    segments: Sequence[Segment] = field(repr=False)
    tokens: Sequence[Token] = field(repr=False)
    start_ms: Optional[int] = None
    end_ms: Optional[int] = None
    speaker: Optional[str] = None
    language: Optional[str] = None


def build_utterance(segments: Sequence[Segment]) -> Utterance:
    """Join segments into one utterance."""
    start: Optional[int] = None
    end: Optional[int] = None
    for segment in segments:
        start = least(start, segment.start_ms)
        end = greatest(end, segment.end_ms)
    return Utterance(
        text="".join([segment.text for segment in segments]),
        segments=tuple(segments),
        tokens=tuple([token for segment in segments for token in segment.tokens]),
        start_ms=start,
        end_ms=end,
        speaker=common([segment.speaker for segment in segments]),
        language=common([segment.language for segment in segments]),
    )


class UtteranceBuffer:
    """Collects a live transcription until an endpoint says that an utterance is over.

    The options are those of `SegmentBuffer`. Not thread-safe.
    """

    def __init__(
        self,
        *,
        group_by: Sequence[str] = GROUP_KEYS,
        final_only: bool = True,
        max_tokens: Optional[int] = 2000,
        max_ms: Optional[int] = None,
    ) -> None:
        self._buffer = SegmentBuffer(
            group_by=group_by, final_only=final_only, max_tokens=max_tokens, max_ms=max_ms
        )
        self._pending: list[Segment] = []

    def add_result(self, result: Result) -> list[Segment]:
        """Take a result; give the segments that it completed, as `SegmentBuffer.add` does.

        They belong to the utterance that `mark_endpoint` will give, too.
        """
        segments = self._buffer.add(result)
        self._pending += segments
        return segments

    def mark_endpoint(self) -> Optional[Utterance]:
        """End the utterance and give it; `None` when nothing was said since the last one.

        Call it on an `"endpoint"` or `"finalized"` event, after `add_result`.
        """
        segments = self._pending + self._buffer.flush_all()
        self._pending = []
        return build_utterance(self._rejoined(segments)) if segments else None

    def reset(self) -> None:
        """Forget what was collected."""
        self._buffer.reset()
        self._pending = []

    def _rejoined(self, segments: Sequence[Segment]) -> list[Segment]:
        """Join the pieces of a segment that a bound had handed out early."""
        groups: list[list[Segment]] = []
        for segment in segments:
            if groups and self._buffer.joins(groups[-1][-1], segment):
                groups[-1].append(segment)
            else:
                groups.append([segment])
        return [_merged(group) for group in groups]


def _merged(pieces: Sequence[Segment]) -> Segment:
    if len(pieces) == 1:
        return pieces[0]
    tokens = [token for piece in pieces for token in piece.tokens]
    # inherited times are the same in all pieces, and give way to the tokens' own
    return build_segment(tokens, (pieces[0].start_ms, pieces[0].end_ms))
