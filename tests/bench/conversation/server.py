"""Sandbox of the conversation benchmark, in a process of its own.

It hears a question every two seconds, whatever the audio, and speaks tones as fast as they are
taken, so that it costs little. It prints its addresses as JSON, and ends when its stdin closes.
"""

from __future__ import annotations

import dataclasses
import json
import sys

from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.base import HeardWord

SPACING_MS = 2000
LAG_MS = 300
_WORD_MS = 300


def main(seconds: float) -> None:
    """Serve until stdin closes."""
    words = []
    for number in range(int(seconds * 1000 / SPACING_MS)):
        at = number * SPACING_MS
        for text in ("What", "time?"):
            words.append(HeardWord(text, at, at + _WORD_MS, 0.9, "1", "en"))
            at += _WORD_MS
    with Sandbox(engines="tones", limits={"tts_pace": None}) as sandbox:
        sandbox.script(words, final_lag_ms=LAG_MS)
        print(json.dumps(dataclasses.asdict(sandbox.urls)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(float(sys.argv[1]))
