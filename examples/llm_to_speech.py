"""Speak a language model's answer while it is still being written.

python examples/llm_to_speech.py --sandbox
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import nullcontext

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox

ANSWER = (
    "The tide comes in twice a day. The moon pulls the water towards it. "
    "On the far side of the earth the water is left behind, so it rises there too. "
    "That makes two tides, a little more than twelve hours apart."
)


def tokens(answer: str) -> Iterator[str]:
    """Yield parts of words, 25 a second, as a language model's streaming API does."""
    for at in range(0, len(answer), 4):
        time.sleep(0.04)
        yield answer[at : at + 4]


def main() -> None:
    """Parse the command line and speak the answer as it arrives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", default="answer.wav")
    parser.add_argument("--play", action="store_true", help="play it; needs the extra `audio`")
    parser.add_argument("--voice", default="Nina")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        started = time.monotonic()
        # the tokens are read on another thread; a sentence is spoken once it is complete
        with client.realtime.speak(tokens(ANSWER), voice=args.voice, language="en") as speech:
            if args.play:
                from soniox_sync.audio import play

                play(speech)
            else:
                speech.save(args.output)
        elapsed = time.monotonic() - started
    metrics = speech.metrics
    print(f"{metrics.audio_sec:.1f} s of speech in {elapsed:.1f} s")
    print(f"first sound {metrics.time_to_first_audio_sec:.2f} s after the first sentence")


if __name__ == "__main__":
    main()
