"""Show captions of the microphone while you speak; Ctrl-C ends and prints the whole text.

python examples/microphone_captions.py --sandbox
"""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
from contextlib import nullcontext

from soniox_sync import MicrophoneSource, SonioxClient, SonioxError, Transcription
from soniox_sync.sandbox import Sandbox


def show(transcription: Transcription) -> None:
    """Redraw the end of the text with every result; in a pipe, print each utterance as a line."""
    transcript, printed = transcription.transcript, 0
    for event in transcription:
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns - 1
            # final words, then partial text, which may still change
            print(f"\r\x1b[K{transcript.text.strip()[-width:]}", end="", flush=True)
        elif event.kind in ("endpoint", "finished"):
            line, printed = transcript.final_text[printed:].strip(), len(transcript.final_text)
            print(line, end="\n" if line else "", flush=True)


def main() -> None:
    """Parse the command line and listen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", help="part of a name that `python -m sounddevice` lists")
    parser.add_argument("--language", default="en")
    parser.add_argument("--seconds", type=float, help="stop after this many seconds")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        microphone = MicrophoneSource(device=args.device)  # needs the extra `audio`
        transcription = client.realtime.transcribe(
            microphone, language_hints=[args.language], enable_endpoint_detection=True
        )
        if args.seconds:  # on a thread: stop() waits for the last words, which the loop shows
            threading.Timer(args.seconds, transcription.recording.stop).start()
        try:
            show(transcription)
        except KeyboardInterrupt:
            transcription.close()
            print(f"\n{transcription.transcript.final_text.strip()}")


if __name__ == "__main__":
    try:
        main()
    except SonioxError as error:  # no key, no microphone, ...: the message says what to do
        sys.exit(str(error))
