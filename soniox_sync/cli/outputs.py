"""What becomes of a transcription's events: text, captions, JSON, a view for who watches."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import IO, Callable, Optional, Protocol, cast

from ..protocol.tokens import SttEvent
from ..transcript import CaptionWriter, Transcript, event_to_json, segments_to_text
from ..transcript.words import printable
from .console import (
    Console,
    OutputClosed,
    OutputFailed,
    columns,
    is_pipe,
    is_terminal,
    lines,
    wants_colour,
    write_text,
)
from .lines import LineMaker
from .live import LiveView

__all__ = ["FORMATS", "Output", "Outputs", "open_outputs", "open_text"]

FORMATS = ("text", "srt", "vtt", "json")


class Output(Protocol):
    """Takes the events of one transcription."""

    def take(self, event: SttEvent) -> None:
        """Take an event."""

    def close(self, *, complete: bool) -> None:
        """Write what is left; `complete` tells whether the transcription came to its end."""


class Outputs:
    """Hands events to several outputs; however it is left, what was transcribed gets written."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._complete = False

    def take(self, event: SttEvent) -> None:
        """Take an event."""
        for output in self._outputs:
            output.take(event)

    def complete(self) -> None:
        """Say that the transcription came to its end."""
        self._complete = True

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for output in self._outputs:
            output.close(complete=self._complete)


def open_outputs(args: argparse.Namespace, console: Console) -> Outputs:
    """Choose the outputs for `--format`, `--json` and where the streams go.

    Beside a result that goes into a file, captions are shown to who watches stderr; not beside one
    that goes into a pipe, since its reader may write to the same terminal.
    """
    outputs: list[Output] = []
    if is_terminal(console.stderr) and not (_is_shown(console) or is_pipe(console.stdout)):
        outputs.append(TerminalView(console, console.stderr, _to_stderr(console)))
    outputs.append(_result_output(args, console))
    return Outputs(outputs)


def _is_shown(console: Console) -> bool:
    return console.stdout is not None and console.stdout.isatty()


def _to_stderr(console: Console) -> Callable[[str], object]:
    def write(text: str) -> None:
        try:
            write_text(console.stderr, text)
        except (OutputClosed, OutputFailed):
            return  # the result is elsewhere; nobody watches any more

    return write


def _result_output(args: argparse.Namespace, console: Console) -> Output:
    if args.json:
        return EventLines(console)
    if args.format == "json":
        return JsonDocument(console)
    if args.format in ("srt", "vtt"):
        options: dict[str, object] = {"show": "translation" if args.translate else "original"}
        if args.width is not None:
            options["max_line_length"] = args.width
        return Captions(console, args.format, options)
    return open_text(console)


def open_text(console: Console) -> Output:
    """Choose how text is shown: growing in place on a terminal, elsewhere in plain lines."""
    if is_terminal(console.stdout):
        return TerminalView(console, console.stdout, console.write)
    return TextLines(console)


class TerminalView:
    """Shows captions that grow in place on a terminal; what is said meanwhile stands above."""

    def __init__(
        self, console: Console, stream: Optional[IO[str]], write: Callable[[str], object]
    ) -> None:
        self._console = console
        self._view = LiveView(
            write, lambda: columns(stream), lambda: lines(stream), colour=wants_colour(stream)
        )
        console.attach(self._view)

    def take(self, event: SttEvent) -> None:
        """Show an event."""
        with self._console.terminal:
            self._view.take(event)

    def close(self, *, complete: bool) -> None:
        """Leave all standing; an incomplete transcription keeps its guess."""
        with self._console.terminal:
            self._console.attach(None)
            self._view.close(complete=complete)


class TextLines:
    """Writes plain lines: one for each sentence, turn or stretch between pauses."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = LineMaker()

    def take(self, event: SttEvent) -> None:
        """Write the lines an event completes."""
        self._write(segments_to_text(self._lines.take(event)))

    def close(self, *, complete: bool) -> None:
        """Write the last line; an incomplete transcription's ends with its guess."""
        self._write(segments_to_text(self._lines.close(complete=complete)))

    def _write(self, text: str) -> None:
        if text:
            self._console.write(printable(text))


class Captions:
    """Writes captions as they become final; nothing at all when nothing was transcribed."""

    def __init__(self, console: Console, format: str, options: Mapping[str, object]) -> None:
        self._file = cast("IO[str]", ConsoleFile(console))
        self._format = format
        self._options = options
        self._begun: Optional[CaptionWriter] = None

    @property
    def _writer(self) -> CaptionWriter:
        if self._begun is None:
            self._begun = CaptionWriter(self._file, format=self._format, options=self._options)
        return self._begun

    def take(self, event: SttEvent) -> None:
        """Write the cues an event completes."""
        if event.kind == "result":
            self._writer.add(event.result)
        elif event.kind == "endpoint":
            self._writer.mark_endpoint()

    def close(self, *, complete: bool) -> None:
        """Write the last cues."""
        if complete or self._begun is not None:
            self._writer.close()


class ConsoleFile:
    """Is the standard output as `CaptionWriter` wants it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        """Write text at once."""
        self._console.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` has written."""


class EventLines:
    """Writes each event as a line of JSON."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def take(self, event: SttEvent) -> None:
        """Write one event."""
        self._console.write_json(event_to_json(event))

    def close(self, *, complete: bool) -> None:
        """Do nothing: every event was written."""


class JsonDocument:
    """Writes the whole transcript as one JSON document at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._transcript = Transcript()
        self._begun = False

    def take(self, event: SttEvent) -> None:
        """Keep an event."""
        self._begun = True
        self._transcript.add_event(event)

    def close(self, *, complete: bool) -> None:
        """Write the document, unless it failed before anything came."""
        if complete or self._begun:
            self._console.write_json(self._transcript.to_json(indent=2))
