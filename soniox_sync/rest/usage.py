"""`client.usage`, `client.usage_logs`, `client.concurrency_limits` (PROTOCOL 5.8).

Times are `datetime`s, those without a zone taken as UTC, or ISO 8601 strings. Windows are
`[start_time, end_time)`. Money is `Decimal`, in US dollars.
"""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Optional, Union

from ..config import MAX_LIST_LIMIT
from ..errors import ConfigurationError, InputTypeError
from .http import Call, Http
from .records import (
    Page,
    Record,
    Unreadable,
    all_items,
    check_limit,
    day,
    integer,
    moment,
    money,
    needed,
    optional,
    record,
    text,
    tuple_of,
)

Time = Union[str, datetime]

_SORTS = ("end_time_asc", "end_time_desc")
_PERIODS = (60, 3600, 86400)
_KINDS = ("stt", "tts")


@dataclass(frozen=True)
class UsageLog(Record):
    """Is one successful request: what went in, what came out, what it cost.

    `client_reference_id` is `""` when there was none. `request_scope`: `"api"` or `"playground"`.
    """

    uuid: str = needed(text)
    request_scope: str = needed(text)
    client_reference_id: str = needed(text)
    model: str = needed(text)
    start_time: datetime = needed(moment)
    end_time: datetime = needed(moment)
    cost_usd: Decimal = needed(money)
    input_text_tokens: int = optional(integer, 0)
    input_audio_tokens: int = optional(integer, 0)
    input_audio_duration_ms: int = optional(integer, 0)
    output_text_tokens: int = optional(integer, 0)
    output_audio_tokens: int = optional(integer, 0)
    output_audio_duration_ms: int = optional(integer, 0)
    input_cost_usd: Decimal = optional(money, Decimal(0))
    input_text_cost_usd: Decimal = optional(money, Decimal(0))
    input_audio_cost_usd: Decimal = optional(money, Decimal(0))
    output_cost_usd: Decimal = optional(money, Decimal(0))
    output_text_cost_usd: Decimal = optional(money, Decimal(0))
    output_audio_cost_usd: Decimal = optional(money, Decimal(0))


@dataclass(frozen=True)
class UsageLogPage(Page):
    """Is one page of usage logs; iterate it, or look at `usage_logs`."""

    usage_logs: tuple[UsageLog, ...] = needed(tuple_of(record(UsageLog)))
    next_page_cursor: Optional[str] = optional(text)


_ints = tuple_of(integer)
_moneys = tuple_of(money)


@dataclass(frozen=True)
class UsageEntry(Record):
    """Is the usage of one model by day; `model` is `None` in the total of all.

    The lists without `total_` have one value for each of `days`, UTC.
    """

    days: tuple[date, ...] = needed(tuple_of(day))
    total_cost_usd: Decimal = needed(money)
    model: Optional[str] = optional(text)
    total_input_cost_usd: Decimal = optional(money, Decimal(0))
    total_output_cost_usd: Decimal = optional(money, Decimal(0))
    total_duration_cost_usd: Decimal = optional(money, Decimal(0))
    cost_usd: tuple[Decimal, ...] = optional(_moneys, ())
    input_cost_usd: tuple[Decimal, ...] = optional(_moneys, ())
    output_cost_usd: tuple[Decimal, ...] = optional(_moneys, ())
    duration_cost_usd: tuple[Decimal, ...] = optional(_moneys, ())
    total_num_requests: int = optional(integer, 0)
    total_input_text_tokens: int = optional(integer, 0)
    total_input_audio_tokens: int = optional(integer, 0)
    total_input_audio_duration_ms: int = optional(integer, 0)
    total_output_text_tokens: int = optional(integer, 0)
    total_output_audio_tokens: int = optional(integer, 0)
    total_output_audio_duration_ms: int = optional(integer, 0)
    total_duration_ms: int = optional(integer, 0)
    num_requests: tuple[int, ...] = optional(_ints, ())
    input_text_tokens: tuple[int, ...] = optional(_ints, ())
    input_audio_tokens: tuple[int, ...] = optional(_ints, ())
    input_audio_duration_ms: tuple[int, ...] = optional(_ints, ())
    output_text_tokens: tuple[int, ...] = optional(_ints, ())
    output_audio_tokens: tuple[int, ...] = optional(_ints, ())
    output_audio_duration_ms: tuple[int, ...] = optional(_ints, ())
    duration_ms: tuple[int, ...] = optional(_ints, ())


@dataclass(frozen=True)
class UsageSummary(Record):
    """Is the usage of a project by day: of all models together, and of each."""

    total: UsageEntry = needed(record(UsageEntry))
    models: tuple[UsageEntry, ...] = optional(tuple_of(record(UsageEntry)), ())


@dataclass(frozen=True)
class Concurrency(Record):
    """Holds numbers of streams at once; of limits, `None` means none."""

    transcribe_concurrent: Optional[int] = optional(integer)
    tts_concurrent: Optional[int] = optional(integer)


