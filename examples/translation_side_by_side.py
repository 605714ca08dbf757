"""Translate speech while it comes, and show what was said beside what it means.

python examples/translation_side_by_side.py --sandbox --to es
"""

from __future__ import annotations

import argparse
import textwrap
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import Optional

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.transcript import Segment

WIDTH = 38


def show(*sides: Optional[Segment]) -> None:
    """Print one stretch of speech and its translation in two columns."""
    columns = [textwrap.wrap(side.text.strip(), WIDTH) if side else [] for side in sides]
    for left, right in zip_longest(*columns, fillvalue=""):
        print(f"{left:<{WIDTH}}  {right}".rstrip())
    print("-" * (2 * WIDTH + 2), flush=True)


def main() -> None:
    """Read the command line, translate, print pair by pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="any audio; without one it is spoken")
    parser.add_argument("--language", default="en", help="that is spoken (default: en)")
    parser.add_argument("--to", default="de", help="that is wanted (default: de)")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        source = args.file or client.realtime.speak(
            "Good morning. How is the coffee? My dog is quick.", voice="Emma", audio_format="wav"
        )
        translation = {"type": "one_way", "target_language": args.to}
        transcription = client.realtime.transcribe(
            source, language_hints=[args.language], translation=translation
        )
        shown = 0
        for event in transcription:
            pairs = transcription.transcript.translation_pairs()
            # the last pair may still grow, until the end
            ready = len(pairs) if event.kind == "finished" else len(pairs) - 1
            for pair in pairs[shown:ready]:
                show(*pair)
            shown = max(shown, ready)


if __name__ == "__main__":
    main()
