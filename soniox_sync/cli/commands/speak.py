"""Speak a text into a file, into a pipe, or on the loudspeaker.

  soniox-sync speak "Good morning." -o morning.wav
  soniox-sync speak --play --voice Nina "Hello there"
  soniox-sync speak - -o book.mp3 < book.txt
  tail -f news.txt | soniox-sync speak - | soniox-sync transcribe -

Text of any length is spoken, that of stdin while it is still being written. A file appears when it
is whole: Ctrl-C or an error leaves what was there before.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO

from ...audio.formats import default_tts_sample_rate, tts_format_name
from ...audio.playing import Player
from ...audio.wav import save_audio
from ..actions import Progress
from ..console import Console, UsageError
from ..files import written_file
from ..options import number
from ..services import open_realtime, warn_of_tones
from ..texts import text_of

if TYPE_CHECKING:
    from ...speech import Speech

HELP = "turn text into speech"
TAKES_GATEWAY = True

_FORMAT_OF_SUFFIX = {
    "": "wav",
    ".wav": "wav",
    ".mp3": "mp3",
    ".flac": "flac",
    ".aac": "aac",
    ".opus": "opus",
    ".ogg": "opus",
    ".pcm": "pcm_s16le",
    ".raw": "pcm_s16le",
}
_PLAYED = "pcm_s16le"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "text", nargs="+", metavar="TEXT|-", help="what to say; - reads it from stdin"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o", "--output", metavar="FILE", help="write here; - is stdout, as without this"
    )
    where.add_argument("--play", action="store_true", help="play on the loudspeaker")
    parser.add_argument("--voice", default="Adrian", help="a voice's name or id (%(default)s)")
    parser.add_argument("--language", default="en", metavar="XX", help="(%(default)s)")
    parser.add_argument("--model", help="the model, if not the default one")
    parser.add_argument(
        "--audio-format",
        metavar="NAME",
        help="wav, mp3, aac, opus, flac, pcm_s16le, ...; default: by FILE's ending, else wav",
    )
    parser.add_argument("--sample-rate", type=int, metavar="HZ", help="samples per second")
    parser.add_argument("--bitrate", type=int, metavar="BITS", help="per second; of mp3 and such")
    parser.add_argument(
        "--speed", type=number(float, 0.7, 1.3), metavar="X", help="0.7 to 1.3 times as fast"
    )


def run(args: argparse.Namespace, console: Console) -> None:
    """Speak the text."""
    audio_format = _audio_format(args)
    warn_of_tones(args, console)
    facts = _play(args, console) if args.play else _save(args, console, audio_format)
    if args.json:
        console.write_json(json.dumps(facts, ensure_ascii=False))


def _audio_format(args: argparse.Namespace) -> str:
    if args.play:
        if args.audio_format:
            raise UsageError("--play chooses the format by itself: leave --audio-format out")
        return _PLAYED
    if args.json and _is_to_stdout(args):
        raise UsageError("--json goes to stdout, and so does the audio: add -o FILE")
    if args.audio_format:
        return tts_format_name(args.audio_format)
    ending = os.path.splitext(args.output or "")[1].lower()
    if ending not in _FORMAT_OF_SUFFIX:
        raise UsageError(f"what to write into {args.output} is not clear: add --audio-format")
    return _FORMAT_OF_SUFFIX[ending]


def _save(args: argparse.Namespace, console: Console, audio_format: str) -> dict[str, Any]:
    text = text_of(args.text, console)
    fields = _fields(args, audio_format)
    with _target(args, console) as file, open_realtime(args) as client:
        with client.realtime.speak(text, **fields) as speech:
            if _is_to_stdout(args):  # whoever reads that may write to the same terminal
                size = save_audio(speech, file, audio_format)
            else:
                with Progress(console) as progress:
                    size = save_audio(_shown(speech, progress), file, audio_format)
    if not _is_to_stdout(args):
        console.note(f"wrote {args.output}")
    return {"file": args.output, "audio_bytes": size, "audio_sec": speech.metrics.audio_sec}


def _is_to_stdout(args: argparse.Namespace) -> bool:
    return args.output in (None, "-")


def _target(args: argparse.Namespace, console: Console) -> AbstractContextManager[BinaryIO]:
    if _is_to_stdout(args):
        return nullcontext(console.binary_stdout())
    return written_file(args.output)


def _shown(speech: Speech, progress: Progress) -> Iterator[bytes]:
    for chunk in speech:
        seconds = speech.metrics.audio_sec
        if seconds is not None:
            progress.say(f"{seconds:.1f} s of speech")
        yield chunk


def _play(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    rate = args.sample_rate or default_tts_sample_rate(_PLAYED)
    text = text_of(args.text, console)
    # the player first: without an audio library nothing is asked of the service
    with Player(audio_format=_PLAYED, sample_rate=rate) as player, open_realtime(args) as client:
        with client.realtime.speak(text, **_fields(args, _PLAYED)) as speech:
            for chunk in speech:
                player.write(chunk)
            played = player.finish()
    if played.underruns:
        console.note(f"the speech came too slowly {played.underruns} times")
    return {"played_sec": played.audio_sec, "underruns": played.underruns}


def _fields(args: argparse.Namespace, audio_format: str) -> dict[str, Any]:
    """Give what speech is asked for with."""
    fields = {
        "voice": args.voice,
        "language": args.language,
        "audio_format": audio_format,
        "sample_rate": args.sample_rate,
        "model": args.model,
        "bitrate": args.bitrate,
        "speed": args.speed,
    }
    return {name: value for name, value in fields.items() if value is not None}
