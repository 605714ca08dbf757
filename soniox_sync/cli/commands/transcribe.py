"""Turn speech into text while it is heard.

  soniox-sync transcribe meeting.wav
  soniox-sync transcribe --format srt --translate es talk.mp3 > talk.srt
  soniox-sync transcribe call.raw --audio-format mulaw --sample-rate 8000
  soniox-sync transcribe --mic

Ctrl-C once stops listening and writes the rest; twice writes what there is.
"""

from __future__ import annotations

import argparse
from typing import Any, Optional

from ...audio.formats import AUTO_FORMAT, RawAudio, is_raw
from ..console import Console, UsageError
from ..feeds import Feed, file_feed, microphone_feed, stdin_feed
from ..outputs import FORMATS, Outputs, open_outputs
from ..services import open_realtime, transcribe

HELP = "turn speech into text"
TAKES_GATEWAY = True

_MICROPHONE = {"audio_format": "pcm_s16le", "sample_rate": 16_000, "num_channels": 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("source", nargs="?", metavar="FILE|-", help="audio; - is stdin")
    parser.add_argument("--mic", action="store_true", help="listen to the microphone instead")
    parser.add_argument("--format", choices=FORMATS, default="text", help="(%(default)s)")
    parser.add_argument("--translate", metavar="XX", help="translate into this language")
    parser.add_argument("--speakers", action="store_true", help="tell speakers apart")
    parser.add_argument("--languages", action="store_true", help="name the languages spoken")
    parser.add_argument(
        "--language-hint", action="append", metavar="XX", help="a language to expect; repeatable"
    )
    parser.add_argument("--model", help="the model, if not the default one")
    audio = parser.add_argument_group("audio without a header")
    audio.add_argument("--audio-format", metavar="NAME", help="such as pcm_s16le or mulaw")
    audio.add_argument("--sample-rate", type=int, metavar="HZ")
    audio.add_argument("--channels", type=int, metavar="N", help="1 unless said otherwise")
    parser.add_argument(
        "--pace",
        type=_pace,
        default=1.0,
        metavar="X",
        help="send X times as fast as real time; 0 does not hold back (%(default)s)",
    )
    parser.add_argument(
        "--no-endpoints", action="store_true", help="do not end lines where a speaker pauses"
    )


def run(args: argparse.Namespace, console: Console) -> None:
    """Transcribe one source."""
    _check_source(args)
    config = _config(args)
    with _open_feed(args, console, config) as feed, open_outputs(args, console) as outputs:
        with open_realtime(args) as client:
            follow(console, outputs, feed, client, config)


def follow(
    console: Console, outputs: Outputs, feed: Feed, client: Any, config: dict[str, Any]
) -> None:
    """Transcribe a feed into the outputs; Ctrl-C ends the feed.

    Raises what the feed failed with, after what it gave before was transcribed.
    """
    with console.interrupts.graceful(feed.stop):
        for event in transcribe(client, feed, **config):
            outputs.take(event)
    outputs.complete()
    feed.check()


def _check_source(args: argparse.Namespace) -> None:
    if args.mic == (args.source is not None):
        raise UsageError("say what to transcribe: a FILE, - for stdin, or --mic")
    if args.mic and args.audio_format:
        raise UsageError("--mic chooses the audio format by itself")
    if not args.audio_format and (args.sample_rate or args.channels):
        raise UsageError("--sample-rate and --channels need --audio-format, such as pcm_s16le")


def _config(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = dict(_MICROPHONE) if args.mic else _audio_fields(args)
    fields["language_hints"] = args.language_hint
    fields["model"] = args.model
    fields["enable_speaker_diarization"] = args.speakers or None
    fields["enable_language_identification"] = args.languages or None
    fields["enable_endpoint_detection"] = None if args.no_endpoints else True
    if args.translate:
        fields["translation"] = {"type": "one_way", "target_language": args.translate}
    return {name: value for name, value in fields.items() if value is not None}


def _audio_fields(args: argparse.Namespace) -> dict[str, Any]:
    audio_format = args.audio_format or AUTO_FORMAT
    channels = args.channels
    if is_raw(audio_format):
        if args.sample_rate is None:
            raise UsageError(f"{audio_format} has no header: say its rate with --sample-rate HZ")
        channels = channels or 1
    return {
        "audio_format": audio_format,
        "sample_rate": args.sample_rate,
        "num_channels": channels,
    }


def _open_feed(args: argparse.Namespace, console: Console, config: dict[str, Any]) -> Feed:
    raw: Optional[RawAudio] = None
    if is_raw(config["audio_format"]):
        raw = RawAudio(config["audio_format"], config["sample_rate"], config["num_channels"])
    if raw is not None and args.mic:
        return microphone_feed(raw)
    if args.source == "-":
        return stdin_feed(console.binary_stdin(), raw, args.pace)
    return file_feed(args.source, raw, args.pace)


def _pace(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value
