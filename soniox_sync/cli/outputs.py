"""Output formats of a transcription: text, captions, JSON, live captions on a terminal."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Callable, Literal, Optional, Protocol, cast

from ..protocol.tokens import SttEvent
from ..transcript import CaptionWriter, Transcript, event_to_json, segments_to_text
from ..transcript.formats import json_text
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
from .files import output_file
from .lines import LineMaker
from .live import LiveView
from .pages import to_page

__all__ = [
    "FORMATS",
    "FileOutputs",
    "Output",
    "Outputs",
    "captions_on",
    "open_outputs",
    "open_text",
]

FORMATS = ("text", "srt", "vtt", "json", "html")


class Output(Protocol):
    """Consumer of the events of one transcription."""

    def add(self, event: SttEvent) -> None:
        """Process an event."""

    def close(self, *, complete: bool) -> None:
        """Write the rest. `complete`: whether the transcription reached its end."""


class Outputs:
    """Several outputs as one. Leaving the `with` block closes them, also after an error.

    `begun`: whether there has been an event.
    """

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = list(outputs)
        self._complete = False
        self.begun: bool = False

    def add(self, event: SttEvent) -> None:
        """Pass an event to every output."""
        self.begun = True
        for output in self._outputs:
            output.add(event)

    def attach(self, output: Output) -> None:
        """Add an output."""
        self._outputs.append(output)

    def mark_complete(self) -> None:
        """Record that the transcription reached its end."""
        self._complete = True

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for output in self._outputs:
            output.close(complete=self._complete)


class FileOutputs:
    """Outputs into the file at `path`, which appears at the end of the `with` block.

    What was heard before an error is written, too; if nothing was, an old file stays. `extra`:
    outputs for the terminal.
    """

    def __init__(
        self, args: argparse.Namespace, path: str, source: Optional[str], extra: Sequence[Output]
    ) -> None:
        self._args = args
        self._path = path
        self._source = source
        self._extra = extra

    @contextmanager
    def opened(self) -> Iterator[Outputs]:
        """Open the file and provide the outputs."""
        error: Optional[BaseException] = None
        with output_file(self._path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
            result = _result_output(self._args, Console(stdout=text), self._source, self._path)
            outputs = Outputs([*self._extra, result])
            try:
                with outputs:
                    try:
                        yield outputs
                    except BaseException as raised:
                        error = raised
                        raise
            except BaseException as raised:
                # what was heard before an error is kept, unless writing it is what failed
                if raised is not error or isinstance(raised, OutputFailed) or not outputs.begun:
                    raise
            text.flush()
            text.detach()
        if error is not None:
            raise error


def open_outputs(
    args: argparse.Namespace, console: Console, source: Optional[str] = None, name: str = ""
) -> Outputs:
    """Choose the outputs by `--format`, `--json` and the destination of the streams.

    If stdout is a file, live captions are also shown on stderr. If stdout is a pipe they are not:
    its reader may write to the same terminal. `source`: path of the audio, if it is a file. `name`:
    of one of several inputs, which is in each line of JSON.
    """
    outputs: list[Output] = []
    on_screen = console.stdout is not None and console.stdout.isatty()
    if is_terminal(console.stderr) and not (on_screen or is_pipe(console.stdout)):
        outputs.append(captions_on(console))
    if args.json:
        outputs.append(EventLines(console, name))
    else:
        outputs.append(_result_output(args, console, source, None))
    return Outputs(outputs)


def captions_on(console: Console) -> Output:
    """Return live captions on stderr, which is a terminal."""
    return TerminalView(console, console.stderr, _stderr_writer(console))


def _stderr_writer(console: Console) -> Callable[[str], object]:
    def write(text: str) -> None:
        try:
            write_text(console.stderr, text)
        except (OutputClosed, OutputFailed):
            return  # only the live captions are lost: the result is on stdout

    return write


def _result_output(
    args: argparse.Namespace, console: Console, source: Optional[str], path: Optional[str]
) -> Output:
    if args.format == "html":
        return HtmlPage(console, source, path)
    if args.format == "json":
        return JsonDocument(console)
    if args.format in ("srt", "vtt"):
        options: dict[str, object] = {"show": "translation" if args.translate else "original"}
        if args.width is not None:
            options["max_line_length"] = args.width
        return Captions(console, args.format, options)
    return open_text(console)


def open_text(console: Console) -> Output:
    """Return the output for text: captions that grow in place on a terminal, else plain lines."""
    if is_terminal(console.stdout):
        return TerminalView(console, console.stdout, console.write)
    return TextLines(console)


class TerminalView:
    """Captions that grow in place on a terminal; other messages are written above them."""

    def __init__(
        self, console: Console, stream: Optional[IO[str]], write: Callable[[str], object]
    ) -> None:
        self._console = console
        self._view = LiveView(
            write, lambda: columns(stream), lambda: lines(stream), colour=wants_colour(stream)
        )
        console.attach(self._view)

    def add(self, event: SttEvent) -> None:
        """Show an event."""
        with self._console.terminal:
            self._view.add(event)

    def close(self, *, complete: bool) -> None:
        """Write the remaining lines for good; partial text is kept if `complete` is false."""
        with self._console.terminal:
            self._console.attach(None)
            self._view.close(complete=complete)


class TextLines:
    """Plain lines: one for each sentence, change of speaker or pause."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = LineMaker()

    def add(self, event: SttEvent) -> None:
        """Write the lines that an event completes."""
        self._write(segments_to_text(self._lines.add(event)))

    def close(self, *, complete: bool) -> None:
        """Write the last lines, with partial text if `complete` is false."""
        self._write(segments_to_text(self._lines.close(complete=complete)))

    def _write(self, text: str) -> None:
        if text:
            self._console.write(printable(text))


