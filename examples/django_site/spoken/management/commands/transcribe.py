"""`python manage.py transcribe FILE...`: text on stdout, captions beside the files."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from soniox_sync import SonioxClient, SonioxError
from soniox_sync.sandbox import Sandbox

from ...client import client


class Command(BaseCommand):
    """Transcribes recordings one after the other."""

    help = "Transcribe recordings, and write captions beside them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take files, and where to have them transcribed."""
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--language", default="en")
        parser.add_argument("--sandbox", action="store_true", help="without a key, on this machine")

    def handle(self, *args: Any, **options: Any) -> None:
        """Transcribe all files; the first failure ends the command with its reason."""
        with Sandbox() if options["sandbox"] else nullcontext() as sandbox:
            soniox = sandbox.client() if sandbox else client()
            for path in options["files"]:
                try:
                    self.stdout.write(self.transcribe(soniox, path, options["language"]))
                except (OSError, SonioxError) as error:
                    raise CommandError(f"{path}: {error}") from error

    def transcribe(self, soniox: SonioxClient, path: Path, language: str) -> str:
        """Write the captions of one file and give its text."""
        transcription = soniox.realtime.transcribe(path, pace=False, language_hints=[language])
        for _ in transcription:
            pass
        captions = transcription.transcript.to_srt()
        path.with_suffix(".srt").write_text(captions, encoding="utf-8")
        return transcription.transcript.final_text.strip()
