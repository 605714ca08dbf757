"""Speak a text into a WAV file, and print the time to the first sound.

python examples/speak_to_file.py --sandbox "Good morning." -o morning.wav
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox


def main() -> None:
    """Parse the command line and speak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("text", nargs="?", default="Good morning. Your tea is ready.")
    parser.add_argument("-o", "--output", default="speech.wav")
    parser.add_argument("--voice", default="Adrian")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        with client.realtime.tts(
            voice=args.voice, language=args.language, audio_format="wav"
        ) as stream:
            stream.send_text(args.text, end=True)
            size = stream.save(args.output)
        metrics = stream.metrics
    print(f"{args.output}: {size} bytes, {metrics.audio_sec:.1f} s of speech")
    print(f"first sound after {metrics.time_to_first_audio_sec:.2f} s")
    print(f"last sound after {metrics.wall_sec:.2f} s")


if __name__ == "__main__":
    main()
