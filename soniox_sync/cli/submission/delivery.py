"""What becomes of jobs: rows of a table, or transcripts in files and on stdout."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Optional

from ...transcript.words import printable
from ..console import Console
from ..files import output_file
from ..inputs import is_url
from ..tables import Column, TableWriter
from .items import Item

if TYPE_CHECKING:
    from ...rest.stt.types import JobTranscript, TranscriptionJob
    from ...transcript import Transcript

__all__ = ["JOBS", "Delivery", "rendered"]

JOBS = (
    Column("id"),
    Column("status"),
    Column("created_at", "created", spare=True),
    Column("model", spare=True),
    Column("filename", "file"),
)


class Delivery:
    """Writes jobs and transcripts as they come.

    `targets`: the file of each transcript by the item's key, without those that go to stdout.
    `several`: each transcript on stdout has a heading.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        console: Console,
        targets: Mapping[str, str],
        *,
        several: bool,
    ) -> None:
        self._args = args
        self._console = console
        self._targets = targets
        self._several = several
        self._table = TableWriter(args, console, JOBS)
        self._written = False

    def add_job(self, job: TranscriptionJob) -> None:
        """Write a job that was submitted, unless its transcript is to be written."""
        if not self._args.wait:
            self._table.add(job)

    def close(self) -> None:
        """Write the table of a terminal."""
        self._table.close()

    def add_transcript(self, item: Item, job: TranscriptionJob, transcript: JobTranscript) -> None:
        """Write a transcript into its file, or to stdout."""
        source = item.key if is_url(item.key) or os.path.isfile(item.key) else None
        target = self._targets.get(item.key)
        if target is not None:
            text = rendered(transcript, self._args.format, job.audio_duration_ms, source, target)
            with output_file(target) as file:
                file.write(text.encode(errors="replace"))
            item.output, item.format = target, self._args.format
        if self._args.json:
            where = {} if target is None else {"output": target}
            content = {} if target is not None else transcript.raw
            fields = {"file": item.key, "job": job.id, **where, **content}
            self._console.write_json(json.dumps(fields, ensure_ascii=False))
        elif target is None:
            if self._several:
                self._console.write_heading(item.name, first=not self._written)
                self._written = True
            self._console.write(
                rendered(transcript, self._args.format, job.audio_duration_ms, source, None)
            )


def rendered(
    transcript: JobTranscript,
    format: str,
    length_ms: Optional[int],
    source: Optional[str],
    path: Optional[str],
) -> str:
    """Return a transcript in one of the formats of `jobs`."""
    from ...protocol.tokens import Result
    from ...transcript import Transcript

    merged = Transcript()
    merged.add(Result(transcript.tokens, total_audio_proc_ms=length_ms or 0, finished=True))
    text = _WRITERS[format](merged, source, path)
    return text if text.endswith("\n") or not text else text + "\n"


def _page(transcript: Transcript, source: Optional[str], path: Optional[str]) -> str:
    from ..pages import to_page

    return to_page(transcript, source, path)


_WRITERS: dict[str, Callable[[Transcript, Optional[str], Optional[str]], str]] = {
    # captions, pages and JSON replace or escape control characters themselves
    "text": lambda transcript, source, path: printable(transcript.to_text()),
    "srt": lambda transcript, source, path: transcript.to_srt(),
    "vtt": lambda transcript, source, path: transcript.to_vtt(),
    "json": lambda transcript, source, path: transcript.to_json(indent=2),
    "html": _page,
}
