"""Speak a sentence and transcribe it, in one command and without a key.

  soniox-sync demo
  soniox-sync demo --text "What I want to hear." --dir out

Writes the speech to hello.wav, transcribes that file live and writes its captions to hello.srt.
Uses the service that the environment names if SONIOX_API_KEY is set, otherwise a local sandbox.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable
from urllib.parse import urlsplit

from ...config import resolve_connection_config
from ...config.constants import ENV_API_KEY
from ...sources import FileSource
from ...transcript import Transcript
from ..console import Console, UsageError
from ..files import output_file
from ..listening import transcribe
from ..outputs import Output, Outputs, open_text
from ..services import open_client, open_sandbox, report_missing_engines, trace_options

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...protocol.tokens import SttEvent

USAGE = ""
HELP = "speak a sentence and transcribe it; works without a key"

SENTENCE = "Good morning! This is what a computer says, and what another one hears."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--text", default=SENTENCE, help="text to speak instead")
    parser.add_argument(
        "--dir", default=".", help="directory for the two files (default: the current one)"
    )


def run(args: argparse.Namespace, console: Console) -> None:
    """Speak, transcribe and write captions."""
    if not args.text.strip():
        raise UsageError("there is no text to speak")
    if not os.path.isdir(args.dir):
        raise UsageError(f"--dir: no directory {args.dir}")

    def print_line(line: str) -> None:
        if not args.json:
            console.write(line + "\n")

    wav, srt = (
        os.path.normpath(os.path.join(args.dir, name)) for name in ("hello.wav", "hello.srt")
    )
    with _open_client(args, console, print_line) as (client, service):
        print_line(f'speaking: "{args.text}"')
        with client.realtime.speak(args.text, voice="Adrian") as speech:
            with output_file(wav) as file:
                speech.save(file)
        print_line(f"wrote {wav}, transcribing it live:")
        collector = _Collector()
        views: list[Output] = [collector] if args.json else [collector, open_text(console)]
        with Outputs(views) as outputs:
            transcribe(console, outputs, FileSource(wav), client, {"language_hints": ["en"]})
    with output_file(srt) as file:
        file.write(collector.transcript.to_srt().encode())
    heard = " ".join(collector.transcript.final_text.split())
    print_line(f"heard: {heard}\nwrote {srt}")
    if args.json:
        fields = {"service": service, "said": args.text, "heard": heard, "wav": wav, "srt": srt}
        console.write_json(json.dumps(fields, ensure_ascii=False))


@contextmanager
def _open_client(
    args: argparse.Namespace, console: Console, print_line: Callable[[str], None]
) -> Iterator[tuple[SonioxClient, str]]:
    """Use the service if there is a key, otherwise the sandbox, and print which."""
    key_name = args.api_key_env or ENV_API_KEY
    if os.environ.get(key_name) and not args.sandbox:
        with open_client(args) as client:
            print_line(f"using the service at {_host(args)}, with the key from {key_name}.")
            yield client, "soniox"
        return
    reason = "" if args.sandbox else f", because {key_name} is not set"
    print_line(f"using the local sandbox{reason}.")
    with open_sandbox(args) as sandbox:
        report_missing_engines(console, speech=True, recognition=True)
        with sandbox.client(**trace_options(args)) as client:
            yield client, "sandbox"


def _host(args: argparse.Namespace) -> str:
    """Return host and port of the service: a sandbox's, where its URLs were exported."""
    address = resolve_connection_config({"region": args.region})
    return urlsplit(address.stt_ws_url).netloc


class _Collector:
    """Output that collects the transcript."""

    def __init__(self) -> None:
        self.transcript = Transcript()

    def add(self, event: SttEvent) -> None:
        """Add an event to the transcript."""
        self.transcript.add_event(event)

    def close(self, *, complete: bool) -> None:
        """Do nothing: the transcript is used later."""
