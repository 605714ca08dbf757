"""Turn speech into text while it is heard.

  soniox-sync transcribe meeting.wav
  soniox-sync transcribe --format srt --translate es talk.mp3 > talk.srt
  soniox-sync transcribe call.raw --audio-format mulaw --sample-rate 8000
  ffmpeg -i URL -f wav - | soniox-sync transcribe -
  soniox-sync transcribe --mic

Files are sent as fast as they were spoken, pipes as they come. A lost connection is replaced, and
what was not final yet is heard again. Ctrl-C once stops listening and writes the rest; twice
writes what there is. On a terminal captions grow in place; elsewhere they are plain lines.
"""

from __future__ import annotations

import argparse
from typing import Any

from ...audio.formats import AUTO_FORMAT, STT_CONTAINERS, is_raw
from ..console import Console, UsageError
from ..listening import follow
from ..options import number
from ..outputs import FORMATS, open_outputs
from ..services import open_realtime, tells_times, warn_of_tones
from ..sources import opened_source

HELP = "turn speech into text"
TAKES_GATEWAY = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("source", nargs="?", metavar="FILE|-", help="audio; - is stdin")
    parser.add_argument("--mic", action="store_true", help="listen to the microphone instead")
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="json is one document (%(default)s)"
    )
    parser.add_argument(
        "--width",
        type=number(int, 2),
        metavar="N",
        help="columns of a line in captions, with --format srt or vtt (42)",
    )
    parser.add_argument("--translate", metavar="XX", help="translate into this language")
    parser.add_argument("--speakers", action="store_true", help="tell speakers apart")
    parser.add_argument("--languages", action="store_true", help="name the languages spoken")
    parser.add_argument(
        "--language-hint", action="append", metavar="XX", help="a language to expect; repeatable"
    )
    parser.add_argument("--model", help="the model, if not the default one")
    parser.add_argument(
        "--pace",
        type=number(float, 0),
        metavar="X",
        help="send X times as fast as real time, 0: as fast as possible (files 1, others 0)",
    )
    parser.add_argument(
        "--no-endpoints", action="store_true", help="do not end lines where a speaker pauses"
    )
    parser.add_argument(
        "--no-reconnect",
        dest="reconnect",
        action="store_false",
        help="end with an error when the connection is lost",
    )
    audio = parser.add_argument_group("audio without a header")
    audio.add_argument("--audio-format", metavar="NAME", help="such as pcm_s16le or mulaw")
    audio.add_argument("--sample-rate", type=int, metavar="HZ", help="samples per second")
    audio.add_argument("--channels", type=int, metavar="N", help="1 unless said otherwise")


def run(args: argparse.Namespace, console: Console) -> None:
    """Transcribe one source."""
    _settle(args)
    config = _config(args)
    reconnect = args.reconnect and tells_times(args)
    warn_of_tones(args, console)
    with open_realtime(args) as client, opened_source(args, console) as source:
        with open_outputs(args, console) as outputs:
            follow(console, outputs, source, client, config, reconnect=reconnect)


def _settle(args: argparse.Namespace) -> None:
    """Refuse options that exclude each other, and fill in what follows from them."""
    if args.mic == (args.source is not None):
        raise UsageError("say what to transcribe: a FILE, - for stdin, or --mic")
    if args.mic and (args.audio_format or args.pace is not None):
        raise UsageError("--mic chooses the audio format and the pace by itself")
    if not args.audio_format and (args.sample_rate, args.channels) != (None, None):
        raise UsageError("--sample-rate and --channels need --audio-format, such as pcm_s16le")
    if args.json and args.format in ("srt", "vtt"):
        raise UsageError(f"--json and --format {args.format} exclude each other")
    if args.width is not None and args.format not in ("srt", "vtt"):
        raise UsageError("--width needs --format srt or vtt")
    if args.format in ("srt", "vtt") and not tells_times(args):
        raise UsageError(f"{args.model} of the gateway tells no times to make captions of")
    if args.audio_format not in (None, AUTO_FORMAT, *STT_CONTAINERS):
        _settle_raw(args)


def _settle_raw(args: argparse.Namespace) -> None:
    if not is_raw(args.audio_format):
        known = ", ".join(sorted(STT_CONTAINERS))
        raise UsageError(f"unknown audio format {args.audio_format}: know {known}, pcm_s16le, ...")
    if args.sample_rate is None:
        raise UsageError(f"{args.audio_format} has no header: say its rate with --sample-rate HZ")
    args.channels = 1 if args.channels is None else args.channels


def _config(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "audio_format": args.audio_format,
        "sample_rate": args.sample_rate,
        "num_channels": args.channels,
        "language_hints": args.language_hint,
        "model": args.model,
        "enable_speaker_diarization": args.speakers or None,
        "enable_language_identification": args.languages or None,
        # routes of the gateway that tell no times have no word for endpoints either
        "enable_endpoint_detection": None if args.no_endpoints or not tells_times(args) else True,
    }
    if args.translate:
        fields["translation"] = {"type": "one_way", "target_language": args.translate}
    return {name: value for name, value in fields.items() if value is not None}
