"""Create a temporary API key, for a browser or a device that must not hold your own.

  soniox-sync temp-key stt --expires 60 --single-use
  soniox-sync temp-key tts --max-session 600 --reference user-17

Only the key is written to stdout.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from ...config.constants import Usage
from ..console import Console
from ..options import number
from ..services import open_client

USAGE = "stt | tts"
HELP = "create a temporary API key"

_USAGES: Mapping[str, Usage] = {"stt": "transcribe_websocket", "tts": "tts_rt"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "usage",
        choices=tuple(_USAGES),
        metavar=f"{{{','.join(_USAGES)}}}",
        help="speech to text, or text to speech",
    )
    parser.add_argument(
        "--expires",
        type=number(int, 1, 3600),
        default=300,
        metavar="SEC",
        help="lifetime of the key in seconds, 1 to 3600 (default: %(default)s)",
    )
    parser.add_argument("--single-use", action="store_true", help="valid for one use only")
    parser.add_argument(
        "--max-session",
        type=number(int, 1, 18_000),
        metavar="SEC",
        help="longest session with the key in seconds, 1 to 18000",
    )
    parser.add_argument("--reference", metavar="TEXT", help="your own reference for the key")


def run(args: argparse.Namespace, console: Console) -> None:
    """Create the key and write it."""
    with open_client(args) as client:
        key = client.auth.create_temporary_api_key(
            usage_type=_USAGES[args.usage],
            expires_in_seconds=args.expires,
            single_use=args.single_use or None,
            max_session_duration_seconds=args.max_session,
            client_reference_id=args.reference,
        )
    console.note(f"expires at {key.expires_at:%Y-%m-%d %H:%M:%S} UTC")
    if args.json:
        console.write_json(json.dumps(key.raw, ensure_ascii=False))
    else:
        console.write(f"{key.api_key}\n")
