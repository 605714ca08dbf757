"""`python manage.py transcribe FILE...`: text on stdout, captions next to the files."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from soniox_sync import SonioxClient, SonioxError
from soniox_sync.sandbox import Sandbox

from ...client import client


class Command(BaseCommand):
    """Command that transcribes recordings one after the other."""

    help = "Transcribe recordings, and write captions next to them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the arguments."""
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--language", default="en")
        parser.add_argument("--sandbox", action="store_true", help="use a sandbox; needs no key")

    def handle(self, *args: Any, **options: Any) -> None:
        """Transcribe all files; the first error ends the command."""
        with Sandbox() if options["sandbox"] else nullcontext() as sandbox:
            soniox = sandbox.client() if sandbox else client()
            for path in options["files"]:
                try:
                    self.stdout.write(self.transcribe(soniox, path, options["language"]))
                except (OSError, SonioxError) as error:
                    raise CommandError(f"{path}: {error}") from error

    def transcribe(self, soniox: SonioxClient, path: Path, language: str) -> str:
        """Write the captions of one file and return its text."""
        transcription = soniox.realtime.transcribe(path, pace=False, language_hints=[language])
        transcript = transcription.read()
        path.with_suffix(".srt").write_text(transcript.to_srt(), encoding="utf-8")
        return transcript.final_text.strip()
