"""Soak test of the sandbox's ears: what is spoken by one process is heard by another.

    python -m tests.soak.ears files [--copies 10]
    python -m tests.soak.ears montage [--streams 200] [--seed N]
    python -m tests.soak.ears strangers RECORDING...
    python -m tests.soak.ears cost

`files` speaks ten sentences in three languages into wav, flac, mp3 and opus, each with a command
of its own, makes copies of the WAV (8, 16, 44.1, 48 kHz, stereo, telephone, 8 dB quieter, inverted,
after a second of silence, and some of these together), and transcribes all of them in other
processes; the text must be equal.
`montage` strings parts of sentences together, damages the result and compares words and times.
`strangers` transcribes recordings (WAV or mp3) with hundreds of sentences in the index: none of
their words may be recognised. `cost` compares the CPU time of listening with that of the speech's
own samples. Each prints its results and ends with 1 if one is wrong.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import subprocess
import sys
import tempfile
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from soniox_sync.sandbox.catalog import VOICES
from soniox_sync.sandbox.engines.listener import SpeechRecognizer
from tests.sandbox.engines.damage import (
    MP3_DELAY_MS,
    Damage,
    decode,
    encode,
    inverted,
    pack,
    quieter,
    resample_to,
    stereo,
    telephone,
)
from tests.sandbox.engines.speech import NullTranscriber, SpeechLoop, SpokenAudio, silence, speak

RATE = 24000
SENTENCES = (
    ("Good morning, and welcome to London.", "en"),
    ("The train leaves at noon from platform nine.", "en"),
    ("Please bring your ticket, and three apples.", "en"),
    ("Yes, of course.", "en"),
    ("Guten Morgen, wie geht es Ihnen heute?", "de"),
    ("Der Zug nach Berlin fährt um neun Uhr ab.", "de"),
    ("Bitte sprechen Sie langsam, Herr Müller.", "de"),
    ("Buenos días, me llamo Carmen.", "es"),
    ("El tren sale a las nueve de la mañana.", "es"),
    ("¿Dónde está la estación, por favor?", "es"),
)
FORMATS = ("wav", "flac", "mp3", "opus")
WORDS = """
    the a cat house runs over green hill with seven apples and then my mother went home again
    because rain had come to town last night when nobody saw what happened near old bridge
"""
# a command takes seconds; longer only if it hangs
TIMEOUT_SEC = 120


def later(samples: Any, rate: int) -> tuple[bytes, int]:
    """Put a second of silence before it."""
    return silence(1.0, rate) + pack(samples), rate


def chain(*damages: Damage) -> Damage:
    """Apply several, one after the other."""

    def convert(samples: Any, rate: int) -> tuple[bytes, int]:
        for damage in damages:
            pcm, rate = damage(samples, rate)
            samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        return pack(samples), rate

    return convert


COPIES: dict[str, Damage] = {
    "8 kHz": resample_to(8000),
    "16 kHz": resample_to(16000),
    "44.1 kHz": resample_to(44100),
    "48 kHz": resample_to(48000),
    "stereo": stereo,
    "telephone": telephone,
    "8 dB quieter": quieter(8),
    "inverted": inverted,
    "silence before": later,
    "all together": chain(quieter(8), resample_to(44100), later, stereo, resample_to(8000)),
}


# --- files


def command(*args: str) -> str:
    """Run a command with a sandbox of its own, in its own process; return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "soniox_sync", "--sandbox", *args],
        capture_output=True,
        timeout=TIMEOUT_SEC,
        check=False,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr}")
    return done.stdout


def heard_in(path: Path) -> str:
    """Transcribe a file in a process of its own; return the text."""
    return " ".join(command("transcribe", str(path), "--pace", "0").split())


