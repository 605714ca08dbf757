"""Endpoints for usage and concurrency limits (PROTOCOL 5.8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional

from ..problems import bad_request
from ..server.routes import Answer, Request
from ..usage import UsageEntry
from .api import RestApi
from .common import invalid, iso, one, page, whole_number

__all__ = ["add_usage_routes"]

_SORTS = ("end_time_asc", "end_time_desc")
_PERIODS = (60, 3600, 86400)
_MOST_PERIODS = 20_000
_COUNTERS = (
    "num_requests",
    "input_text_tokens",
    "input_audio_tokens",
    "input_audio_duration_ms",
    "output_text_tokens",
    "output_audio_tokens",
    "output_audio_duration_ms",
    "duration_ms",
)
_NOTHING = "0.000000"
_COSTS = ("cost_usd", "input_cost_usd", "output_cost_usd", "duration_cost_usd")


def add_usage_routes(api: RestApi) -> None:
    """Add the endpoints."""
    api.route("GET", "/v1/usage-logs", list_usage)
    api.route("GET", "/v1/usage/summary", summarize)
    api.route("GET", "/v1/concurrency-limits", list_limits)
    api.route("GET", "/v1/concurrent-streams-history", list_history)


@dataclass(frozen=True)
class _Row:
    """Entry with its position in the requested order."""

    number: int
    entry: UsageEntry


def list_usage(api: RestApi, request: Request) -> Answer:
    """Serve `GET /usage-logs`."""
    api.admit(request)
    start, end = _window(request, 31)
    if start < datetime.now(timezone.utc) - timedelta(days=91):
        raise invalid("query.start_time", "start_time is more than 91 days ago.")
    sort = one(request, "sort") or _SORTS[0]
    if sort not in _SORTS:
        raise invalid("query.sort", "Input should be 'end_time_asc' or 'end_time_desc'.")
    entries = api.world.usage.entries(start, end)
    if sort == "end_time_desc":
        newest = entries[-1].number if entries else 0
        rows = [_Row(newest - entry.number + 1, entry) for entry in reversed(entries)]
    else:
        rows = [_Row(entry.number, entry) for entry in entries]
    chosen, cursor = page(request, rows)
    logs = [_body(row.entry) for row in chosen]
    return Answer.json({"usage_logs": logs, "next_page_cursor": cursor})


def _body(entry: UsageEntry) -> dict[str, Any]:
    """Return an entry as JSON; amounts of money are strings, as in the service."""
    given, made = entry.costs()
    return {
        "uuid": entry.uuid,
        "request_scope": "api",
        "client_reference_id": entry.client_reference_id,
        "model": entry.model,
        "start_time": iso(entry.start),
        "end_time": iso(entry.end),
        **entry.counters(),
        "cost_usd": str(given + made),
        "input_cost_usd": str(given),
        "input_text_cost_usd": _NOTHING,
        "input_audio_cost_usd": str(given),
        "output_cost_usd": str(made),
        "output_text_cost_usd": _NOTHING,
        "output_audio_cost_usd": str(made),
    }


def summarize(api: RestApi, request: Request) -> Answer:
    """Serve `GET /usage/summary`."""
    api.admit(request)
    start, end = _window(request, 366)
    # every UTC day that overlaps with the window
    last = (end - timedelta(microseconds=1)).date()
    days = [start.date() + timedelta(days=n) for n in range((last - start.date()).days + 1)]
    midnight = datetime.combine(days[0], time(), timezone.utc)
    entries = api.world.usage.entries(midnight, midnight + timedelta(days=len(days)))
    models = sorted({entry.model for entry in entries})
    return Answer.json(
        {
            "total": _sums(None, days, entries),
            "models": [
                _sums(model, days, [each for each in entries if each.model == model])
                for model in models
            ],
        }
    )


def _sums(model: Optional[str], days: list[date], entries: Iterable[UsageEntry]) -> dict[str, Any]:
    counts: dict[str, list[int]] = {name: [0] * len(days) for name in _COUNTERS}
    costs = {name: [Decimal(_NOTHING)] * len(days) for name in _COSTS}
    for entry in entries:
        at = days.index(entry.end.date())
        given, made = entry.costs()
        costs["input_cost_usd"][at] += given
        costs["output_cost_usd"][at] += made
        costs["cost_usd"][at] += given + made
        numbers = {"num_requests": 1, "duration_ms": entry.input_audio_ms + entry.output_audio_ms}
        for name, value in {**entry.counters(), **numbers}.items():
            counts[name][at] += value
    return {
        "model": model,
        "days": [day.isoformat() for day in days],
        **{f"total_{name}": str(sum(values, Decimal())) for name, values in costs.items()},
        **{name: [str(value) for value in values] for name, values in costs.items()},
        **{f"total_{name}": sum(values) for name, values in counts.items()},
        **counts,
    }


def list_limits(api: RestApi, request: Request) -> Answer:
    """Serve `GET /concurrency-limits`."""
    api.admit(request)
    counts, limits = api.world.traffic.counts, api.world.limits
    scope = {
        "current": {
            "transcribe_concurrent": counts["stt.streams"],
            "tts_concurrent": counts["tts.streams"],
        },
        "limits": {
            "transcribe_concurrent": limits.stt_max_streams,
            "tts_concurrent": limits.tts_max_streams,
        },
    }
    return Answer.json({"project": scope, "organization": scope})


def list_history(api: RestApi, request: Request) -> Answer:
    """Serve `GET /concurrent-streams-history`."""
    api.admit(request)
    kind = one(request, "kind")
    if kind not in ("stt", "tts"):
        raise invalid("query.kind", "Input should be 'stt' or 'tts'.")
    sec = whole_number(one(request, "period_sec"), "query.period_sec", 1, 86400, needed=True)
    if sec not in _PERIODS:
        raise invalid("query.period_sec", "Input should be 60, 3600 or 86400.")
    start, end = _window(request, 7 if sec == 60 else 36600)
    first = -(-int(start.timestamp()) // sec) * sec
    count = max(0, -(-(int(end.timestamp()) - first) // sec))
    if count > _MOST_PERIODS:
        raise bad_request(f"The window has more than {_MOST_PERIODS} entries.")
    entries = [_period(api, kind, first + n * sec, sec) for n in range(count)]
    return Answer.json({"kind": kind, "entries": entries})


def _period(api: RestApi, kind: str, start: int, sec: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(start, timezone.utc)
    peak = api.world.usage.peak(kind, at, sec)
    return {
        "period_start": iso(at),
        "period_sec": sec,
        "sample_min": 0,
        "sample_max": peak,
        "sample_sum": peak,
        "sample_count": 1 if peak else 0,
        "total_count": {60: 1, 3600: 60, 86400: 24}[sec],
    }


def _window(request: Request, most_days: int) -> tuple[datetime, datetime]:
    start, end = _time(request, "start_time"), _time(request, "end_time")
    if start >= end:
        raise invalid("query.end_time", "end_time must be after start_time.")
    if end - start > timedelta(days=most_days):
        raise invalid("query.end_time", f"The window must not exceed {most_days} days.")
    return start, end


def _time(request: Request, name: str) -> datetime:
    text = one(request, name)
    if text is None:
        raise invalid(f"query.{name}", "Field required.")
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
        return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise invalid(f"query.{name}", "Input should be a valid datetime.") from None
