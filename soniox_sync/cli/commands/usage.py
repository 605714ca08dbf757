"""Tell what was used and what it cost.

  soniox-sync usage                  a line for each model, last 30 days
  soniox-sync usage --logs --days 1  a line for each request
  soniox-sync usage --limits         how many streams run and may run at once

Audio is told in milliseconds, money in US dollars, times in UTC.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timedelta, timezone

from ..actions import write_records
from ..console import Console
from ..options import number
from ..services import open_client

HELP = "tell what was used and what it cost"

_LOG_FIELDS = (
    "end_time",
    "model",
    "input_audio_duration_ms",
    "output_audio_duration_ms",
    "cost_usd",
    "client_reference_id",
)
_SUM_FIELDS = (
    "model",
    "total_num_requests",
    "total_input_audio_duration_ms",
    "total_output_audio_duration_ms",
    "total_cost_usd",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--days", type=number(int, 1, 365), metavar="N", help="how far back (30, of logs 1)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--logs", action="store_true", help="single requests, at most 31 days")
    kind.add_argument("--limits", action="store_true", help="streams at once, now and at most")


def run(args: argparse.Namespace, console: Console) -> None:
    """Tell it."""
    if args.limits:
        _tell_limits(args, console)
        return
    # a little into the future: what ends while we ask counts, whatever the clocks
    end = datetime.now(timezone.utc) + timedelta(minutes=1)
    start = end - timedelta(days=args.days or (1 if args.logs else 30))
    with open_client(args) as client:
        if args.logs:
            logs = client.usage_logs.list_all(start, end)
            write_records(args, console, logs, _LOG_FIELDS)
        else:
            summary = client.usage.summary(start, end)
            write_records(args, console, [*summary.models, summary.total], _SUM_FIELDS)


def _tell_limits(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        limits = client.concurrency_limits.get()
    if args.json:
        console.write_json(json.dumps(limits.raw, ensure_ascii=False))
        return
    for name, scope in (("project", limits.project), ("organization", limits.organization)):
        for kind in ("transcribe_concurrent", "tts_concurrent"):
            most = getattr(scope.limits, kind)
            now = getattr(scope.current, kind)
            console.write(f"{name}  {kind}  {now} of {'any' if most is None else most}\n")
