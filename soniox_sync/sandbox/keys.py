"""Which keys a sandbox accepts, what they may do, and what an account may do at once."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional, Union

from ..errors import ConfigurationError
from .limits import Limits
from .log import TrafficLog
from .problems import Problem, bad_request

__all__ = ["Accounts", "ApiKeys", "KeyRing", "KeyRule"]

# keys that nobody can have come by: wrong ones, and temporary ones not made here or long ended
_UNKNOWN = ("invalid", "snx_temp_")
# the usage_type of each service (PROTOCOL 1.5)
_USAGE = {"stt": "transcribe_websocket", "tts": "tts_rt", "rest": "rest"}
# how the service words its 429s (PROTOCOL 3.7)
_SPOKEN = {"stt": "speech-to-text", "tts": "text-to-speech", "rest": "REST"}


@dataclasses.dataclass
class KeyRule:
    """Says what one key may do. All fields optional; the default is a key with every right.

    `usage_type` (`"transcribe_websocket"`, `"tts_rt"`) makes it a temporary key for one service;
    `permissions` names the services (`"stt"`, `"tts"`, `"rest"`) a regular key may use;
    `error_type` refuses every request with this slug, such as
    `"organization_balance_exhausted"`; `expires_in_sec` counts from the sandbox's creation.
    """

    usage_type: Optional[str] = None
    single_use: bool = False
    expires_in_sec: Optional[float] = None
    max_session_duration_sec: Optional[float] = None
    permissions: Optional[Iterable[str]] = None
    error_type: Optional[str] = None
    client_reference_id: Optional[str] = None
    created: float = dataclasses.field(default_factory=time.monotonic)
    used: bool = False

    @property
    def expired(self) -> bool:
        """Tell whether no new stream may be opened any more."""
        return (
            self.expires_in_sec is not None
            and time.monotonic() - self.created >= self.expires_in_sec
        )


ApiKeys = Optional[Union[str, Iterable[str], Mapping[str, Union[KeyRule, Mapping[str, Any], None]]]]


class KeyRing:
    """Knows the keys.

    With `None`: every non-empty key that does not start with `invalid`, and of temporary keys
    (`snx_temp_`) those made here.
    """

    def __init__(self, api_keys: ApiKeys = None) -> None:
        # Guards _rules and the `used` of each. Leaf.
        self._lock = threading.Lock()
        self._open = api_keys is None
        self._rules: dict[str, KeyRule] = {}
        if isinstance(api_keys, str):
            api_keys = [api_keys]
        if isinstance(api_keys, Mapping):
            self._rules = {key: _rule(value) for key, value in api_keys.items()}
        elif api_keys is not None:
            self._rules = {key: KeyRule() for key in api_keys}
        self._first = next(iter(self._rules), "sandbox-key")

    @property
    def any_key(self) -> str:
        """Give a key that is accepted: the first one given, else a made-up one."""
        return self._first

    def add(self, key: str, rule: KeyRule) -> None:
        """Accept one more key, such as a temporary one."""
        with self._lock:
            # those that ended are forgotten here, so that a long run does not fill the memory
            self._rules = {k: r for k, r in self._rules.items() if not (r.usage_type and r.expired)}
            self._rules[key] = rule

    def check(self, key: Optional[str], service: str) -> KeyRule:
        """Find the rule of a key that may use `service` (`"stt"`, `"tts"`, `"rest"`).

        Raises `Problem`: 401 for a missing, unknown, expired, used-up or foreign key, 403
        without the permission, else the rule's own error.
        """
        if not isinstance(key, (str, type(None))):  # it came in a message
            raise bad_request("API key must be a string.")
        with self._lock:
            rule = self._rules.get(key or "")
            if rule is None and self._open and key and not key.startswith(_UNKNOWN):
                rule = self._rules[key] = KeyRule()
        return self._judge(rule, key, service)

    def _judge(self, rule: Optional[KeyRule], key: Optional[str], service: str) -> KeyRule:
        if not key:
            raise Problem("unauthenticated", "Missing API key.")
        if rule is None:
            raise Problem("unauthenticated", "Incorrect API key provided.")
        if rule.expired or (rule.single_use and rule.used):
            raise Problem("unauthenticated", "The temporary API key is expired or was used.")
        if rule.usage_type is not None and rule.usage_type != _USAGE[service]:
            raise Problem("unauthenticated", "The temporary API key is not for this service.")
        if rule.permissions is not None and service not in set(rule.permissions):
            raise Problem("permission_denied", "The API key has no permission for this.")
        return rule

    def use(self, rule: KeyRule) -> None:
        """Count one new stream for a key.

        Raises `Problem`: 401 when it was the second of a single-use key or came too late, or the
        rule's own error (a budget, say, shows with the first request: PROTOCOL 3.7).
        """
        with self._lock:
            if rule.expired or (rule.single_use and rule.used):
                raise Problem("unauthenticated", "The temporary API key is expired or was used.")
            rule.used = True
        if rule.error_type is not None:
            raise Problem(rule.error_type, f"Refused by the sandbox: {rule.error_type}.")


def _rule(value: Union[KeyRule, Mapping[str, Any], None]) -> KeyRule:
    if isinstance(value, KeyRule):
        return value
    options = dict(value or {})
    options.setdefault(
        "max_session_duration_sec", options.pop("max_session_duration_seconds", None)
    )
    options.setdefault("expires_in_sec", options.pop("expires_in_seconds", None))
    try:
        return KeyRule(**options)
    except TypeError as error:
        raise ConfigurationError(f"unknown property of a sandbox key: {error}") from error


def check_single_place(header: Optional[str], message: Optional[str]) -> None:
    """Refuse a key that came twice and differs (PROTOCOL 1.3)."""
    if header is not None and message is not None and header != message:
        raise bad_request("API key in the message differs from the one of the connection.")


class Accounts:
    """Counts requests per minute, streams and connections, and refuses what is too much.

    Thread-safe. Every successful `begin_*` is undone by calling what it returned, once.
    """

    def __init__(self, limits: Limits, traffic: TrafficLog) -> None:
        self._limits = limits
        self._traffic = traffic
        # Guards the counters. Leaf.
        self._lock = threading.Lock()
        self._active: collections.Counter[str] = collections.Counter()
        self._recent: dict[str, collections.deque[float]] = collections.defaultdict(
            collections.deque
        )

    def begin_connection(self, kind: str) -> tuple[Callable[[], None], Optional[Problem]]:
        """Count an open WebSocket; the problem, if any, is to be told over it."""
        problem = None
        limit = getattr(self._limits, f"{kind}_max_connections", None)
        with self._lock:
            self._active[f"{kind}.connections"] += 1
            if limit is not None and self._active[f"{kind}.connections"] > limit:
                problem = Problem(
                    "max_concurrent_connections_reached",
                    "Too many open connections for your organization.",
                )
        self._traffic.count(f"{kind}.connections", 1)
        return self._ender(f"{kind}.connections"), problem

    def begin_stream(self, kind: str) -> Callable[[], None]:
        """Count a stream (or a `POST /tts`). Raises `Problem` 429 when it is one too many."""
        with self._lock:
            self._check_rate(kind)
            limit = getattr(self._limits, f"{kind}_max_streams", None)
            if limit is not None and self._active[f"{kind}.streams"] >= limit:
                raise _too_much("Concurrent requests", kind)
            self._active[f"{kind}.streams"] += 1
        self._traffic.count(f"{kind}.streams", 1)
        return self._ender(f"{kind}.streams")

    def count_request(self, kind: str) -> None:
        """Count a request that is no stream. Raises `Problem` 429 when it is one too many."""
        with self._lock:
            self._check_rate(kind)

    def _check_rate(self, kind: str) -> None:
        limit = getattr(self._limits, f"{kind}_requests_per_minute", None)
        if limit is None:
            return
        recent, now = self._recent[kind], time.monotonic()
        while recent and recent[0] <= now - 60 * self._limits.time_scale:
            recent.popleft()
        if len(recent) >= limit:
            raise _too_much("Requests per minute", kind)
        recent.append(now)

    def _ender(self, name: str) -> Callable[[], None]:
        done = threading.Event()

        def end() -> None:
            with self._lock:
                if done.is_set():
                    return
                done.set()
                self._active[name] -= 1
            self._traffic.count(name, -1)

        return end


def _too_much(what: str, kind: str) -> Problem:
    return Problem(
        "limit_exceeded",
        f"{what} limit for {_SPOKEN[kind]} has been exceeded for your organization.",
    )
