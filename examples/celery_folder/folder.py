"""Send every recording of a folder to the workers of `tasks.py`, and report each result.

python folder.py --sandbox     try it without a key, a broker or workers
python folder.py RECORDINGS
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

import tasks
from celery import group
from kombu.exceptions import OperationalError

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox

SUFFIXES = {".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".webm"}


def run(folder: Path, language: str) -> str | None:
    """Wait for all files; return what went wrong, if anything did."""
    try:
        with tasks.app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1)
    except OperationalError as error:
        return f"no broker at {broker.as_uri()}: {error}"
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    signatures = [tasks.transcribe.s(str(path.resolve()), language) for path in paths]
    failed = 0
    for path, result in zip(paths, group(signatures).apply_async().results):
        outcome = result.get(propagate=False)  # the text, or the worker's exception
        print(f"{path.name}: {outcome}", file=sys.stderr if result.failed() else sys.stdout)
        failed += result.failed()
    return f"{failed} of {len(paths)} failed" if failed else None


def try_it(client: SonioxClient, folder: Path) -> None:
    """Create recordings, and run the tasks in this program instead of workers."""
    tasks.client = client
    tasks.app.conf.update(task_always_eager=True, broker_url="memory://")
    for number, text in enumerate(["The first call.", "The second call is longer."], 1):
        client.realtime.speak(text, voice="Emma").save(folder / f"call{number}.wav")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="(default: this one)")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        if sandbox:
            try_it(sandbox.client(), args.folder)
        sys.exit(run(args.folder, args.language))
