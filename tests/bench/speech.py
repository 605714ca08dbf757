"""Measures how much later speak() yields its first audio than a bare stream.

Run as ``python -m tests.bench.speech [--rounds N]``. Both alternate on one sandbox, open their own
connection and send one complete sentence; the time is from the sentence to the first audio in the
user's loop. Prints the medians and their difference, and the duration of one audio frame.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox

VOICE = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 24000}
SENTENCE = "This is one complete sentence. "


def bare(client: SonioxClient) -> float:
    """Return the seconds to the first audio of a stream."""
    with client.realtime.tts(**VOICE) as stream:
        started = time.perf_counter()
        stream.send_text(SENTENCE, end=True)
        next(iter(stream))
        return time.perf_counter() - started


def spoken(client: SonioxClient) -> float:
    """Return the seconds to the first audio of speak(), whose text continues after the sentence."""
    started = 0.0

    def tokens() -> Iterator[str]:
        nonlocal started
        started = time.perf_counter()
        yield SENTENCE
        yield "And on."

    with client.realtime.speak(tokens(), **VOICE) as speech:
        next(iter(speech))
        return time.perf_counter() - started


def main() -> None:
    """Alternate between both and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with Sandbox(engines="tones") as sandbox:
        client = sandbox.client()
        pairs = [(bare(client), spoken(client)) for _ in range(rounds)]
        frame_ms = sandbox.limits.tts_chunk_ms
    first, second = (statistics.median(times) * 1000 for times in zip(*pairs))
    print(f"bare stream {first:.2f} ms, speak() {second:.2f} ms, which includes connecting")
    print(f"later by {second - first:.2f} ms; one frame of audio is {frame_ms:g} ms")


if __name__ == "__main__":
    main()
