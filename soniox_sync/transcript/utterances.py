"""Utterances: everything spoken between two endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from .._support.reprs import counted, summary
from ..protocol.tokens import Result, Token
from .segments import (
    GROUP_KEYS,
    GroupBy,
    Segment,
    SegmentBuffer,
    Spoken,
    build_segment,
    common,
    greatest,
    least,
)

__all__ = ["Utterance", "UtteranceBuffer", "build_utterance"]


@dataclass(frozen=True, repr=False)
class Utterance(Spoken):
    """Speech from one endpoint to the next, with its translation.

    `text` and `translated_text` are those of all `segments`, in order. `speaker` and `language`
    are set only if all segments agree, so a translated utterance has no single `language`; see
    `translation_pairs`. Times are milliseconds, `None` if no token has one.
    """

    text: str
    segments: Sequence[Segment]
    tokens: Sequence[Token]
    start_ms: Optional[int] = None
    end_ms: Optional[int] = None
    speaker: Optional[str] = None
    language: Optional[str] = None
    translated_text: str = ""


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
        translated_text="".join([segment.translated_text for segment in segments]),
    )


class UtteranceBuffer:
    """Buffer that collects a live transcription until an endpoint ends the utterance.

    The options are those of `SegmentBuffer`. Not thread-safe.
    """

    def __init__(
        self,
        *,
        group_by: GroupBy = GROUP_KEYS,
        final_only: bool = True,
        max_tokens: Optional[int] = 2000,
        max_ms: Optional[int] = None,
    ) -> None:
        self._buffer = SegmentBuffer(
            group_by=group_by, final_only=final_only, max_tokens=max_tokens, max_ms=max_ms
        )
        self._pending: list[Segment] = []

    def __repr__(self) -> str:
        complete = counted(len(self._pending), "complete segment")
        return summary(self, f"{complete},", counted(len(self._buffer), "token"), "held")

    def add_result(self, result: Result) -> list[Segment]:
        """Add a result; return the segments that are now complete, as `SegmentBuffer.add` does.

        They are part of the utterance that `mark_endpoint` returns as well.
        """
        segments = self._buffer.add(result)
        self._pending += segments
        return segments

    def mark_endpoint(self) -> Optional[Utterance]:
        """End the utterance and return it; `None` if nothing was spoken since the last one.

        Call it on an `"endpoint"` or `"finalized"` event, after `add_result`.
        """
        segments = self._pending + self._buffer.flush_all()
        self._pending = []
        return build_utterance(self._merge_pieces(segments)) if segments else None

    def reset(self) -> None:
        """Drop what was collected."""
        self._buffer.reset()
        self._pending = []

    def _merge_pieces(self, segments: Sequence[Segment]) -> list[Segment]:
        """Merge the pieces of segments that a bound cut: "a", "bc", "1" become "abc", "1"."""
        groups: list[list[Segment]] = []
        for segment in segments:
            if groups and self._buffer.joins(groups[-1][-1], segment):
                groups[-1].append(segment)
            else:
                groups.append([segment])
        return [_merge(group) for group in groups]


def _merge(pieces: Sequence[Segment]) -> Segment:
    if len(pieces) == 1:
        return pieces[0]
    tokens = [token for piece in pieces for token in piece.tokens]
    # of a translation, all pieces inherited the same times; otherwise the tokens have their own
    return build_segment(tokens, (pieces[0].start_ms, pieces[0].end_ms))
