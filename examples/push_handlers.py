"""Work with callbacks: what a voice says goes straight into a transcription.

python examples/push_handlers.py --sandbox
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Any

from soniox_sync import Result, SonioxClient
from soniox_sync.sandbox import Sandbox

RATE = 24000
VOICE: dict[str, Any] = {"voice": "Adrian", "language": "en"}
RAW: dict[str, Any] = {"audio_format": "pcm_s16le", "sample_rate": RATE}


def show(result: Result) -> None:
    """Print the words that have become final."""
    words = "".join(token.text for token in result.final_tokens)
    if words:
        print(f"heard: {words.strip()}", flush=True)


def main() -> None:
    """Read the command line and connect voice and ear."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", default="Nobody waits here. Every piece is handed on.")
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        with client.realtime.stt(**RAW, num_channels=1, enable_endpoint_detection=True) as session:
            session.on("result", show)
            session.on("endpoint", lambda: print("heard: (a pause)"))
            session.on("error", lambda error: print(f"the transcription failed: {error}"))

            def hand_on(audio: bytes, timestamps: Any) -> None:
                session.send_audio(audio)

            with client.realtime.tts(**VOICE, **RAW) as stream:
                stream.on("audio", hand_on)
                stream.on("audio_end", lambda: print("said:  all of it"))
                stream.on("error", lambda error: print(f"the speech failed: {error}"))
                stream.send_text(args.text, end=True)
                stream.wait()
        # leaving the session's block finished it and let its handlers run


if __name__ == "__main__":
    main()
