"""Group tokens into segments: runs of one speaker, one language, said or translated.

`segment_tokens` does it for tokens at hand, `SegmentBuffer` for a live stream. Both stand on
`RunSplitter`, which looks at every token once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import ConfigurationError
from ..protocol.tokens import Result, Token

__all__ = ["GROUP_KEYS", "RunSplitter", "Segment", "SegmentBuffer", "common", "segment_tokens"]

GROUP_KEYS = ("speaker", "language")

# start and end in milliseconds, as far as known
Span = tuple[Optional[int], Optional[int]]
_NO_SPAN: Span = (None, None)


@dataclass(frozen=True)
class Segment:
    """Is a run of tokens of one speaker and one language.

    `start_ms` and `end_ms` are milliseconds on the clock of the tokens. A segment of translated
    text has no times of its own: it bears those of the speech it translates, or `None` where that
    speech is not known. `speaker` and `language` are `None` when the tokens do not say, or when
    they differ because `group_by` left that key out.
    """

    text: str
    tokens: Sequence[Token] = field(repr=False)
    start_ms: Optional[int] = None
    end_ms: Optional[int] = None
    speaker: Optional[str] = None
    language: Optional[str] = None

    @property
    def is_translation(self) -> bool:
        """Tell whether this is translated text rather than what was said."""
        return bool(self.tokens) and self.tokens[0].is_translation


def segment_tokens(
    tokens: Iterable[Token], *, group_by: Sequence[str] = GROUP_KEYS
) -> list[Segment]:
    """Group tokens into segments; their texts concatenate to the text of all tokens.

    A segment ends where a key of `group_by` changes, and always between what was said and a
    translation. Grouping by speaker also ends it at a new session, because speaker labels are
    valid within one session only. `group_by=()` groups by said and translated alone.

    Raises:
        ConfigurationError: a key other than `"speaker"` and `"language"`.
    """
    splitter = RunSplitter(group_by)
    for token in tokens:
        splitter.add(token)
    return [run.segment() for run in splitter.runs]


class Run:
    """Is a segment in the making; can be shortened from its front."""

    __slots__ = ("inherited", "key", "known", "tokens")

    def __init__(self, key: tuple[Any, ...], inherited: Span) -> None:
        self.key = key
        self.inherited = inherited
        self.tokens: deque[Token] = deque()
        # for each token the latest end known when it came: untimed tokens are ordered by it
        self.known: deque[int] = deque()

    def cut(self, count: int) -> Segment:
        """Remove the first `count` tokens and give them as a segment."""
        head = [self.tokens.popleft() for _ in range(count)]
        for _ in range(count):
            self.known.popleft()
        return build_segment(head, self.inherited)

    def segment(self) -> Segment:
        """Give the run as it is now."""
        return build_segment(list(self.tokens), self.inherited)


class RunSplitter:
    """Appends tokens to `runs`, opening a new one wherever the key changes."""

    def __init__(self, group_by: Sequence[str]) -> None:
        self._by_speaker, self._by_language = _checked_keys(group_by)
        self._spoken: dict[tuple[int, Optional[str]], _SpokenSpan] = {}
        self.latest_end = 0
        self.runs: deque[Run] = deque()

    def key(self, token: Token) -> tuple[Any, ...]:
        """Give what must stay the same for a token to join its neighbour's segment."""
        key: tuple[Any, ...] = (token.is_translation,)
        if self._by_speaker:
            key += (token.speaker, token.session if token.speaker is not None else 0)
        return (*key, token.language) if self._by_language else key

    def add(self, token: Token) -> None:
        """Append one token; costs the same however many came before."""
        inherited = self._place(token)
        key = self.key(token)
        if not self.runs or self.runs[-1].key != key:
            self.runs.append(Run(key, inherited))
        run = self.runs[-1]
        run.tokens.append(token)
        run.known.append(self.latest_end)

    def _place(self, token: Token) -> Span:
        """Note when a token was said, and give the span that a translation may inherit."""
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
    """Follows the time of one speaker's words since those last translated."""

    __slots__ = ("_closed", "_end", "_start")

    def __init__(self) -> None:
        self._start: Optional[int] = None
        self._end: Optional[int] = None
        self._closed = False

    def extend(self, token: Token) -> None:
        if self._closed:
            self._start = self._end = None
            self._closed = False
        self._start = least(self._start, token.start_ms)
        self._end = greatest(self._end, token.end_ms)

    def translated(self) -> Span:
        self._closed = True
        return self._start, self._end


def build_segment(tokens: Sequence[Token], inherited: Span = _NO_SPAN) -> Segment:
    """Make a segment of tokens; `inherited` times serve only when no token has its own."""
    start, end = token_span(tokens)
    if start is None and end is None:
        start, end = inherited
    return Segment(
        text="".join([token.text for token in tokens]),
        tokens=tuple(tokens),
        start_ms=start,
        end_ms=end,
        speaker=common([token.speaker for token in tokens]),
        language=common([token.language for token in tokens]),
    )


def token_span(tokens: Iterable[Token]) -> Span:
    """Give the earliest start and the latest end among the tokens' own times."""
    start: Optional[int] = None
    end: Optional[int] = None
    for token in tokens:
        start = least(start, token.start_ms)
        end = greatest(end, token.end_ms)
    return start, end


