"""Speak a text into a file, into a pipe, or on the loudspeaker.

soniox-sync speak "Good morning." -o morning.wav
soniox-sync speak --play --voice Nina "Hello there"
tail -f news.txt | soniox-sync speak - | soniox-sync transcribe -
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from ...audio.formats import default_tts_sample_rate, is_raw, tts_format_name
from ..console import Console, UsageError
from ..feeds import reader_of
from ..mailbox import pump
from ..players import FileSink, LoudspeakerSink, Sink, WavSink
from ..sentences import all_of, group_sentences, lines_of
from ..services import open_realtime, speak

HELP = "turn text into speech"
TAKES_GATEWAY = True

_FORMAT_OF_SUFFIX = {
    ".wav": "wav",
    ".mp3": "mp3",
    ".flac": "flac",
    ".aac": "aac",
    ".opus": "opus",
    ".ogg": "opus",
    ".pcm": "pcm_s16le",
    ".raw": "pcm_s16le",
}
# what cannot be joined by writing one piece behind the other
_UNJOINABLE = ("flac", "opus")
_STDIN_READ = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "text", nargs="+", metavar="TEXT|-", help="what to say; - reads lines from stdin"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-o", "--output", metavar="FILE", help="write here; - is stdout")
    where.add_argument("--play", action="store_true", help="play on the loudspeaker")
    parser.add_argument("--voice", default="Adrian", help="a voice's name or id (%(default)s)")
    parser.add_argument("--language", default="en", metavar="XX", help="(%(default)s)")
    parser.add_argument("--model", help="the model, if not the default one")
    parser.add_argument(
        "--audio-format", metavar="NAME", help="wav, mp3, ...; default: by FILE's ending, else wav"
    )
    parser.add_argument("--sample-rate", type=int, metavar="HZ")
    parser.add_argument("--bitrate", type=int, metavar="BITS", help="of compressed formats")
    parser.add_argument("--speed", type=float, help="0.7 to 1.3")


def run(args: argparse.Namespace, console: Console) -> None:
    """Speak the text."""
    audio_format = _audio_format(args)
    sink = _open_sink(args, console, audio_format)
    written = 0
    try:
        with open_realtime(args) as client:
            for chunk in speak(client, _texts(args, console, audio_format), **_config(args)):
                sink.write(chunk)
                written += len(chunk)
    finally:
        sink.close()
    _summarize(args, console, written)


def _audio_format(args: argparse.Namespace) -> str:
    if args.play and args.audio_format:
        raise UsageError("--play chooses the format by itself: leave --audio-format out")
    if args.audio_format:
        return tts_format_name(args.audio_format)
    ending = os.path.splitext(args.output or "")[1].lower()
    return _FORMAT_OF_SUFFIX.get(ending, "wav")


def _open_sink(args: argparse.Namespace, console: Console, audio_format: str) -> Sink:
    rate = args.sample_rate or default_tts_sample_rate(audio_format)
    if args.play:
        return LoudspeakerSink(rate)
    to_stdout = args.output in (None, "-")
    target = console.binary_stdout() if to_stdout else args.output
    return WavSink(target, rate) if audio_format == "wav" else FileSink(target)


def _config(args: argparse.Namespace) -> dict[str, Any]:
    """Give the fields of a stream. WAV is made here from samples, so that pieces can be joined."""
    audio_format = _audio_format(args)
    if audio_format == "wav":
        audio_format = "pcm_s16le"
    rate = args.sample_rate or (
        default_tts_sample_rate(audio_format) if is_raw(audio_format) else None
    )
    fields = {
        "voice": args.voice,
        "language": args.language,
        "audio_format": audio_format,
        "sample_rate": rate,
        "model": args.model,
        "bitrate": args.bitrate,
        "speed": args.speed,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _texts(args: argparse.Namespace, console: Console, audio_format: str) -> Iterator[str]:
    """Give the text in pieces for one stream each, from stdin as its lines arrive."""
    if args.text == ["-"]:
        mailbox = pump(reader_of(console.binary_stdin(), _STDIN_READ), "stdin")
        texts: Iterable[str] = lines_of(mailbox)
    else:
        texts = [" ".join(args.text)]
    if audio_format in _UNJOINABLE:
        yield from _only_one(all_of(texts), audio_format)
        return
    spoken = False
    for text in texts:
        for group in group_sentences(text):
            spoken = True
            yield group
    if not spoken:
        raise UsageError("there is no text to speak")


def _only_one(text: str, audio_format: str) -> list[str]:
    groups = list(group_sentences(text))
    if len(groups) != 1:
        what = (
            "there is no text to speak"
            if not groups
            else (f"so long a text cannot be written as {audio_format}: choose wav, mp3 or aac")
        )
        raise UsageError(what)
    return groups


def _summarize(args: argparse.Namespace, console: Console, written: int) -> None:
    to_file = args.output not in (None, "-")
    if args.json and to_file:
        console.write(json.dumps({"file": args.output, "audio_bytes": written}) + "\n")
    elif to_file:
        console.note(f"wrote {args.output}")
