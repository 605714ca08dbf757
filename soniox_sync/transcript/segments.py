"""Segments: runs of tokens of one speaker and one language, spoken or translated.

`segment_tokens` groups a list of tokens, `SegmentBuffer` a live stream. Both use `RunSplitter`,
which looks at every token once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

from .._support.checks import boolean, integer, one_of, run_checks, wrong_type
from .._support.reprs import counted, quoted, summary
from ..protocol.tokens import Result, Token, join_said, join_translated

__all__ = ["GROUP_KEYS", "RunSplitter", "Segment", "SegmentBuffer", "common", "segment_tokens"]

GroupKey = Literal["speaker", "language"]
GroupBy = Union[tuple[GroupKey, ...], Collection[GroupKey]]  # mypy reads a tuple by the first
GROUP_KEYS: tuple[GroupKey, ...] = ("speaker", "language")

# start and end in milliseconds, as far as known
Span = tuple[Optional[int], Optional[int]]
_NO_SPAN: Span = (None, None)


class Spoken:
    """Base of segments and utterances: their repr, with the texts shortened."""

    text: str
    translated_text: str
    start_ms: Optional[int]
    end_ms: Optional[int]
    speaker: Optional[str]
    language: Optional[str]

    def __repr__(self) -> str:
        return summary(
            self,
            quoted(self.text) if self.text else "",
            f"-> {quoted(self.translated_text)}" if self.translated_text else "",
            "" if self.start_ms is None else f"{self.start_ms}-{self.end_ms} ms",
            "" if self.speaker is None else f"speaker {self.speaker}",
            self.language,
        )


@dataclass(frozen=True, repr=False)
class Segment(Spoken):
    """Run of tokens of one speaker and one language.

    A segment is either speech, with its `text`, or a translation, with its `translated_text`; the
    other of the two is empty. `start_ms` and `end_ms` are milliseconds on the clock of the tokens.
    A translation has no times of its own: it takes those of the speech it translates, or `None` if
    that speech is not known. `speaker` and `language` are `None` when the tokens have none, or
    when they differ because `group_by` left that key out.
    """

    text: str
    tokens: Sequence[Token]
    start_ms: Optional[int] = None
    end_ms: Optional[int] = None
    speaker: Optional[str] = None
    language: Optional[str] = None
    translated_text: str = ""

    @property
    def is_translation(self) -> bool:
        """Whether this is translated text rather than speech."""
        return bool(self.tokens) and self.tokens[0].is_translation


def segment_tokens(tokens: Iterable[Token], *, group_by: GroupBy = GROUP_KEYS) -> list[Segment]:
    """Group tokens into segments, in order; each token is in one of them.

    A segment ends where a key of `group_by` changes, and always between speech and translation.
    Grouping by speaker also ends it at a new session, because speaker labels are valid within one
    session only. `group_by=()` only separates speech from translation.

    Raises
        ConfigurationError: a key other than `"speaker"` and `"language"`.
        InputTypeError: `group_by` is a `str`, or not a collection.
    """
    splitter = RunSplitter(group_by)
    for token in tokens:
        splitter.add(token)
    return [run.segment() for run in splitter.runs]


class Run:
    """Segment that is still growing; tokens can be taken from its front."""

    __slots__ = ("inherited", "key", "latest_ends", "tokens")

    def __init__(self, key: tuple[Any, ...], inherited: Span) -> None:
        self.key: tuple[Any, ...] = key
        self.inherited: Span = inherited
        self.tokens: deque[Token] = deque()
        # for each token the latest end of any token so far: it gives tokens without times a place
        # in the order of the audio
        self.latest_ends: deque[int] = deque()

    def cut(self, count: int) -> Segment:
        """Remove the first `count` tokens and return them as a segment."""
        head = [self.tokens.popleft() for _ in range(count)]
        for _ in range(count):
            self.latest_ends.popleft()
        return build_segment(head, self.inherited)

    def segment(self) -> Segment:
        """Return the run as it is now."""
        return build_segment(list(self.tokens), self.inherited)


class RunSplitter:
    """Incremental grouping of tokens into `runs`: a new one begins where the key changes."""

    # Translated tokens have no times. They inherit those of the same speaker's words since the last
    # translation (T: translated; times in ms):
    #
    #     One 0-400         run 1   span of the speaker: 0-400
    #     T Uno             run 2   inherits 0-400; the next word begins a new span
    #     two 500-800       run 3   span: 500-800
    #     three 800-1200            span: 500-1200
    #     T dos tres        run 4   inherits 500-1200

    def __init__(self, group_by: GroupBy) -> None:
        self._by_speaker, self._by_language = _checked_keys(group_by)
        # (session, speaker) -> span of what was said since the last translation
        self._spoken: dict[tuple[int, Optional[str]], _SpokenSpan] = {}
        self.latest_end: int = 0
        self.runs: deque[Run] = deque()

    def key(self, token: Token) -> tuple[Any, ...]:
        """Return what must be equal in two neighbours for them to be in one segment."""
        key: tuple[Any, ...] = (token.is_translation,)
        if self._by_speaker:
            key += (token.speaker, token.session if token.speaker is not None else 0)
        return (*key, token.language) if self._by_language else key

    def add(self, token: Token) -> None:
        """Append one token, in constant time."""
        inherited = self._track_time(token)
        key = self.key(token)
        if not self.runs or self.runs[-1].key != key:
            self.runs.append(Run(key, inherited))
        run = self.runs[-1]
        run.tokens.append(token)
        run.latest_ends.append(self.latest_end)

    def _track_time(self, token: Token) -> Span:
        """Record when a token was spoken; return the span that a translation inherits."""
        if token.end_ms is not None and token.end_ms > self.latest_end:
            self.latest_end = token.end_ms
        who = (token.session, token.speaker)
        spoken = self._spoken.get(who)
        if token.is_translation:
            return spoken.translated() if spoken else _NO_SPAN
        if spoken is None:
            spoken = self._spoken[who] = _SpokenSpan()
        spoken.extend(token)
        return _NO_SPAN


class _SpokenSpan:
    """Span of one speaker's words since the last translation of that speaker."""

    __slots__ = ("_end", "_start", "_translated")

    def __init__(self) -> None:
        self._start: Optional[int] = None
        self._end: Optional[int] = None
        self._translated = False

    def extend(self, token: Token) -> None:
        if self._translated:
            self._start = self._end = None
            self._translated = False
        self._start = least(self._start, token.start_ms)
        self._end = greatest(self._end, token.end_ms)

    def translated(self) -> Span:
        # not cleared yet: a translation comes in several tokens
        self._translated = True
        return self._start, self._end