def common(values: Sequence[Optional[str]]) -> Optional[str]:
    """Give the value all agree on, else `None`."""
    return values[0] if values and all(value == values[0] for value in values) else None


def least(one: Optional[int], other: Optional[int]) -> Optional[int]:
    """Give the smaller of those that are known."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def greatest(one: Optional[int], other: Optional[int]) -> Optional[int]:
    """Give the larger of those that are known."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _checked_keys(group_by: Sequence[str]) -> tuple[bool, bool]:
    if isinstance(group_by, str):
        raise ConfigurationError(f"group_by must be a sequence of names, got the str {group_by!r}")
    unknown = [key for key in group_by if key not in GROUP_KEYS]
    if unknown:
        raise ConfigurationError(
            f"group_by knows {', '.join(GROUP_KEYS)}; unknown: {', '.join(map(repr, unknown))}"
        )
    return "speaker" in group_by, "language" in group_by


class SegmentBuffer:
    """Hands out the segments of a live transcription as they become complete.

    Args:
        group_by: as in `segment_tokens`.
        final_only: `False` counts and flushes the current guess too. Each result's guess replaces
            the one before. `add` hands out final tokens only, because a guess may still change.
        max_tokens: the most tokens kept; `None` for no bound.
        max_ms: the longest stretch of audio kept, in milliseconds; `None` for no bound.

    A bound never drops a final token: what exceeds it is handed out early, so that one segment
    may come in several pieces. Not thread-safe; `add` costs the same at any length.

    Raises:
        ConfigurationError: unknown key, or a bound that is not positive.
    """

    def __init__(
        self,
        *,
        group_by: Sequence[str] = GROUP_KEYS,
        final_only: bool = True,
        max_tokens: Optional[int] = 2000,
        max_ms: Optional[int] = None,
    ) -> None:
        _check_positive("max_tokens", max_tokens)
        _check_positive("max_ms", max_ms)
        self._final_only = final_only
        self._max_tokens = max_tokens
        self._max_ms = max_ms
        self._group_by = tuple(group_by)
        self._splitter = RunSplitter(group_by)
        self._count = 0
        self._guess: list[Token] = []

    def __len__(self) -> int:
        """Give the number of tokens held, the guess included unless `final_only`."""
        return self._count + len(self._guess)

    def add(self, result: Result) -> list[Segment]:
        """Take a result; give the segments that are now complete, oldest first.

        A segment is complete once another follows it and it lies before the result's
        `final_audio_proc_ms`. The last one waits for `flush_all`.
        """
        for token in result.tokens:
            if token.is_final:
                self._splitter.add(token)
                self._count += 1
        self._guess = [] if self._final_only else result.non_final_tokens
        return self._complete(result.final_audio_proc_ms) + self._exceeding()

    def flush_all(self) -> list[Segment]:
        """Hand out everything held, and be empty; the clock of the tokens goes on."""
        latest_end = self._splitter.latest_end
        for token in self._guess:
            self._splitter.add(token)
        segments = [run.segment() for run in self._splitter.runs]
        self._splitter.runs.clear()
        # a guess may reach further than the audio that becomes final next
        self._splitter.latest_end = latest_end
        self._count = 0
        self._guess = []
        return segments

    def reset(self) -> None:
        """Forget everything, without handing it out; a new clock may begin."""
        self._splitter = RunSplitter(self._group_by)
        self._count = 0
        self._guess = []

    def joins(self, one: Segment, other: Segment) -> bool:
        """Tell whether two neighbours are pieces of one segment that a bound cut."""
        key = self._splitter.key
        return key(one.tokens[-1]) == key(other.tokens[0])

    def _complete(self, final_audio_proc_ms: int) -> list[Segment]:
        segments: list[Segment] = []
        runs = self._splitter.runs
        # 0 is what a server says before anything is final
        while final_audio_proc_ms and self._first_is_followed():
            if runs[0].known[-1] > final_audio_proc_ms:
                break
            segments.append(self._take(len(runs[0].tokens)))
        return segments

    def _first_is_followed(self) -> bool:
        runs = self._splitter.runs
        if len(runs) > 1:
            return True
        return bool(runs and self._guess) and self._splitter.key(self._guess[0]) != runs[0].key

    def _exceeding(self) -> list[Segment]:
        segments: list[Segment] = []
        while True:
            excess = max(self._excess_tokens(), self._excess_audio())
            if excess <= 0:
                return segments
            segments.append(self._take(excess))

    def _excess_tokens(self) -> int:
        """Count tokens of the first run above `max_tokens`."""
        if self._max_tokens is None or not self._splitter.runs:
            return 0
        return min(len(self) - self._max_tokens, len(self._splitter.runs[0].tokens))

    def _excess_audio(self) -> int:
        """Count tokens of the first run that ended more than `max_ms` ago."""
        if self._max_ms is None or not self._splitter.runs:
            return 0
        cutoff = self._splitter.latest_end - self._max_ms
        excess = 0
        for known in self._splitter.runs[0].known:
            if known >= cutoff:
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


def _check_positive(name: str, value: Optional[int]) -> None:
    if value is not None and not value > 0:
        raise ConfigurationError(f"{name} must be positive or None, got {value!r}")
