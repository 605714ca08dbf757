"""Make lines of text from tokens while they arrive."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.tokens import SttEvent, Token
from ..transcript import Segment, segment_tokens
from ..transcript.text import begins_word, text_width

__all__ = ["LineMaker", "ends_sentence"]

# a silence that ends a line where no endpoint does
_PAUSE_MS = 1000
_SENTENCE_END = ".?!…。！？｡؟۔।॥។"


class LineMaker:
    """Collects final tokens, and gives them as lines when a sentence, a turn or a pause ends them.

    What was said and its translation make lines of their own. A line that grows wider than
    `max_columns` is ended before its next word. `guess` is what was heard since and may change.
    """

    def __init__(self, max_columns: int = 100) -> None:
        self._max_columns = max_columns
        self._said: list[Token] = []
        self._translated: list[Token] = []
        self.guess: list[Token] = []

    @property
    def pending(self) -> list[Token]:
        """Give the final tokens that are in no line yet, what was said before its translation."""
        return self._said + self._translated

    def take(self, event: SttEvent) -> list[Segment]:
        """Take an event; give the lines it completed."""
        if event.kind == "endpoint":
            return self.flush()
        if event.kind == "finished":
            self.guess = []
            return self.flush()
        if event.kind != "result":
            return []
        self.guess = event.result.non_final_tokens
        lines: list[Segment] = []
        for token in event.result.final_tokens:
            lines += self._add(token)
        return lines

    def flush(self) -> list[Segment]:
        """Give all final tokens that are pending."""
        tokens = self.pending
        self._said, self._translated = [], []
        return segment_tokens(tokens)

    def close(self, *, complete: bool) -> list[Segment]:
        """Give what is left; of an incomplete transcription the guess as well."""
        guess, self.guess = self.guess, []
        if complete:
            return self.flush()
        for token in guess:
            (self._translated if token.is_translation else self._said).append(token)
        return self.flush()

    def _add(self, token: Token) -> list[Segment]:
        line = self._translated if token.is_translation else self._said
        done = segment_tokens(line) if line and self._starts_line(line, token) else []
        if done:
            line.clear()
        line.append(token)
        return done

    def _starts_line(self, line: Sequence[Token], token: Token) -> bool:
        """Tell whether a token begins a new line."""
        last = line[-1]
        if (last.speaker, last.session, last.language) != (
            token.speaker,
            token.session,
            token.language,
        ):
            return True
        return begins_word(last.text, token.text) and (
            ends_sentence(_tail(line))
            or _silence(last, token) >= _PAUSE_MS
            or text_width(_text(line)) + text_width(token.text) > self._max_columns
        )


def _silence(last: Token, token: Token) -> int:
    """Give the milliseconds between two tokens, 0 when they are not known."""
    if last.end_ms is None or token.start_ms is None:
        return 0
    return token.start_ms - last.end_ms


def _text(tokens: Sequence[Token]) -> str:
    return "".join([token.text for token in tokens])


def _tail(line: Sequence[Token]) -> str:
    """Give the end of a line's text; a sentence's mark may be followed by a token of space."""
    return _text(line[-3:])


def ends_sentence(text: str) -> bool:
    """Tell whether a text ends with the end of a sentence."""
    return text.rstrip().rstrip("\"'”’»)]）」』")[-1:] in tuple(_SENTENCE_END)
