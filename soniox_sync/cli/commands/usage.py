"""Show usage and cost.

  soniox-sync usage
  soniox-sync usage --logs --days 1
  soniox-sync usage --limits

A line for each model of the last 30 days, or with --logs for each request. With --limits,
concurrent streams: their current number and the limit. Audio is in milliseconds, money in US
dollars, times in UTC.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ..console import Console
from ..options import number
from ..services import open_client
from ..tables import Column, write_records, write_table

USAGE = ""
HELP = "show usage and cost"

_LOGS = (
    Column("end_time", "ended"),
    Column("model"),
    Column("input_audio_duration_ms", "in (ms)", right=True),
    Column("output_audio_duration_ms", "out (ms)", right=True),
    Column("cost_usd", "cost ($)", right=True),
    Column("client_reference_id", "reference", spare=True),
)
_SUMS = (
    Column("model"),
    Column("total_num_requests", "requests", right=True),
    Column("total_input_audio_duration_ms", "in (ms)", right=True),
    Column("total_output_audio_duration_ms", "out (ms)", right=True),
    Column("total_cost_usd", "cost ($)", right=True),
)
_LIMITS = (
    Column("of"),
    Column("streams"),
    Column("current", right=True),
    Column("limit", right=True),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--days",
        type=number(int, 1, 365),
        metavar="N",
        help="days to look back, 1 to 365 (default: 30; with --logs 1, at most 31)",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--logs", action="store_true", help="show each request")
    kind.add_argument("--limits", action="store_true", help="show the limits of concurrent streams")


def run(args: argparse.Namespace, console: Console) -> None:
    """Show usage, requests or limits."""
    if args.limits:
        _write_limits(args, console)
        return
    # a minute into the future, for clocks that differ and requests that end just now
    end = datetime.now(timezone.utc) + timedelta(minutes=1)
    start = end - timedelta(days=args.days or (1 if args.logs else 30))
    with open_client(args) as client:
        if args.logs:
            logs = client.usage_logs.list_all(start, end)
            write_records(args, console, logs, _LOGS)
        else:
            summary = client.usage.summary(start, end)
            # the sum has no model; as JSON it stays as the service wrote it
            total = summary.total if args.json else replace(summary.total, model="total")
            write_records(args, console, [*summary.models, total], _SUMS)


def _write_limits(args: argparse.Namespace, console: Console) -> None:
    with open_client(args) as client:
        limits = client.concurrency_limits.get()
    if args.json:
        console.write_json(json.dumps(limits.raw, ensure_ascii=False))
        return
    rows = []
    for name, scope in (("project", limits.project), ("organization", limits.organization)):
        for kind in ("transcribe_concurrent", "tts_concurrent"):
            most = getattr(scope.limits, kind)
            rows.append(
                [
                    name,
                    kind,
                    str(getattr(scope.current, kind)),
                    "unlimited" if most is None else str(most),
                ]
            )
    write_table(console, _LIMITS, rows)
