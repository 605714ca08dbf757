"""Progress on the terminal: one line that is redrawn in place."""

from __future__ import annotations

from ..transcript.text import text_width, wrap
from ..transcript.words import printable
from .console import Console, OutputClosed, OutputFailed, columns, is_terminal, write_text

__all__ = ["Progress", "clock"]

# Columns of a bar: fewer say little, more say no more.
_MIN_BAR, _MAX_BAR = 4, 24


class Progress:
    """One line of progress on stderr, drawn only on a terminal.

    A context manager: the line is erased at the end. Other messages are written above it.
    """

    is_beside_results = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._visible = is_terminal(console.stderr)
        # Under the console's terminal lock
        self._line = ""
        self._drawn = ""

    def set_bar(self, label: str, done: int, total: int) -> None:
        """Show a progress bar with the percentage that is done."""
        part = done / total if total else 1.0
        room = columns(self._console.stderr) - text_width(label) - len(" [] 100%")
        size = max(_MIN_BAR, min(_MAX_BAR, room))
        full = int(part * size)
        self.set_text(f"{label} [{'#' * full}{'.' * (size - full)}] {part:4.0%}")

    def set_text(self, text: str) -> None:
        """Replace the line."""
        with self._console.terminal:
            self._line = " ".join(printable(text).split())
            self.show()

    def show(self) -> None:
        """Draw the line, cut to the terminal's width."""
        line = wrap([self._line], columns(self._console.stderr))[:1] if self._visible else []
        self._draw("".join(line))

    def hide(self) -> None:
        """Erase the line until the next `show`."""
        self._draw("")

    def _draw(self, line: str) -> None:
        if line == self._drawn:
            return
        blank = "\r" + " " * text_width(self._drawn) + "\r" if self._drawn else ""
        self._drawn = line
        try:
            write_text(self._console.stderr, blank + line)
        except (OutputClosed, OutputFailed):
            self._visible = False

    def __enter__(self) -> Progress:
        self._console.attach(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._console.terminal:
            self._console.attach(None)
            self.hide()


def clock(ms: int) -> str:
    """Return a length of audio: `1:02`, or `1:00:02` from an hour on."""
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
