"""A tiny voicemail: record a greeting with a synthetic voice, read messages back as text.

    python examples/app_with_tests/voicemail.py --sandbox

Only `main()` creates the client, so that tests can pass that of a sandbox.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox


def record_greeting(client: SonioxClient, name: str, path: Path) -> int:
    """Speak the greeting of `name` into a WAV file and return its size in bytes."""
    with client.realtime.tts(voice="Emma", language="en", audio_format="wav") as stream:
        stream.send_text(f"Hello, you have reached {name}. ")
        stream.send_text("Please leave a message after the tone.", end=True)
        return stream.save(path)


def read_message(client: SonioxClient, path: Path) -> str:
    """Transcribe a message as fast as the service accepts it."""
    transcript = client.realtime.transcribe(path, pace=False, language_hints=["en"]).read()
    return transcript.final_text.strip()


def main() -> None:
    """Record a greeting and read it back."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?", default="Anna")
    parser.add_argument("-o", "--output", type=Path, default=Path("greeting.wav"))
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        record_greeting(client, args.name, args.output)
        print(read_message(client, args.output))


if __name__ == "__main__":
    main()
