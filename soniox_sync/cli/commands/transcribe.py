"""Convert speech to text in real time.

  soniox-sync transcribe meeting.wav
  soniox-sync transcribe *.wav -o captions/ --format srt
  soniox-sync transcribe talk.mp3 -o talk.html --speakers
  soniox-sync transcribe call.raw --audio-format mulaw --sample-rate 8000
  ffmpeg -i URL -f wav - | soniox-sync transcribe -
  soniox-sync transcribe --mic --translate es

Files are sent in real time, one after the other; data from a pipe is sent as it arrives. For many
files, `soniox-sync jobs submit` is faster. After a lost connection it reconnects, for up to a
minute, and resends the audio whose words were not final yet. Press Ctrl-C once to stop listening
and still get the rest of the transcript, twice to stop at once with what there is. On a terminal,
captions grow in place; in a pipe or a file they are plain lines.

With -o, one input is written to that file, in the format of its ending, and several into that
folder, named after the inputs. An HTML page contains the audio if it is a file of at most 20 MiB,
and otherwise links to it. A file that is missing, or is not audio, does not stop the others: it is
named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
from typing import Any

from ...audio.formats import AUTO_FORMAT, STT_CONTAINERS, is_raw
from ...config import OneWayTranslation
from ..batch import Batch
from ..console import Console, UsageError
from ..contexts import add_context, context_of
from ..inputs import Input, Inputs, expanded
from ..options import add_patience, number, patience_of
from ..outputs import FORMATS
from ..services import has_token_times, open_realtime, warn_missing_engines
from ..targets import ENDINGS, format_of, make_folders, targets_of

USAGE = "FILE... | - | --mic"
MORE = "sources"
HELP = "convert speech to text"
SUPPORTS_GATEWAY = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("sources", nargs="*", metavar="FILE|-", help="audio files; - is stdin")
    parser.add_argument("--mic", action="store_true", help="listen to the microphone instead")
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="write to this file, or into this folder"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="text, srt, vtt, json (one document at the end) or html (a page with the audio); "
        "default: by the ending of -o, else text",
    )
    parser.add_argument(
        "--width",
        type=number(int, 2),
        metavar="N",
        help="longest caption line, with --format srt or vtt (default: 42 columns)",
    )
    parser.add_argument("--translate", metavar="XX", help="translate into this language")
    parser.add_argument("--speakers", action="store_true", help="label the speakers")
    parser.add_argument("--languages", action="store_true", help="label the languages")
    parser.add_argument(
        "--language-hint", action="append", metavar="XX", help="language to expect; repeatable"
    )
    add_context(parser)
    parser.add_argument("--model", metavar="NAME", help="model (default: the current one)")
    parser.add_argument(
        "--pace",
        type=number(float, 0),
        metavar="X",
        help="send X times as fast as real time; 0 is as fast as possible (default: 1 for files, "
        "0 for pipes)",
    )
    parser.add_argument(
        "--no-endpoints", action="store_true", help="do not end a line when the speaker stops"
    )
    parser.add_argument(
        "--no-reconnect",
        dest="reconnect",
        action="store_false",
        help="exit with an error when the connection is lost",
    )
    add_patience(parser)
    audio = parser.add_argument_group("raw audio, without a header")
    audio.add_argument(
        "--audio-format", metavar="NAME", help="sample format, such as pcm_s16le or mulaw"
    )
    audio.add_argument(
        "--sample-rate", type=number(int, 1), metavar="HZ", help="samples per second"
    )
    audio.add_argument(
        "--channels", type=number(int, 1), metavar="N", help="number of channels (default: 1)"
    )


def run(args: argparse.Namespace, console: Console) -> None:
    """Transcribe the inputs."""
    _check_options(args)
    config = {**_config(args), **patience_of(args)}
    inputs = _inputs(args)
    targets = None
    if args.output is not None:
        targets = targets_of(inputs.usable, args.output, ENDINGS[args.format], total=inputs.total)
    reconnect = args.reconnect and has_token_times(args)
    warn_missing_engines(args, console, recognition=True)
    with open_realtime(args) as client:
        if targets is not None:
            make_folders(targets, needed=targets != [args.output])
        Batch(args, console, client, config, reconnect, inputs, targets).run()


def _inputs(args: argparse.Namespace) -> Inputs:
    if args.mic:
        return Inputs([Input("microphone")], [])
    inputs = expanded(args.sources, folders=False, urls=False)
    if inputs.total > 1 and args.output is None and args.format != "text":
        raise UsageError(f"{inputs.total} inputs as {args.format}: add -o FOLDER")
    return inputs


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that exclude each other, and set defaults that depend on others."""
    if args.mic == bool(args.sources):
        raise UsageError("give audio files, - for stdin, or --mic")
    if args.mic and (args.audio_format or args.pace is not None):
        raise UsageError("--mic sets the audio format and the pace: leave these options out")
    if not args.audio_format and (args.sample_rate, args.channels) != (None, None):
        raise UsageError("--sample-rate and --channels need --audio-format, such as pcm_s16le")
    if args.json and args.output is None and args.format not in (None, "text", "json"):
        raise UsageError(f"--json cannot be combined with --format {args.format}: add -o PATH")
    args.format = format_of(args.format, args.output, FORMATS)
    if args.width is not None and args.format not in ("srt", "vtt"):
        raise UsageError("--width needs --format srt or vtt")
    if args.format in ("srt", "vtt") and not has_token_times(args):
        raise UsageError(
            f"the gateway sends no times for {args.model}, so no captions are possible"
        )
    if args.audio_format not in (None, AUTO_FORMAT, *STT_CONTAINERS):
        _check_raw_format(args)


def _check_raw_format(args: argparse.Namespace) -> None:
    if not is_raw(args.audio_format):
        known = ", ".join(sorted(STT_CONTAINERS))
        raise UsageError(
            f"unknown audio format {args.audio_format}: use {known}, or a raw one such as pcm_s16le"
        )
    if args.sample_rate is None:
        raise UsageError(f"{args.audio_format} has no header: add --sample-rate HZ")
    args.channels = 1 if args.channels is None else args.channels


def _config(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "audio_format": args.audio_format,
        "sample_rate": args.sample_rate,
        "num_channels": args.channels,
        "language_hints": args.language_hint,
        "context": context_of(args),
        "model": args.model,
        "enable_speaker_diarization": args.speakers or None,
        "enable_language_identification": args.languages or None,
        # gateway routes without times have no endpoint detection either
        "enable_endpoint_detection": None
        if args.no_endpoints or not has_token_times(args)
        else True,
    }
    if args.translate is not None:
        fields["translation"] = OneWayTranslation(args.translate)
    return {name: value for name, value in fields.items() if value is not None}
