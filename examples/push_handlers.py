"""Use callbacks instead of loops: synthesised audio is passed directly to a transcription.

python examples/push_handlers.py --sandbox
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Optional

from soniox_sync import Result, SonioxClient, Timestamps
from soniox_sync.sandbox import Sandbox

FORMAT, RATE = "pcm_s16le", 24000


def show(result: Result) -> None:
    """Print the words that have become final."""
    words = "".join(token.text for token in result.final_tokens)
    if words:
        print(f"heard: {words.strip()}", flush=True)


def main() -> None:
    """Parse the command line and connect the speech to the transcription."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("text", nargs="?", default="Nobody waits here. Every chunk is passed on.")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        with client.realtime.stt(
            audio_format=FORMAT, sample_rate=RATE, num_channels=1, enable_endpoint_detection=True
        ) as session:
            session.on("result", show)
            session.on("endpoint", lambda: print("heard: (end of the utterance)"))
            session.on("error", lambda error: print(f"the transcription failed: {error}"))

            def pass_on(audio: bytes, timestamps: Optional[Timestamps]) -> None:
                session.send_audio(audio)

            with client.realtime.tts(
                voice="Adrian", language="en", audio_format=FORMAT, sample_rate=RATE
            ) as stream:
                stream.on("audio", pass_on)
                stream.on("audio_end", lambda: print("spoken: all of the text"))
                stream.on("error", lambda error: print(f"the speech failed: {error}"))
                stream.send_text(args.text, end=True)
                stream.wait()
        # leaving the block finished the session, and its handlers have run


if __name__ == "__main__":
    main()
