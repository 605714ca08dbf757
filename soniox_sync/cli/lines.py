"""Lines of text made from tokens as they arrive."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.tokens import SttEvent, Token
from ..transcript import Segment, segment_tokens
from ..transcript.text import begins_word, ends_sentence, text_width

__all__ = ["LineMaker"]

# A silence this long ends a line, even without endpoint detection.
_PAUSE_MS = 1000


class LineMaker:
    """Collects final tokens into lines. A sentence, a change of speaker or a pause ends a line.

    Originals and translations are on separate lines. A line that would become wider than
    `max_columns` ends before its next word. `partial`: the latest tokens that are not final.
    """

    def __init__(self, max_columns: int = 100) -> None:
        self._max_columns = max_columns
        self._original: list[Token] = []
        self._translated: list[Token] = []
        self.partial: list[Token] = []

    @property
    def pending(self) -> list[Token]:
        """Final tokens that are not in a line yet: the original, then its translation."""
        return self._original + self._translated

    def add(self, event: SttEvent) -> list[Segment]:
        """Process an event and return the lines it completed."""
        if event.kind == "endpoint":
            return self.flush()
        if event.kind == "finished":
            self.partial = []
            return self.flush()
        if event.kind != "result":
            return []
        self.partial = event.result.non_final_tokens
        lines: list[Segment] = []
        for token in event.result.final_tokens:
            lines += self._add(token)
        return lines

    def flush(self) -> list[Segment]:
        """Return all final tokens that are pending."""
        tokens = self.pending
        self._original, self._translated = [], []
        return segment_tokens(tokens)

    def close(self, *, complete: bool) -> list[Segment]:
        """Return the remaining tokens; partial ones only if the transcription is not `complete`."""
        partial, self.partial = self.partial, []
        if complete:
            return self.flush()
        for token in partial:
            (self._translated if token.is_translation else self._original).append(token)
        return self.flush()

    def _add(self, token: Token) -> list[Segment]:
        line = self._translated if token.is_translation else self._original
        done = segment_tokens(line) if line and self._starts_line(line, token) else []
        if done:
            line.clear()
        line.append(token)
        return done

    def _starts_line(self, line: Sequence[Token], token: Token) -> bool:
        """Return whether a token starts a new line."""
        last = line[-1]
        if (last.speaker, last.session, last.language) != (
            token.speaker,
            token.session,
            token.language,
        ):
            return True
        return begins_word(last.text, token.text) and (
            # the full stop may be followed by a token of white space
            ends_sentence(_text(line[-3:]))
            or _silence(last, token) >= _PAUSE_MS
            or text_width(_text(line)) + text_width(token.text) > self._max_columns
        )


def _silence(last: Token, token: Token) -> int:
    """Return the milliseconds between two tokens, 0 if their times are unknown."""
    if last.end_ms is None or token.start_ms is None:
        return 0
    return token.start_ms - last.end_ms


def _text(tokens: Sequence[Token]) -> str:
    return "".join([token.text for token in tokens])
