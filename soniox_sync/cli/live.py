"""Captions that grow in place on a terminal: final text is kept, partial text is dim."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..protocol.tokens import SttEvent, Token
from ..transcript import Segment, segment_tokens, segments_to_text
from ..transcript.text import split_words, text_width, wrap
from ..transcript.words import printable
from .lines import LineMaker

__all__ = ["LiveView"]

# Rows that have scrolled away cannot be erased, so few are redrawn; the rest is shown once final.
_MAX_ROWS = 6
# A line of this width rarely needs more than _MAX_ROWS, even on a narrow terminal.
_MAX_LINE_COLUMNS = 160
# Columns that an indent must leave for the words.
_MIN_TEXT_COLUMNS = 8
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_ERASE_BELOW = "\x1b[J"


class LiveView:
    """View that writes each complete line once and redraws what follows at each event.

    Args:
        write: writes text to the terminal.
        columns: returns the current width.
        lines: returns the current height.
        colour: whether to dim partial text.
    """

    is_beside_results = False

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
        self._lines = LineMaker(_MAX_LINE_COLUMNS)
        self._drawn: list[str] = []

    def add(self, event: SttEvent) -> None:
        """Show an event."""
        self._show(self._lines.add(event))

    def close(self, *, complete: bool) -> None:
        """Write the remaining lines for good; partial text is kept if `complete` is false."""
        self._show(self._lines.close(complete=complete))

    def hide(self) -> None:
        """Erase the rows drawn, so that something else can be written there."""
        if self._drawn:
            self._write(self._erase_code(self._columns()))
            self._drawn = []

    def show(self) -> None:
        """Draw the rows again."""
        self._show([])

    def _show(self, finished: Sequence[Segment]) -> None:
        width = self._columns()
        above = [row for line in finished for row in _rows(line, width)]
        below = self._growing_rows(width)
        if not above and below == self._drawn:
            return
        text = self._erase_code(width) + "".join(f"{row}\n" for row in above) + "\n".join(below)
        self._drawn = below
        self._write(text)

    def _erase_code(self, width: int) -> str:
        """Return the codes that move to the first row drawn and erase from there."""
        if not self._drawn:
            return ""
        # a terminal that has become narrower has wrapped the rows: each may take several
        bare = [row.replace(_DIM, "").replace(_PLAIN, "") for row in self._drawn]
        up = sum(1 + max(0, text_width(row) - 1) // (width + 1) for row in bare) - 1
        return ("\r" if up == 0 else f"\r\x1b[{up}A") + _ERASE_BELOW

    def _growing_rows(self, width: int) -> list[str]:
        original: list[Token] = []
        translated: list[Token] = []
        for token in self._lines.pending + self._lines.partial:
            (translated if token.is_translation else original).append(token)
        rows: list[str] = []
        for segment in segment_tokens(original) + segment_tokens(translated):
            plain = _rows(segment, width)
            rows += _dimmed(plain, _count_final(segment)) if self._colour else plain
        return rows[-max(1, min(_MAX_ROWS, self._height() - 1)) :]


def _dimmed(rows: Sequence[str], final: int) -> list[str]:
    """Dim everything after the first `final` characters, not counting white space."""
    dimmed: list[str] = []
    for row in rows:
        solid = _index_after(row, final)
        final -= _count_visible(row)
        dimmed.append(f"{row[:solid]}{_DIM}{row[solid:]}{_PLAIN}" if row[solid:] else row)
    return dimmed


def _rows(segment: Segment, width: int) -> list[str]:
    """Wrap a segment to the terminal's width; the rows of a translation are indented."""
    text = printable(segments_to_text([segment])).rstrip("\n")
    indent = text[: len(text) - len(text.lstrip())]
    if text_width(indent) + _MIN_TEXT_COLUMNS > width:
        indent = ""
    rows = wrap(split_words(text.strip()), width - text_width(indent))
    return [indent + row for row in rows]


def _count_final(segment: Segment) -> int:
    """Count the characters of the label and of the final tokens, without white space."""
    all_of_it = _count_visible(segments_to_text([segment]))
    return all_of_it - sum(_count_visible(t.text) for t in segment.tokens if not t.is_final)


def _count_visible(text: str) -> int:
    return sum(not char.isspace() for char in text)


def _index_after(row: str, count: int) -> int:
    """Return the index after the first `count` characters of a row, not counting white space."""
    if count <= 0:
        return len(row) - len(row.lstrip())
    for index, char in enumerate(row):
        count -= not char.isspace()
        if count == 0:
            return index + 1
    return len(row)
