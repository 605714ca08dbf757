"""Show live captions of an audio file, and write them next to it as .srt.

python examples/transcribe_file.py --sandbox
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox


def speak_an_example(client: SonioxClient, path: Path) -> None:
    """Create a file to transcribe if none was given."""
    with client.realtime.tts(voice="Nina", language="en", audio_format="wav") as stream:
        stream.send_text("Nobody gave me a file. So I speak one.", end=True)
        stream.save(path)


def caption(client: SonioxClient, path: Path, language: str) -> str:
    """Transcribe in real time, showing the text as it grows; return the captions."""
    transcription = client.realtime.transcribe(path, language_hints=[language])
    transcript = transcription.transcript
    for _ in transcription:
        if sys.stdout.isatty():
            # the end of the text: final words, then partial text, which may still change
            print(f"\r\x1b[K{transcript.text.strip()[-78:]}", end="", flush=True)
    print(f"\r{transcript.final_text.strip()}")
    return transcript.to_srt()


def main() -> None:
    """Parse the command line, transcribe and write the captions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, help="audio file (default: spoken for you)")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        path = args.file or Path("example.wav")
        if args.file is None:
            speak_an_example(client, path)
        captions = path.with_suffix(".srt")
        captions.write_text(caption(client, path, args.language), encoding="utf-8")
    print(f"wrote {captions}")


if __name__ == "__main__":
    main()
