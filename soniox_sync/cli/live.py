"""Captions that grow in place on a terminal: what is final stands, what is a guess is dim."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..protocol.tokens import SttEvent, Token
from ..transcript import Segment, segment_tokens, segments_to_text
from ..transcript.text import split_words, text_width, wrap
from ..transcript.words import printable
from .lines import LineMaker

__all__ = ["LiveView"]

# more would scroll, and what has scrolled cannot be drawn again; the rest shows when it is final
_MAX_ROWS = 6
# so that a line rarely needs more rows, also on a narrow terminal
_MAX_LINE = 160
# what an indent must leave for the words
_MIN_COLUMNS = 8
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_ERASE_BELOW = "\x1b[J"


class LiveView:
    """Draws the lines that are complete once, and what follows them again at each event.

    Args:
        write: takes text for the terminal.
        columns: gives the width that may be written to, now.
        lines: gives the terminal's height, now.
        colour: whether to dim the guess.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        columns: Callable[[], int],
        lines: Callable[[], int] = lambda: 24,
        *,
        colour: bool,
    ) -> None:
        self._write = write
        self._columns = columns
        self._height = lines
        self._colour = colour
        self._lines = LineMaker(_MAX_LINE)
        self._drawn: list[str] = []

    def take(self, event: SttEvent) -> None:
        """Show an event."""
        self._show(self._lines.take(event))

    def close(self, *, complete: bool) -> None:
        """Leave everything standing; an incomplete transcription keeps its last guess."""
        self._show(self._lines.close(complete=complete))

    def hide(self) -> None:
        """Erase what is drawn, so that something else can be written there."""
        if self._drawn:
            self._write(self._erased(self._columns()))
            self._drawn = []

    def show(self) -> None:
        """Draw it again."""
        self._show([])

    def _show(self, finished: Sequence[Segment]) -> None:
        width = self._columns()
        above = [row for line in finished for row in _rows(line, width)]
        below = self._growing_rows(width)
        if not above and below == self._drawn:
            return
        text = self._erased(width) + "".join(f"{row}\n" for row in above) + "\n".join(below)
        self._drawn = below
        self._write(text)

    def _erased(self, width: int) -> str:
        """Move to the first row drawn, and erase from there."""
        if not self._drawn:
            return ""
        # on a terminal that was made narrower since, rows were wrapped to take several
        up = sum(1 + max(0, text_width(_bare(row)) - 1) // (width + 1) for row in self._drawn) - 1
        return ("\r" if up == 0 else f"\r\x1b[{up}A") + _ERASE_BELOW

    def _growing_rows(self, width: int) -> list[str]:
        said: list[Token] = []
        translated: list[Token] = []
        for token in self._lines.pending + self._lines.guess:
            (translated if token.is_translation else said).append(token)
        rows: list[str] = []
        for segment in segment_tokens(said) + segment_tokens(translated):
            plain = _rows(segment, width)
            rows += self._dimmed(plain, _count_final(segment)) if self._colour else plain
        return rows[-max(1, min(_MAX_ROWS, self._height() - 1)) :]

    def _dimmed(self, rows: Sequence[str], final: int) -> list[str]:
        """Dim everything after the first `final` characters that are no white space."""
        dimmed: list[str] = []
        for row in rows:
            solid = _index_after(row, final)
            final -= sum(not char.isspace() for char in row)
            dimmed.append(f"{row[:solid]}{_DIM}{row[solid:]}{_PLAIN}" if row[solid:] else row)
        return dimmed


def _bare(row: str) -> str:
    return row.replace(_DIM, "").replace(_PLAIN, "")


def _rows(segment: Segment, width: int) -> list[str]:
    """Lay a segment out for the terminal; a translation's rows are indented."""
    text = printable(segments_to_text([segment])).rstrip("\n")
    indent = text[: len(text) - len(text.lstrip())]
    if text_width(indent) + _MIN_COLUMNS > width:
        indent = ""
    rows = wrap(split_words(text.strip()), width - text_width(indent))
    return [indent + row for row in rows]


def _count_final(segment: Segment) -> int:
    """Count the characters, white space aside, of the label and of the final tokens."""
    whole = _visible(segments_to_text([segment]))
    return whole - sum(_visible(token.text) for token in _guessed(segment.tokens))


def _guessed(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if not token.is_final]


def _visible(text: str) -> int:
    return sum(not char.isspace() for char in text)


def _index_after(row: str, count: int) -> int:
    """Give the index behind the first `count` characters of a row that are no white space."""
    if count <= 0:
        return len(row) - len(row.lstrip())
    for index, char in enumerate(row):
        count -= not char.isspace()
        if count == 0:
            return index + 1
    return len(row)
