"""Hear and read speech in one command, without a key.

Speaks a sentence into hello.wav, transcribes that file live, and writes hello.srt. With
SONIOX_API_KEY set it uses the service, else a local sandbox.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

from ...config.constants import ENV_API_KEY
from ...transcript import Transcript
from ..console import Console, is_terminal
from ..feeds import file_feed
from ..outputs import Output, Outputs, TextLines, live_view
from ..players import WavSink
from ..services import open_client, open_sandbox, speak
from .transcribe import follow

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...protocol.tokens import SttEvent

HELP = "speak a sentence and transcribe it, without a key"

SENTENCE = "Good morning! This is what a computer says, and what another one hears."
_VOICE = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 24_000}
_INSTALL = 'python -m pip install "soniox-sync[sandbox]"'
_NO_SPEECH = (
    "the sandbox has no speech engines here, so it plays tones and makes the words up: the "
    f"captions will not be the sentence. For real speech: {_INSTALL}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--text", default=SENTENCE, help="what to say instead of the sentence")
    parser.add_argument("--dir", default=".", help="where to write the two files (%(default)s)")


def run(args: argparse.Namespace, console: Console) -> None:
    """Speak, transcribe, write captions."""

    def tell(line: str) -> None:
        if not args.json:
            console.write(line + "\n")

    wav, srt = (
        os.path.normpath(os.path.join(args.dir, name)) for name in ("hello.wav", "hello.srt")
    )
    with _open_client(args, console, tell) as (client, service):
        tell(f'Speaking: "{args.text}"')
        _speak(client, args.text, wav)
        tell(f"Wrote {wav}. Transcribing it live:")
        transcript = _transcribe(client, wav, console, show=not args.json)
    _write_captions(transcript, srt)
    heard = " ".join(transcript.final_text.split())
    tell(f"Heard: {heard}\nWrote {srt}")
    if args.json:
        facts = {"service": service, "said": args.text, "heard": heard, "wav": wav, "srt": srt}
        console.write(json.dumps(facts, ensure_ascii=False) + "\n")


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
            console.say(f"soniox-sync: {_NO_SPEECH}")
        with sandbox.client() as client:
            yield client, "sandbox"


def _speak(client: SonioxClient, text: str, path: str) -> None:
    sink = WavSink(path, _VOICE["sample_rate"])  # type: ignore[arg-type]
    try:
        for chunk in speak(client, [text], **_VOICE):
            sink.write(chunk)
    finally:
        sink.close()


def _transcribe(client: SonioxClient, path: str, console: Console, *, show: bool) -> Transcript:
    keeper = _Keeper()
    views: list[Output] = [keeper, *([_view(console)] if show else [])]
    with file_feed(path, None, pace=1.0) as feed, Outputs(views) as outputs:
        follow(console, outputs, feed, client, {"language_hints": ["en"]})
    return keeper.transcript


def _view(console: Console) -> Output:
    if is_terminal(console.stdout):
        return live_view(console.stdout, console.write)
    return TextLines(console)


class _Keeper:
    """Keeps the transcript."""

    def __init__(self) -> None:
        self.transcript = Transcript()

    def take(self, event: SttEvent) -> None:
        """Keep an event."""
        self.transcript.add_event(event)

    def close(self, *, complete: bool) -> None:
        """Do nothing: the transcript is read later."""


def _write_captions(transcript: Transcript, path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(transcript.to_srt())