class Captions:
    """SRT or WebVTT captions, written as they become final.

    Nothing is written, not even a header, if the transcription fails before its first event.
    """

    def __init__(
        self, console: Console, format: Literal["srt", "vtt"], options: Mapping[str, object]
    ) -> None:
        self._file = cast("IO[str]", ConsoleFile(console))
        self._format = format
        self._options = options
        self._begun: Optional[CaptionWriter] = None

    @property
    def _writer(self) -> CaptionWriter:
        if self._begun is None:
            self._begun = CaptionWriter(self._file, format=self._format, options=self._options)
        return self._begun

    def add(self, event: SttEvent) -> None:
        """Write the cues that an event completes."""
        if event.kind == "result":
            self._writer.add(event.result)
        elif event.kind == "endpoint":
            self._writer.mark_endpoint()

    def close(self, *, complete: bool) -> None:
        """Write the last cues."""
        if complete or self._begun is not None:
            self._writer.close()


class ConsoleFile:
    """Stdout as the text file that `CaptionWriter` writes to."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        """Write text and flush it."""
        self._console.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` flushes."""


class EventLines:
    """One line of JSON for each event."""

    def __init__(self, console: Console, name: str = "") -> None:
        self._console = console
        self._name = name

    def add(self, event: SttEvent) -> None:
        """Write one event; that of one of several inputs begins with the input's name."""
        line = event_to_json(event)
        if self._name:
            line = json_text({"file": self._name, **json.loads(line)})
        self._console.write_json(line)

    def close(self, *, complete: bool) -> None:
        """Do nothing: every event has been written."""


class JsonDocument:
    """The whole transcript as one JSON document, written at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._transcript = Transcript()
        self._begun = False

    def add(self, event: SttEvent) -> None:
        """Add an event to the transcript."""
        self._begun = True
        self._transcript.add_event(event)

    def close(self, *, complete: bool) -> None:
        """Write the document, unless the transcription failed before its first event."""
        if complete or self._begun:
            self._console.write_json(self._transcript.to_json(indent=2))


class HtmlPage:
    """The whole transcript as one page with its audio, written at the end."""

    def __init__(self, console: Console, source: Optional[str], path: Optional[str]) -> None:
        self._console = console
        self._source = source
        self._path = path
        self._transcript = Transcript()
        self._begun = False

    def add(self, event: SttEvent) -> None:
        """Add an event to the transcript."""
        self._begun = True
        self._transcript.add_event(event)

    def close(self, *, complete: bool) -> None:
        """Write the page, unless the transcription failed before its first event."""
        if complete or self._begun:
            self._console.write(to_page(self._transcript, self._source, self._path))
