"""Many inputs transcribed one after the other: headings or files, progress, and what failed."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from ..errors import (
    AudioSourceError,
    BadRequestError,
    ConfigurationError,
    DurationLimitError,
    RealtimeError,
    SonioxError,
)
from .console import Console, UsageError, is_terminal
from .inputs import Inputs
from .listening import transcribe
from .outputs import FileOutputs, Output, Outputs, captions_on, open_outputs
from .progress import Progress, clock
from .reports import report_one_of_several
from .sources import open_source

if TYPE_CHECKING:
    from ..protocol.tokens import SttEvent
    from .services import Client

__all__ = ["Batch", "SomeFailed"]

log: logging.Logger = logging.getLogger("soniox_sync.cli")

# Errors of one input, after which the next one may still succeed. Others, such as a refused key or
# a service that cannot be reached, end the command: the next input would fail in the same way.
_OF_ONE_INPUT = (
    AudioSourceError,
    BadRequestError,
    ConfigurationError,
    DurationLimitError,
    UsageError,
)


class SomeFailed(SonioxError):
    """Failure of some of several inputs; each has been reported."""

    code = "some_failed"


@dataclass
class Batch:
    """Inputs of one command. `targets`: a file for each, `None` for stdout.

    `begun`: whether there has been a heading.
    """

    args: argparse.Namespace
    console: Console
    client: Client
    config: Mapping[str, Any]
    reconnect: bool
    inputs: Inputs
    targets: Optional[Sequence[str]]
    begun: bool = False

    def run(self) -> None:
        """Transcribe each input; one that fails does not end the others, unless they would, too.

        What stands for no input is reported first.

        Raises
            SomeFailed: some of several inputs failed.
        """
        total = self.inputs.total
        if total == 1:
            self._transcribe(0)
            return
        for missing in self.inputs.unusable:
            self._report_failure(missing.source, missing.error)
        failed, total_ms, done = len(self.inputs.unusable), 0, 0
        for index, each in enumerate(self.inputs.usable):
            try:
                total_ms += self._transcribe(index)
                done += 1
            except (*_OF_ONE_INPUT, RealtimeError, OSError) as error:
                if not _is_of_one_input(error):
                    if isinstance(error, OSError):
                        self._note_rest(index)
                    raise
                failed += 1
                self._report_failure(each.source, error)
            if self.console.interrupts.interrupted:
                self._note_rest(index + 1)
                return
        self.console.note(f"{done} of {total} files, {clock(total_ms)} of audio")
        if failed:
            raise SomeFailed(f"{failed} of {total} files failed")

    def _report_failure(self, name: str, error: BaseException) -> None:
        args = self.args
        report_one_of_several(error, self.console, name, verbose=args.verbose, as_json=args.json)

    def _note_rest(self, done: int) -> None:
        left = len(self.inputs.usable) - done
        if left:
            self.console.note(f"{left} of {self.inputs.total} files were not transcribed")

    def _transcribe(self, index: int) -> int:
        """Transcribe one input; return the milliseconds of its audio."""
        each = self.inputs.usable[index]
        source = None if self.args.mic else each.source
        meter = _Meter()
        with open_source(self.args, self.console, source) as audio:
            with self._outputs(index, meter) as outputs:
                transcribe(
                    self.console,
                    outputs,
                    audio,
                    self.client,
                    self.config,
                    reconnect=self.reconnect,
                )
        self._report(index, meter.audio_ms)
        return meter.audio_ms

    @contextmanager
    def _outputs(self, index: int, meter: _Meter) -> Iterator[Outputs]:
        each, several = self.inputs.usable[index], self.inputs.total > 1
        path = None if self.args.mic or each.source == "-" else each.source
        if self.targets is None:
            if several and not self.args.json:
                self.console.write_heading(each.source, first=not self.begun)
                self.begun = True
            name = each.source if several else ""
            with open_outputs(self.args, self.console, path, name) as outputs:
                outputs.attach(meter)
                yield outputs
            return
        with Progress(self.console) if several else nullcontext() as progress:
            if progress is not None:
                meter.draw_on(progress, f"{each.name} ({index + 1} of {len(self.inputs.usable)})")
            extra: list[Output] = [meter]
            if not several and is_terminal(self.console.stderr):
                extra.append(captions_on(self.console))
            files = FileOutputs(self.args, self.targets[index], path, extra)
            with files.opened() as outputs:
                yield outputs

    def _report(self, index: int, audio_ms: int) -> None:
        if self.targets is None:
            return
        each, target = self.inputs.usable[index], self.targets[index]
        if self.args.json:
            fields = {"file": each.source, "output": target, "audio_ms": audio_ms}
            self.console.write_json(json.dumps(fields, ensure_ascii=False))
        elif self.inputs.total == 1:
            self.console.note(f"wrote {target}")
        else:
            self.console.note(f"{each.source} -> {target} ({clock(audio_ms)})")


class _Meter:
    """Output that knows how much audio has been transcribed, and shows it."""

    def __init__(self) -> None:
        self.audio_ms = 0
        self._progress: Optional[Progress] = None
        self._label = ""

    def draw_on(self, progress: Progress, label: str) -> None:
        """Show it after `label`."""
        self._progress, self._label = progress, label
        progress.set_text(label)

    def add(self, event: SttEvent) -> None:
        """Take the position of an event."""
        self.audio_ms = max(self.audio_ms, event.result.total_audio_proc_ms)
        if self._progress is not None:
            self._progress.set_text(f"{self._label}: {clock(self.audio_ms)}")

    def close(self, *, complete: bool) -> None:
        """Do nothing: the progress is erased by its owner."""


def _is_of_one_input(error: BaseException) -> bool:
    if isinstance(error, OSError) and not isinstance(error, SonioxError):
        return error.filename is not None  # a file that vanished
    return isinstance(error, _OF_ONE_INPUT) or _is_not_audio(error)


def _is_not_audio(error: BaseException) -> bool:
    """Return whether the service gave up waiting for something that it can decode (408)."""
    return isinstance(error, RealtimeError) and error.status_code == 408
