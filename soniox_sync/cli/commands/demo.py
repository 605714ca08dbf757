"""Hear and read speech in one command, without a key.

  soniox-sync demo
  soniox-sync demo --text "What I want to hear." --dir out

Speaks a sentence into hello.wav, transcribes that file live, and writes hello.srt. With
SONIOX_API_KEY set it uses the service, else a local sandbox.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

from ...config.constants import ENV_API_KEY
from ...sources import FileSource
from ...transcript import Transcript
from ..console import Console, UsageError
from ..files import written_file
from ..listening import follow
from ..outputs import Output, Outputs, open_text
from ..services import NO_SPEECH, open_client, open_sandbox

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...protocol.tokens import SttEvent

HELP = "speak a sentence and transcribe it, without a key"

SENTENCE = "Good morning! This is what a computer says, and what another one hears."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--text", default=SENTENCE, help="what to say instead of the sentence")
    parser.add_argument("--dir", default=".", help="where to write the two files (%(default)s)")


def run(args: argparse.Namespace, console: Console) -> None:
    """Speak, transcribe, write captions."""
    if not args.text.strip():
        raise UsageError("there is no text to speak")
    if not os.path.isdir(args.dir):
        raise UsageError(f"there is no directory {args.dir}")

    def tell(line: str) -> None:
        if not args.json:
            console.write(line + "\n")

    wav, srt = (
        os.path.normpath(os.path.join(args.dir, name)) for name in ("hello.wav", "hello.srt")
    )
    with _open_client(args, console, tell) as (client, service):
        tell(f'Speaking: "{args.text}"')
        with client.realtime.speak(args.text, voice="Adrian") as speech:
            with written_file(wav) as file:
                speech.save(file)
        tell(f"Wrote {wav}. Transcribing it live:")
        keeper = _Keeper()
        views = [keeper] if args.json else [keeper, open_text(console)]
        _transcribe(client, wav, views, console)
    with written_file(srt) as file:
        file.write(keeper.transcript.to_srt().encode())
    heard = " ".join(keeper.transcript.final_text.split())
    tell(f"Heard: {heard}\nWrote {srt}")
    if args.json:
        facts = {"service": service, "said": args.text, "heard": heard, "wav": wav, "srt": srt}
        console.write_json(json.dumps(facts, ensure_ascii=False))


def _transcribe(client: SonioxClient, path: str, views: Sequence[Output], console: Console) -> None:
    with Outputs(views) as outputs:
        follow(console, outputs, FileSource(path), client, {"language_hints": ["en"]})


@contextmanager
def _open_client(
    args: argparse.Namespace, console: Console, tell: Callable[[str], None]
) -> Iterator[tuple[SonioxClient, str]]:
    """Choose the service if there is a key, else the sandbox, and say which."""
    key_name = args.api_key_env or ENV_API_KEY
    if os.environ.get(key_name) and not args.sandbox:
        tell(f"Using the Soniox service, with the key of {key_name}.")
        with open_client(args) as client:
            yield client, "soniox"
        return
    reason = "as asked" if args.sandbox else f"because {key_name} is not set"
    tell(f"Using the local sandbox, {reason}.")
    with open_sandbox() as sandbox:
        if sandbox.engines.name == "tones":
            console.say(f"soniox-sync: {NO_SPEECH}")
        with sandbox.client() as client:
            yield client, "sandbox"


class _Keeper:
    """Keeps the transcript."""

    def __init__(self) -> None:
        self.transcript = Transcript()

    def take(self, event: SttEvent) -> None:
        """Keep an event."""
        self.transcript.add_event(event)

    def close(self, *, complete: bool) -> None:
        """Do nothing: the transcript is read later."""
