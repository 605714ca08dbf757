"""Use one transcription session directly: send audio on a thread, and print every event.

python examples/session_by_hand.py --sandbox
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from soniox_sync import SonioxClient, SttSession
from soniox_sync.sandbox import Sandbox

RATE = 16000
CHUNK = RATE * 2 * 120 // 1000  # 120 ms of 16-bit samples


def some_speech(client: SonioxClient) -> bytes:
    """Return speech to transcribe; your program gets it from a microphone or a phone call."""
    with client.realtime.tts(
        voice="Adrian", language="en", audio_format="pcm_s16le", sample_rate=RATE
    ) as stream:
        stream.send_text("The first point is short. The second is not.", end=True)
        return stream.read()


def show(session: SttSession) -> None:
    """Print every event. The loop ends only after `finished`; any other end raises."""
    for event in session:
        if event.kind == "result":
            for token in event.result.final_tokens:
                print(f"{token.start_ms:6d} ms  {token.confidence:.2f}  {token.text!r}")
        else:
            print(f"          -- {event.kind} at {event.result.final_audio_proc_ms} ms")


def main() -> None:
    """Parse the command line, send and receive."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()

    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        audio = some_speech(client)
        chunks = (audio[at : at + CHUNK] for at in range(0, len(audio), CHUNK))
        with client.realtime.stt(
            audio_format="pcm_s16le", sample_rate=RATE, num_channels=1
        ) as session:
            session.start_sending(chunks, pace_sec=0.12, finish=True)
            show(session)


if __name__ == "__main__":
    main()
