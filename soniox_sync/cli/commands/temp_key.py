"""Make a temporary key, for a browser or a device that must not hold yours.

  soniox-sync temp-key stt --expires 60 --single-use
  soniox-sync temp-key tts --max-session 600 --reference user-17

The key, and nothing else, is written to stdout.
"""

from __future__ import annotations

import argparse
import json

from ..console import Console
from ..options import number
from ..services import open_client

HELP = "make a temporary key"

_USAGES = {"stt": "transcribe_websocket", "tts": "tts_rt"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("usage", choices=tuple(_USAGES), help="to transcribe, or to speak")
    parser.add_argument(
        "--expires",
        type=number(int, 1, 3600),
        default=300,
        metavar="SEC",
        help="how long it can be used, 1 to 3600 (%(default)s)",
    )
    parser.add_argument("--single-use", action="store_true", help="good for one stream only")
    parser.add_argument(
        "--max-session",
        type=number(int, 1, 18_000),
        metavar="SEC",
        help="how long a stream may last, 1 to 18000",
    )
    parser.add_argument("--reference", metavar="TEXT", help="a reference of your own")


def run(args: argparse.Namespace, console: Console) -> None:
    """Make it."""
    with open_client(args) as client:
        key = client.auth.create_temporary_api_key(
            usage_type=_USAGES[args.usage],
            expires_in_seconds=args.expires,
            single_use=args.single_use or None,
            max_session_duration_seconds=args.max_session,
            client_reference_id=args.reference,
        )
    console.note(f"good until {key.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    if args.json:
        console.write_json(json.dumps(key.raw, ensure_ascii=False))
    else:
        console.write(f"{key.api_key}\n")