@dataclass(frozen=True)
class ConcurrencyScope(Record):
    """Says how many streams run now, and how many may."""

    current: Concurrency = needed(record(Concurrency))
    limits: Concurrency = needed(record(Concurrency))


@dataclass(frozen=True)
class ConcurrencyLimits(Record):
    """Holds the limits of the project and of the organization, which is checked first."""

    project: ConcurrencyScope = needed(record(ConcurrencyScope))
    organization: ConcurrencyScope = needed(record(ConcurrencyScope))


@dataclass(frozen=True)
class ConcurrencyPeriod(Record):
    """Is one period of the history; `sample_max` is the peak, `sample_min` always 0."""

    period_start: datetime = needed(moment)
    period_sec: int = needed(integer)
    sample_min: int = optional(integer, 0)
    sample_max: int = optional(integer, 0)
    sample_sum: int = optional(integer, 0)
    sample_count: int = optional(integer, 0)
    total_count: int = optional(integer, 0)


@dataclass(frozen=True)
class ConcurrencyHistory(Record):
    """Is the history of `kind` (`"stt"`, `"tts"`), one entry per period, without gaps."""

    kind: str = needed(text)
    entries: tuple[ConcurrencyPeriod, ...] = needed(tuple_of(record(ConcurrencyPeriod)))


class UsageApi:
    """Is `client.usage`. Thread-safe."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def summary(self, start_time: Time, end_time: Time) -> UsageSummary:
        """Give cost and activity by day, over at most 366 days of UTC.

        A day counts when the window covers any part of it. Raises a `SonioxHttpError`.
        """
        params = _window(start_time, end_time)
        return self._http.json(Call("GET", "/usage/summary", params=params), UsageSummary.from_raw)


class UsageLogsApi:
    """Is `client.usage_logs`. Thread-safe."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(
        self,
        start_time: Time,
        end_time: Time,
        limit: int = 1000,
        sort: str = "end_time_asc",
        cursor: Optional[str] = None,
    ) -> UsageLogPage:
        """Give one page of at most `limit` (1 to 1000) requests that ended in the window.

        The window is at most 31 days and begins at most 91 days ago. `sort`: `"end_time_asc"` or
        `"end_time_desc"`. A `cursor` needs the same arguments again. Raises a `SonioxHttpError`,
        `ConfigurationError` for an argument that is not one of these.
        """
        if sort not in _SORTS:
            raise ConfigurationError(f"sort must be one of {', '.join(map(repr, _SORTS))}")
        params = {
            **_window(start_time, end_time),
            "limit": check_limit(limit, MAX_LIST_LIMIT),
            "sort": sort,
            "cursor": cursor,
        }
        return self._http.json(Call("GET", "/usage-logs", params=params), UsageLogPage.from_raw)

    def list_all(
        self, start_time: Time, end_time: Time, limit: int = 1000, sort: str = "end_time_asc"
    ) -> Iterator[UsageLog]:
        """Yield all requests that ended in the window, asking for `limit` at a time."""
        return all_items(lambda cursor: self.list(start_time, end_time, limit, sort, cursor))


class ConcurrencyLimitsApi:
    """Is `client.concurrency_limits`. Thread-safe."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self) -> ConcurrencyLimits:
        """Tell how many real-time streams run now, and how many may. Raises a `SonioxHttpError`."""
        return self._http.json(Call("GET", "/concurrency-limits"), ConcurrencyLimits.from_raw)

    def history(
        self, start_time: Time, end_time: Time, *, period_sec: int, kind: str
    ) -> ConcurrencyHistory:
        """Tell how many streams ran at once, by periods of 60, 3600 or 86400 seconds.

        `kind`: `"stt"` or `"tts"`. Periods of 60 s reach over at most 7 days. Raises a
        `SonioxHttpError`, `ConfigurationError` for another period or kind.
        """
        if period_sec not in _PERIODS:
            raise ConfigurationError(f"period_sec must be one of {_PERIODS}")
        if kind not in _KINDS:
            raise ConfigurationError("kind must be 'stt' or 'tts'")
        params = {**_window(start_time, end_time), "period_sec": period_sec, "kind": kind}
        call = Call("GET", "/concurrent-streams-history", params=params)
        return self._http.json(call, ConcurrencyHistory.from_raw)


def _window(start_time: Time, end_time: Time) -> dict[str, Any]:
    start, end = _utc("start_time", start_time), _utc("end_time", end_time)
    if start >= end:
        raise ConfigurationError("end_time must be later than start_time")
    return {"start_time": _iso(start), "end_time": _iso(end)}


def _utc(name: str, value: Time) -> datetime:
    if isinstance(value, str):
        try:
            at: datetime = moment(value)
        except Unreadable as error:
            raise ConfigurationError(f"{name}: {error}") from None
    elif isinstance(value, datetime):
        at = value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
    else:
        raise InputTypeError(f"{name} must be a datetime or a str, not {type(value).__name__}")
    return at.astimezone(timezone.utc)


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