def build_segment(tokens: Sequence[Token], inherited: Span = _NO_SPAN) -> Segment:
    """Build a segment from tokens; `inherited` times count only if no token has its own."""
    start, end = token_span(tokens)
    if start is None and end is None:
        start, end = inherited
    return Segment(
        text=join_said(tokens),
        tokens=tuple(tokens),
        start_ms=start,
        end_ms=end,
        speaker=common([token.speaker for token in tokens]),
        language=common([token.language for token in tokens]),
        translated_text=join_translated(tokens),
    )


def token_span(tokens: Iterable[Token]) -> Span:
    """Return the earliest start and the latest end among the tokens' own times."""
    start: Optional[int] = None
    end: Optional[int] = None
    for token in tokens:
        start = least(start, token.start_ms)
        end = greatest(end, token.end_ms)
    return start, end


def common(values: Sequence[Optional[str]]) -> Optional[str]:
    """Return the value that all of them equal, `None` if they differ."""
    return values[0] if values and all(value == values[0] for value in values) else None


def least(one: Optional[int], other: Optional[int]) -> Optional[int]:
    """Return the smaller of the numbers that are known."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def greatest(one: Optional[int], other: Optional[int]) -> Optional[int]:
    """Return the larger of the numbers that are known."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _checked_keys(group_by: GroupBy) -> tuple[bool, bool]:
    if isinstance(group_by, str):
        raise wrong_type("group_by", "a list of str", group_by, f"write [{group_by[:20]!r}]")
    if not isinstance(group_by, Collection):
        raise wrong_type("group_by", "a list of str", group_by)
    for key in group_by:
        one_of(GROUP_KEYS)("group_by", key)
    return "speaker" in group_by, "language" in group_by


