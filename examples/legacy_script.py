"""Transcribe a folder of recordings with an old-fashioned script: one plain loop.

python examples/legacy_script.py --sandbox
"""

import argparse
import glob
import os
import sys
from contextlib import nullcontext

from soniox_sync import SonioxClient, SonioxError
from soniox_sync.sandbox import Sandbox


def transcribe(client: SonioxClient, path: str, language: str) -> str:
    """Return the text of one recording."""
    text = ""
    words = client.realtime.transcribe(path, pace=False, language_hints=[language])
    for utterance in words.utterances():
        text += utterance.text
    return text.strip()


def speak_examples(client: SonioxClient, folder: str) -> None:
    """Create two recordings for trying the script."""
    os.makedirs(folder, exist_ok=True)
    for number, text in enumerate(["Please call me back.", "The parcel has arrived."], 1):
        path = os.path.join(folder, f"message{number}.wav")
        client.realtime.speak(text, voice="Emma", audio_format="wav").save(path)


def main() -> int:
    """Transcribe the folder; return 0 if every file could be transcribed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="recordings", help="folder with .wav files")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    pattern, failed = os.path.join(args.folder, "*.wav"), 0
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        if sandbox and not glob.glob(pattern):
            speak_examples(client, args.folder)
        for path in sorted(glob.glob(pattern)):
            name = os.path.basename(path)
            try:
                print(f"{name}: {transcribe(client, path, args.language)}")
            except SonioxError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
