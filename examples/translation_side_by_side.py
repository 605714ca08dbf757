"""Translate speech in real time, and show the original beside its translation.

python examples/translation_side_by_side.py --sandbox --to es
"""

from __future__ import annotations

import argparse
import textwrap
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import Optional

from soniox_sync import OneWayTranslation, SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.transcript import Segment

WIDTH = 38


def show(original: Optional[Segment], translation: Optional[Segment]) -> None:
    """Print one segment and its translation in two columns."""
    texts = (original and original.text, translation and translation.translated_text)
    columns = [textwrap.wrap((text or "").strip(), WIDTH) for text in texts]
    for left, right in zip_longest(*columns, fillvalue=""):
        print(f"{left:<{WIDTH}}  {right}".rstrip())
    print("-" * (2 * WIDTH + 2), flush=True)


def main() -> None:
    """Parse the command line, translate and print each pair."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, help="audio file (default: spoken for you)")
    parser.add_argument("--language", default="en", help="spoken language (default: en)")
    parser.add_argument("--to", default="de", help="translate into (default: de)")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        source = args.file or client.realtime.speak(
            "Good morning. How is the coffee? My dog is quick.", voice="Emma", audio_format="wav"
        )
        transcription = client.realtime.transcribe(
            source, language_hints=[args.language], translation=OneWayTranslation(args.to)
        )
        shown = 0
        for event in transcription:
            pairs = transcription.transcript.translation_pairs()
            # before the end, the last pair may still grow
            ready = len(pairs) if event.kind == "finished" else len(pairs) - 1
            for pair in pairs[shown:ready]:
                show(*pair)
            shown = max(shown, ready)


if __name__ == "__main__":
    main()