class SegmentBuffer:
    """Buffer that hands out the segments of a live transcription as they become complete.

    A bound never drops a final token: what exceeds it is handed out early, so that one segment may
    come in several pieces. Not thread-safe; `add` costs the same at any length.

    Args:
        group_by: as in `segment_tokens`.
        final_only: `False` counts and flushes the partial tokens too. Those of each result replace
            those before. `add` hands out final tokens only, because partial ones may still change.
        max_tokens: the most tokens kept; `None` for no bound.
        max_ms: the longest stretch of audio kept, in milliseconds; `None` for no bound.

    Raises
        ConfigurationError: an unknown key, or a bound below 1.
        InputTypeError: a bound that is not an `int`, or `group_by` is not a collection.
    """

    # With `max_tokens=2`, the letters as tokens of speaker 1, the digits of speaker 2:
    #
    #     add(a b)      -> nothing        held: [a b]
    #     add(c)        -> "a"            held: [b c]     early: the segment is not complete
    #     add(1, proc)  -> "bc"           held: [1]       complete: another segment follows, and
    #                                                     its audio is final
    #     flush_all()   -> "1"
    #
    # "a" and "bc" are pieces of one segment: `joins` is True, and `UtteranceBuffer` merges them.

    def __init__(
        self,
        *,
        group_by: GroupBy = GROUP_KEYS,
        final_only: bool = True,
        max_tokens: Optional[int] = 2000,
        max_ms: Optional[int] = None,
    ) -> None:
        bounds = {"max_tokens": max_tokens, "max_ms": max_ms}
        run_checks(bounds, {"max_tokens": integer(1), "max_ms": integer(1)})
        boolean("final_only", final_only)
        self._splitter = RunSplitter(group_by)
        self._final_only = final_only
        self._max_tokens = max_tokens
        self._max_ms = max_ms
        self._group_by = tuple(group_by)
        self._count = 0
        self._partial: list[Token] = []

    def __repr__(self) -> str:
        return summary(self, counted(len(self), "token"), "held")

    def __len__(self) -> int:
        """Return the number of tokens held, partial ones included unless `final_only`."""
        return self._count + len(self._partial)

    def add(self, result: Result) -> list[Segment]:
        """Add a result; return the segments that are now complete, oldest first.

        A segment is complete once another follows it and it lies before the result's
        `final_audio_proc_ms`. The last one waits for `flush_all`.
        """
        for token in result.tokens:
            if token.is_final:
                self._splitter.add(token)
                self._count += 1
        self._partial = [] if self._final_only else result.non_final_tokens
        return self._take_complete(result.final_audio_proc_ms) + self._take_excess()

    def flush_all(self) -> list[Segment]:
        """Return everything held and leave the buffer empty; the clock of the tokens continues."""
        latest_end = self._splitter.latest_end
        for token in self._partial:
            self._splitter.add(token)
        segments = [run.segment() for run in self._splitter.runs]
        self._splitter.runs.clear()
        # partial tokens may reach further than the audio that becomes final next
        self._splitter.latest_end = latest_end
        self._count = 0
        self._partial = []
        return segments

    def reset(self) -> None:
        """Drop everything held; the clock of the tokens may start over."""
        self._splitter = RunSplitter(self._group_by)
        self._count = 0
        self._partial = []

    def joins(self, one: Segment, other: Segment) -> bool:
        """Return whether two neighbours are pieces of one segment that a bound cut."""
        key = self._splitter.key
        return key(one.tokens[-1]) == key(other.tokens[0])

    def _take_complete(self, final_audio_proc_ms: int) -> list[Segment]:
        segments: list[Segment] = []
        runs = self._splitter.runs
        # 0 is what a server sends before anything is final
        while final_audio_proc_ms and self._first_is_followed():
            if runs[0].latest_ends[-1] > final_audio_proc_ms:
                break
            segments.append(self._take(len(runs[0].tokens)))
        return segments

    def _first_is_followed(self) -> bool:
        """Return whether another segment follows the first, if only a partial one."""
        runs = self._splitter.runs
        if len(runs) > 1:
            return True
        return bool(runs and self._partial) and self._splitter.key(self._partial[0]) != runs[0].key

    def _take_excess(self) -> list[Segment]:
        segments: list[Segment] = []
        while self._splitter.runs:
            first = self._splitter.runs[0]
            excess = self._excess_audio(first)
            if self._max_tokens is not None:
                excess = max(excess, min(len(self) - self._max_tokens, len(first.tokens)))
            if excess <= 0:
                break
            segments.append(self._take(excess))
        return segments

    def _excess_audio(self, run: Run) -> int:
        """Count the tokens of `run` that ended more than `max_ms` before the latest one."""
        if self._max_ms is None:
            return 0
        cutoff = self._splitter.latest_end - self._max_ms
        excess = 0
        for latest_end in run.latest_ends:
            if latest_end >= cutoff:
                break
            excess += 1
        return excess

    def _take(self, count: int) -> Segment:
        runs = self._splitter.runs
        segment = runs[0].cut(count)
        if not runs[0].tokens:
            runs.popleft()
        self._count -= count
        return segment
