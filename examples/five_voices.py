"""Speak with five voices at once over one connection, each into its own file.

python examples/five_voices.py --sandbox
"""

from __future__ import annotations

import argparse
import threading
from contextlib import nullcontext
from pathlib import Path

from soniox_sync import SonioxClient, TtsStream
from soniox_sync.sandbox import Sandbox

LINES = {
    "Adrian": ("en", "Good evening, ladies and gentlemen."),
    "Nina": ("de", "Guten Abend, meine Damen und Herren."),
    "Lucia": ("es", "Buenas noches, señoras y señores."),
    "Oliver": ("fr", "Bonsoir, mesdames et messieurs."),
    "Isla": ("it", "Buonasera, signore e signori."),
}


def save(stream: TtsStream, path: Path) -> None:
    """Write one voice as its audio arrives; a slow disk delays no other voice."""
    stream.save(path)
    metrics = stream.metrics
    first = metrics.time_to_first_audio_sec
    print(f"{path}: {metrics.audio_sec:.1f} s of speech, first sound after {first:.2f} s")


def main() -> None:
    """Parse the command line and speak all lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dir", type=Path, default=Path(), help="directory for the five files")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        with client.realtime.tts.multi_stream() as connection:
            writers: list[threading.Thread] = []
            for voice, (language, line) in LINES.items():
                stream = connection.stream(voice=voice, language=language, audio_format="wav")
                stream.send_text(line, end=True)
                path = args.dir / f"{voice.lower()}.wav"
                writers.append(threading.Thread(target=save, args=(stream, path)))
                writers[-1].start()
            for writer in writers:
                writer.join()


if __name__ == "__main__":
    main()
