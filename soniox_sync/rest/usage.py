"""`client.usage`, `client.usage_logs`, `client.concurrency_limits` (PROTOCOL 5.8).

Times are `datetime`s (without a zone: UTC) or ISO 8601 strings. Windows are
`[start_time, end_time)`. Money is `Decimal`, in US dollars.
"""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Optional, Union

from .._support.checks import one_of, wrong_type, wrong_value
from .arguments import page_params
from .http import Api, Call
from .records import (
    Page,
    Record,
    Unreadable,
    all_items,
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

_check_sort = one_of(("end_time_asc", "end_time_desc"))
_check_period = one_of((60, 3600, 86400))
_check_kind = one_of(("stt", "tts"))


@dataclass(frozen=True, repr=False)
class UsageLog(Record):
    """One successful request: input, output and cost.

    `client_reference_id` is `""` if there was none. `request_scope`: `"api"` or `"playground"`.
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


@dataclass(frozen=True, repr=False)
class UsageLogPage(Page[UsageLog]):
    """One page of usage logs; iterate over it, or use `usage_logs`."""

    usage_logs: tuple[UsageLog, ...] = needed(tuple_of(record(UsageLog)))
    next_page_cursor: Optional[str] = optional(text)


_ints = tuple_of(integer)
_moneys = tuple_of(money)


@dataclass(frozen=True, repr=False)
class UsageEntry(Record):
    """Usage of one model by day; `model` is `None` for the total of all models.

    The lists without `total_` have one value for each of `days`, in UTC.
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


@dataclass(frozen=True, repr=False)
class UsageSummary(Record):
    """Usage of a project by day: for all models together, and for each."""

    total: UsageEntry = needed(record(UsageEntry))
    models: tuple[UsageEntry, ...] = optional(tuple_of(record(UsageEntry)), ())


@dataclass(frozen=True, repr=False)
class Concurrency(Record):
    """Numbers of concurrent streams; in limits `None` means no limit."""

    transcribe_concurrent: Optional[int] = optional(integer)
    tts_concurrent: Optional[int] = optional(integer)


@dataclass(frozen=True, repr=False)
class ConcurrencyScope(Record):
    """Current numbers of streams, and their limits."""

    current: Concurrency = needed(record(Concurrency))
    limits: Concurrency = needed(record(Concurrency))


@dataclass(frozen=True, repr=False)
class ConcurrencyLimits(Record):
    """Limits of the project and of the organization; the service checks the latter first."""

    project: ConcurrencyScope = needed(record(ConcurrencyScope))
    organization: ConcurrencyScope = needed(record(ConcurrencyScope))


@dataclass(frozen=True, repr=False)
class ConcurrencyPeriod(Record):
    """One period of the history; `sample_max` is the peak, `sample_min` always 0."""

    period_start: datetime = needed(moment)
    period_sec: int = needed(integer)
    sample_min: int = optional(integer, 0)
    sample_max: int = optional(integer, 0)
    sample_sum: int = optional(integer, 0)
    sample_count: int = optional(integer, 0)
    total_count: int = optional(integer, 0)


@dataclass(frozen=True, repr=False)
class ConcurrencyHistory(Record):
    """History of `kind` (`"stt"`, `"tts"`), one entry per period, without gaps."""

    kind: str = needed(text)
    entries: tuple[ConcurrencyPeriod, ...] = needed(tuple_of(record(ConcurrencyPeriod)))


class UsageApi(Api):
    """Cost and activity by day: `client.usage`. Thread-safe."""

    _name = "usage"

    def summary(self, start_time: Time, end_time: Time) -> UsageSummary:
        """Return cost and activity by day, for at most 366 days in UTC.

        Every day that overlaps with the window is included.

        Raises
            ConfigurationError: no time, or an empty window.
            SonioxHttpError: the call failed.
        """
        params = _window(start_time, end_time)
        return self._http.json(Call("GET", "/usage/summary", params=params), UsageSummary.from_raw)


class UsageLogsApi(Api):
    """Single requests and their cost: `client.usage_logs`. Thread-safe."""

    _name = "usage_logs"

    def list(
        self,
        start_time: Time,
        end_time: Time,
        limit: int = 1000,
        sort: str = "end_time_asc",
        cursor: Optional[str] = None,
    ) -> UsageLogPage:
        """Return one page of at most `limit` (1 to 1000) requests that ended in the window.

        The window is at most 31 days and starts at most 91 days ago. `sort`: `"end_time_asc"` or
        `"end_time_desc"`. Use a `cursor` with the same arguments again.

        Raises
            ConfigurationError: an invalid argument.
            SonioxHttpError: the call failed.
        """
        params = _log_params(start_time, end_time, limit, sort, cursor)
        return self._http.json(Call("GET", "/usage-logs", params=params), UsageLogPage.from_raw)

    def list_all(
        self, start_time: Time, end_time: Time, limit: int = 1000, sort: str = "end_time_asc"
    ) -> Iterator[UsageLog]:
        """Yield all requests that ended in the window, requesting `limit` at a time.

        Raises
            ConfigurationError: as `list()`.
            SonioxHttpError: a call failed.
        """
        _log_params(start_time, end_time, limit, sort)
        return all_items(lambda cursor: self.list(start_time, end_time, limit, sort, cursor))


class ConcurrencyLimitsApi(Api):
    """Numbers and limits of concurrent streams: `client.concurrency_limits`. Thread-safe."""

    _name = "concurrency_limits"

    def get(self) -> ConcurrencyLimits:
        """Return the current numbers of real-time streams, and their limits.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._http.json(Call("GET", "/concurrency-limits"), ConcurrencyLimits.from_raw)

    def history(
        self, start_time: Time, end_time: Time, *, period_sec: int, kind: str
    ) -> ConcurrencyHistory:
        """Return how many streams ran concurrently, by periods of 60, 3600 or 86400 seconds.

        `kind`: `"stt"` or `"tts"`. With periods of 60 s the window is at most 7 days.

        Raises
            ConfigurationError: an invalid period, kind or window.
            SonioxHttpError: the call failed.
        """
        _check_period("period_sec", period_sec)
        _check_kind("kind", kind)
        params = {**_window(start_time, end_time), "period_sec": period_sec, "kind": kind}
        call = Call("GET", "/concurrent-streams-history", params=params)
        return self._http.json(call, ConcurrencyHistory.from_raw)


def _log_params(
    start_time: Time, end_time: Time, limit: int, sort: str, cursor: Optional[str] = None
) -> dict[str, Any]:
    _check_sort("sort", sort)
    return {**_window(start_time, end_time), "sort": sort, **page_params(limit, cursor)}


def _window(start_time: Time, end_time: Time) -> dict[str, Any]:
    start, end = _utc("start_time", start_time), _utc("end_time", end_time)
    if start >= end:
        raise wrong_value("end_time", f"a time later than start_time, {_iso(start)}", _iso(end))
    return {"start_time": _iso(start), "end_time": _iso(end)}


def _utc(name: str, value: Time) -> datetime:
    if isinstance(value, str):
        try:
            at: datetime = moment(value)
        except Unreadable:
            raise wrong_value(name, "a time such as '2026-01-31T12:00:00Z'", value) from None
    elif isinstance(value, datetime):
        at = value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
    else:
        raise wrong_type(name, "a datetime or a str", value)
    try:
        return at.astimezone(timezone.utc)
    except OverflowError:
        raise wrong_value(name, "a time within the years 1 to 9999 of UTC", value) from None


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