def check_files(copies: int) -> int:
    """Run the matrix; return the number of files that were not heard exactly."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SONIOX_SYNC_CACHE"] = os.path.join(folder, "cache")
        jobs = [job for number in range(len(SENTENCES)) for job in _spoken(folder, number, copies)]
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(heard_in, [path for _, _, path in jobs]))
    wrong: dict[str, int] = dict.fromkeys([kind for _, kind, _ in jobs], 0)
    for (text, kind, _), heard in zip(jobs, results):
        if heard != text:
            print(f"{kind}: {text!r} was heard as {heard!r}")
            wrong[kind] += 1
    for kind, count in wrong.items():
        total = sum(each == kind for _, each, _ in jobs)
        print(f"{kind:15} {total - count} of {total} exact")
    return sum(wrong.values())


def _spoken(folder: str, number: int, copies: int) -> list[tuple[str, str, Path]]:
    """Speak a sentence; return (text, kind, path) of each file made of it."""
    text, language = SENTENCES[number]
    jobs = []
    for extension in FORMATS:
        path = Path(folder, f"{number}.{extension}")
        voice = sorted(VOICES)[number % len(VOICES)]
        command("speak", text, "--language", language, "--voice", voice, "-o", str(path))
        jobs.append((text, extension, path))
    pcm, rate = decode(jobs[0][2].read_bytes())
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    for kind, damage in list(COPIES.items())[:copies]:
        path = Path(folder, f"{number}-{kind}.wav")
        _write(path, *damage(samples, rate), channels=2 if kind == "stereo" else 1)
        jobs.append((text, kind, path))
    return jobs


def _write(path: Path, pcm: bytes, rate: int, *, channels: int) -> None:
    if channels == 2:
        pcm = np.repeat(np.frombuffer(pcm, "<i2"), 2).tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)


# --- montage

MONTAGE: dict[str, Damage] = {
    "16 kHz": resample_to(16000),
    "8 kHz": resample_to(8000),
    "44.1 kHz": resample_to(44100),
    "quieter": quieter(8),
    "flac": encode("flac"),
    "mp3": encode("mp3"),
    "opus": encode("opus"),
}


def _loop() -> SpeechLoop:
    loop = SpeechLoop()
    loop.recognizer = SpeechRecognizer(loop.index, NullTranscriber)
    return loop


def check_montage(streams: int, seed: int) -> int:
    """Compare words and times of damaged montages; return how many words were missed or made up."""
    loop = _loop()
    clips = [
        loop.speak(text, voice, language, RATE)
        for voice in ("Adrian", "Emma")
        for text, language in SENTENCES
    ]
    rng = random.Random(seed)
    words, wrong, errors = 0, 0, []
    for number in range(streams):
        samples, expected = _montage(rng, clips)
        kind = rng.choice(list(MONTAGE))
        pcm, rate = MONTAGE[kind](samples, RATE)
        offset = MP3_DELAY_MS if kind == "mp3" else 0
        heard = loop.recognize(pcm, rate)
        sure = [word for word in expected if not 0.3 < word[3] < 0.7]
        unsure = {word[0] for word in expected if 0.3 < word[3] < 0.7}
        left = [word for word in heard if word.text not in unsure]
        wanted = [word for word in sure if word[3] >= 0.7 and word[0] not in unsure]
        words += len(wanted)
        names = [word[0] for word in wanted], [word.text for word in left]
        matcher = difflib.SequenceMatcher(None, *names, autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            if tag != "equal":
                wrong += max(b - a, d - c)
                print(f"stream {number} ({kind}): {names[0][a:b]} was heard as {names[1][c:d]}")
        for a, c, size in matcher.get_matching_blocks():
            errors += [
                max(abs(h.start_ms - offset - w[1]), abs(h.end_ms - offset - w[2]))
                for w, h in zip(wanted[a : a + size], left[c : c + size])
            ]
    late = np.quantile(errors, [0.5, 0.99, 1.0])
    print(f"seed {seed}: {words} words, {wrong} wrong")
    print(f"times are off by {late[0]:.1f} ms (median), {late[1]:.1f} (99 %), {late[2]:.1f} (most)")
    return wrong


def _montage(
    rng: random.Random, clips: list[SpokenAudio]
) -> tuple[Any, list[tuple[str, float, float, float]]]:
    """String parts together; return the samples, and text, start, end (ms), part of each word."""
    parts: list[Any] = []
    expected, at = [], 0
    for _ in range(rng.randint(1, 4)):
        clip = rng.choice(clips)
        length = len(clip.pcm) // 2
        start, end = 0, length
        if rng.random() < 0.5 and length > 2 * RATE:
            start = rng.randint(0, length - 2 * RATE)
            end = rng.randint(start + 2 * RATE, length)
        for text, first, behind in clip.words:
            a, b = max(first, start), min(behind, end)
            ms = [(sample - start + at) * 1000 / RATE for sample in (a, b)]
            expected.append((text, ms[0], ms[1], (b - a) / (behind - first)))
        pause = int(rng.choice([0, 0, 0.01, 0.3, 1.1]) * RATE)
        parts += [np.frombuffer(clip.pcm, "<i2")[start:end], np.zeros(pause)]
        at += end - start + pause
    return np.concatenate(parts), expected


# --- strangers, cost


def check_strangers(paths: list[str], sentences: int) -> int:
    """Return how many words of the index were recognised in recordings of others, and in noise."""
    loop, rng = _loop(), random.Random(1)
    for _ in range(sentences):
        text = (
            " ".join(rng.choice(WORDS.split()) for _ in range(rng.randint(3, 12))).capitalize()
            + "."
        )
        speak(loop.synthesizer, text, rng.choice(list(VOICES)), rng.choice(["en", "de", "es"]))
    wrong = 0
    for path in paths:
        pcm, rate = decode(Path(path).read_bytes())
        samples = np.frombuffer(pcm, "<i2")
        for pace in (1.0, 0.8, 0.9, 1.1, 1.25):
            places = np.arange(0, len(samples) - 1, pace)
            faster = np.interp(places, np.arange(len(samples)), samples)
            heard = [word.text for word in loop.recognize(pack(faster), rate)]
            wrong += len(heard)
            print(f"{Path(path).name} at {pace}: {len(faster) / rate:.1f} s, {heard or 'nothing'}")
    return wrong


def check_cost() -> int:
    """Print the CPU time of listening, by kind of audio, as a multiple of that to exact speech."""
    loop = _loop()
    text = " ".join(f"This is sentence number {number} of it." for number in range(20))
    clip = loop.speak(text, "Nina", rate=16000)
    samples = np.frombuffer(clip.pcm, "<i2")
    noise = np.random.default_rng(1).normal(0, 800, len(samples))
    kinds = {
        "exact": (loop, clip.pcm),
        "silence": (loop, bytes(len(clip.pcm))),
        "quieter": (loop, pack(samples * 0.5)),
        "noise": (loop, pack(noise)),
        "noise, nothing indexed": (_loop(), pack(noise)),
    }
    costs = {}
    for kind, (ears, pcm) in kinds.items():
        ears.recognize(pcm)  # prepares what is prepared once
        begun = time.process_time()
        ears.recognize(pcm)
        costs[kind] = time.process_time() - begun
    for kind, cost in costs.items():
        share = cost / (len(samples) / 16000)
        print(f"{kind:22} {cost / costs['exact']:5.1f} times exact, {share:.4f} of real time")
    return 0


def main() -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    files = parts.add_parser("files")
    files.add_argument("--copies", type=int, default=len(COPIES))
    montage = parts.add_parser("montage")
    montage.add_argument("--streams", type=int, default=200)
    montage.add_argument("--seed", type=int, default=1)
    strangers = parts.add_parser("strangers")
    strangers.add_argument("recordings", nargs="+")
    strangers.add_argument("--sentences", type=int, default=400)
    parts.add_parser("cost")
    args = parser.parse_args()
    if args.part == "files":
        wrong = check_files(args.copies)
    elif args.part == "montage":
        wrong = check_montage(args.streams, args.seed)
    elif args.part == "strangers":
        wrong = check_strangers(args.recordings, args.sentences)
    else:
        wrong = check_cost()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
