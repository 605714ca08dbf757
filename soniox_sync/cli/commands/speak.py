"""Convert text to speech, into a file, a pipe or the loudspeaker.

  soniox-sync speak "Good morning." -o morning.wav
  soniox-sync speak --play --voice Nina "Hello there"
  soniox-sync speak - -o book.mp3 < book.txt
  tail -f news.txt | soniox-sync speak - | soniox-sync transcribe -

The text may be of any length; stdin is spoken as it arrives. An output file appears once it is
complete: after Ctrl-C or an error, an existing file is unchanged.
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
from ...audio.saving import save_audio
from ..console import Console, UsageError
from ..files import output_file
from ..logs import outages_shown
from ..options import add_patience, number, patience_of
from ..progress import Progress
from ..services import open_realtime, warn_missing_engines
from ..texts import text_of

if TYPE_CHECKING:
    from ...realtime.speech import Speech

USAGE = "TEXT... | -"
MORE = "text"
HELP = "convert text to speech"
SUPPORTS_GATEWAY = True

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
# What `--play` requests from the service and plays.
_PLAYED_FORMAT = "pcm_s16le"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "text", nargs="+", metavar="TEXT|-", help="text to speak; - reads it from stdin"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o", "--output", metavar="FILE", help="output file; - is stdout (the default)"
    )
    where.add_argument("--play", action="store_true", help="play on the loudspeaker")
    parser.add_argument(
        "--voice",
        default="Adrian",
        metavar="NAME",
        help="name or id of the voice (default: %(default)s)",
    )
    parser.add_argument(
        "--language", default="en", metavar="XX", help="language of the text (default: %(default)s)"
    )
    parser.add_argument("--model", metavar="NAME", help="model (default: the current one)")
    parser.add_argument(
        "--audio-format",
        metavar="NAME",
        help="wav, mp3, aac, opus, flac, pcm_s16le, ... (default: by FILE's extension, else wav)",
    )
    parser.add_argument(
        "--sample-rate", type=number(int, 1), metavar="HZ", help="samples per second"
    )
    parser.add_argument(
        "--bitrate",
        type=number(int, 1),
        metavar="BITS",
        help="bits per second, for compressed formats such as mp3",
    )
    parser.add_argument(
        "--speed",
        type=number(float, 0.7, 1.3),
        metavar="X",
        help="speaking rate, 0.7 to 1.3 (default: 1)",
    )
    add_patience(parser)


def run(args: argparse.Namespace, console: Console) -> None:
    """Speak the text."""
    if args.output == "":
        raise UsageError("-o needs the name of a file")
    audio_format = _audio_format(args)
    warn_missing_engines(args, console, speech=True)
    summary = _play(args, console) if args.play else _save(args, console, audio_format)
    if args.json:
        console.write_json(json.dumps(summary, ensure_ascii=False))


def _audio_format(args: argparse.Namespace) -> str:
    if args.play:
        if args.audio_format:
            raise UsageError("--play sets the audio format: leave out --audio-format")
        return _PLAYED_FORMAT
    if args.json and _is_to_stdout(args):
        raise UsageError("--json and the audio would both go to stdout: add -o FILE")
    if args.audio_format:
        return tts_format_name(args.audio_format)
    suffix = os.path.splitext(args.output or "")[1].lower()
    if suffix not in _FORMAT_OF_SUFFIX:
        raise UsageError(f"cannot tell the audio format of {args.output}: add --audio-format")
    return _FORMAT_OF_SUFFIX[suffix]


def _save(args: argparse.Namespace, console: Console, audio_format: str) -> dict[str, Any]:
    text = text_of(args.text, console)
    fields = _fields(args, audio_format)
    with _target(args, console) as file, open_realtime(args) as client, outages_shown(console):
        with client.realtime.speak(text, **fields) as speech:
            if _is_to_stdout(args):  # no progress: the pipe's reader may use the same terminal
                size = save_audio(speech, file, audio_format)
            else:
                with Progress(console) as progress:
                    chunks = _with_progress(speech, progress)
                    size = save_audio(chunks, file, audio_format)
    if not _is_to_stdout(args):
        console.note(f"wrote {args.output}")
    return {"file": args.output, "audio_bytes": size, "audio_sec": speech.metrics.audio_sec}


def _is_to_stdout(args: argparse.Namespace) -> bool:
    return args.output in (None, "-")


def _target(args: argparse.Namespace, console: Console) -> AbstractContextManager[BinaryIO]:
    if _is_to_stdout(args):
        return nullcontext(console.binary_stdout())
    return output_file(args.output)


def _with_progress(speech: Speech, progress: Progress) -> Iterator[bytes]:
    for chunk in speech:
        seconds = speech.metrics.audio_sec
        if seconds is not None:
            progress.set_text(f"{seconds:.1f} s of speech")
        yield chunk


def _play(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    rate = args.sample_rate or default_tts_sample_rate(_PLAYED_FORMAT)
    text = text_of(args.text, console)
    # the player first: if there is no audio library, nothing is requested from the service
    player = Player(audio_format=_PLAYED_FORMAT, sample_rate=rate)
    with player, open_realtime(args) as client, outages_shown(console):
        with client.realtime.speak(text, **_fields(args, _PLAYED_FORMAT)) as speech:
            for chunk in speech:
                player.write(chunk)
            played = player.finish()
    if played.underruns:
        console.note(f"playback ran out of audio {played.underruns} times")
    return {"played_sec": played.audio_sec, "underruns": played.underruns}


def _fields(args: argparse.Namespace, audio_format: str) -> dict[str, Any]:
    """Return the fields of the speech request that were given."""
    fields = {
        "voice": args.voice,
        "language": args.language,
        "audio_format": audio_format,
        "sample_rate": args.sample_rate,
        "model": args.model,
        "bitrate": args.bitrate,
        "speed": args.speed,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return {**given, **patience_of(args)}
