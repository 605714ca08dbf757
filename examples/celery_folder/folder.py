"""Hand every recording of a folder to the workers, and report as they finish."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

import tasks
from celery import group

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox

SUFFIXES = {".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".webm"}


def speak_examples(client: SonioxClient, folder: Path) -> None:
    """Make recordings to transcribe."""
    for number, text in enumerate(["The first call.", "The second call is longer."], 1):
        client.realtime.speak(text, voice="Emma").save(folder / f"call{number}.wav")


def run(folder: Path, language: str) -> int:
    """Wait for all files; 0 when every one was transcribed."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    signatures = [tasks.transcribe.s(str(path.resolve()), language) for path in paths]
    failed = 0
    for path, result in zip(paths, group(signatures).apply_async().results):
        try:
            print(f"{path.name}: {result.get()}", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever happened in a worker is raised here
            print(f"{path.name}: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def main() -> int:
    """Read the command line; with `--sandbox` the tasks run here, without broker and workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="(default: here)")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        if sandbox:
            tasks.app.conf.task_always_eager = True
            tasks.client = sandbox.client()
            speak_examples(tasks.client, args.folder)
        return run(args.folder, args.language)


if __name__ == "__main__":
    sys.exit(main())
