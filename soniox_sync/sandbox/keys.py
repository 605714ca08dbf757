"""Keys that a sandbox accepts, and what each may do."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from .._support import checks as _checks
from .._support.locks import new_lock
from .problems import Problem, bad_request

__all__ = ["AcceptedKey", "ApiKeys", "KeyRing", "KeyRule"]

# refused even without `api_keys`: invalid keys, and temporary ones that the sandbox did not create
_REFUSED_PREFIXES = ("invalid", "snx_temp_")
# service -> usage_type of its temporary keys (PROTOCOL 1.5); there is none for REST
_USAGE_TYPES = {"stt": "transcribe_websocket", "tts": "tts_rt"}
_SERVICES = ("stt", "tts", "rest")
_RULE_CHECKS = {
    "usage_type": _checks.one_of(tuple(_USAGE_TYPES.values())),
    "single_use": _checks.boolean,
    "expires_in_sec": _checks.seconds,
    "max_session_duration_sec": _checks.seconds,
    "error_type": _checks.text(),
    "client_reference_id": _checks.text(empty=True),
}


@dataclasses.dataclass
class KeyRule:
    """Rules for one key. Every field is optional; by default the key may do everything.

    Raises
        ConfigurationError: a value that does not exist or is out of range.
        InputTypeError: a value of the wrong type.
    """

    usage_type: Optional[str] = None
    """Makes it a temporary key for one service: `"transcribe_websocket"` or `"tts_rt"`."""
    single_use: bool = False
    """Whether it is valid for one stream only."""
    expires_in_sec: Optional[float] = None
    """Seconds for which it is valid, from the creation of the sandbox; `None`: always."""
    max_session_duration_sec: Optional[float] = None
    """Seconds after which a connection that uses it is ended; `None`: never."""
    permissions: Optional[Iterable[str]] = None
    """Services that it may use: `"stt"`, `"tts"`, `"rest"`; `None`: all."""
    error_type: Optional[str] = None
    """Fails its requests with this error, such as `"organization_balance_exhausted"`."""
    client_reference_id: Optional[str] = None
    """Overrides the id in a request."""

    def __post_init__(self) -> None:
        _checks.run_checks(vars(self), _RULE_CHECKS)
        if self.permissions is not None:
            if isinstance(self.permissions, str) or not isinstance(self.permissions, Iterable):
                raise _checks.wrong_type("permissions", "a list of services", self.permissions)
            self.permissions = list(self.permissions)
            for service in self.permissions:
                _checks.one_of(_SERVICES)("permissions", service)


ApiKeys = Optional[Union[str, Iterable[str], Mapping[str, Union[KeyRule, Mapping[str, Any], None]]]]


class AcceptedKey:
    """Key that this sandbox accepts: its rule and its state."""

    def __init__(self, rule: KeyRule) -> None:
        self.rule = rule
        self.used = False
        self._created = time.monotonic()

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        limit = self.rule.expires_in_sec
        return limit is not None and time.monotonic() - self._created >= limit

    @property
    def spent(self) -> bool:
        """Whether it has expired, or was for one stream only and has been used."""
        return self.expired or (self.rule.single_use and self.used)


class KeyRing:
    """Keys of one sandbox. Thread-safe.

    With `api_keys=None` it accepts every key that is not empty and does not start with `invalid`;
    temporary keys (`snx_temp_`) only if they were created here.
    """

    def __init__(self, api_keys: ApiKeys = None) -> None:
        # Guards _keys and the `used` of each. Leaf.
        self._lock = new_lock()
        self._open = api_keys is None
        self._keys = {key: AcceptedKey(rule) for key, rule in _read_rules(api_keys).items()}
        self._first = next(iter(self._keys), "sandbox-key")

    @property
    def any_key(self) -> str:
        """A key that is accepted: the first of `api_keys`, else a made-up one."""
        return self._first

    def add(self, key: str, rule: KeyRule) -> None:
        """Accept one more key, such as a temporary one."""
        with self._lock:
            # remove expired ones, or they would accumulate in a long run
            self._keys = {
                each: accepted
                for each, accepted in self._keys.items()
                if not (accepted.rule.usage_type and accepted.expired)
            }
            self._keys[key] = AcceptedKey(rule)

    def check(self, key: Optional[str], service: str) -> AcceptedKey:
        """Return the accepted key that may use `service` (`"stt"`, `"tts"`, `"rest"`).

        Raises
            Problem: 401 for a key that is missing, unknown, expired, used up or for another
                service, 403 for one without the permission, 400 if it is not a string.
        """
        if not isinstance(key, (str, type(None))):  # from a message, which may contain anything
            raise bad_request("API key must be a string.")
        if not key:
            raise Problem("unauthenticated", "Missing API key.")
        with self._lock:
            accepted = self._keys.get(key)
            if accepted is None and self._open and not key.startswith(_REFUSED_PREFIXES):
                accepted = self._keys[key] = AcceptedKey(KeyRule())
        if accepted is None:
            raise Problem("unauthenticated", "Incorrect API key provided.")
        if accepted.spent:
            raise _spent()
        rule = accepted.rule
        if rule.usage_type is not None and rule.usage_type != _USAGE_TYPES.get(service):
            raise Problem("unauthenticated", "The temporary API key is not for this service.")
        if rule.permissions is not None and service not in rule.permissions:
            raise Problem("permission_denied", "The API key has no permission for this.")
        return accepted

    def use(self, key: AcceptedKey) -> None:
        """Count a new stream of a key.

        Raises
            Problem: 401 for the second stream of a single-use key, or one after it has expired;
                else the error of the key's rule (an exhausted budget, for example, is reported with
                the first request: PROTOCOL 3.7).
        """
        with self._lock:
            if key.spent:
                raise _spent()
            key.used = True
        error_type = key.rule.error_type
        if error_type is not None:
            raise Problem(error_type, f"Refused by the sandbox: {error_type}.")


def _spent() -> Problem:
    return Problem("unauthenticated", "The temporary API key is expired or was used.")


def _read_rules(api_keys: ApiKeys) -> dict[str, KeyRule]:
    """Return the rule of each key."""
    if isinstance(api_keys, str):
        api_keys = [api_keys]
    if not isinstance(api_keys, (Iterable, type(None))):
        raise _checks.wrong_type("api_keys", "a list or a mapping of keys", api_keys)
    if isinstance(api_keys, Mapping):
        rules = {key: _read_rule(value) for key, value in api_keys.items()}
    else:
        rules = {key: KeyRule() for key in api_keys or ()}
    for key in rules:
        _checks.text()("a key in api_keys", key)
    return rules


def _read_rule(value: Union[KeyRule, Mapping[str, Any], None]) -> KeyRule:
    if isinstance(value, KeyRule):
        return value
    options = dict(value or {})
    # the service's own names are accepted too
    for name in ("max_session_duration", "expires_in"):
        if f"{name}_seconds" in options:
            options.setdefault(f"{name}_sec", options.pop(f"{name}_seconds"))
    known = [field.name for field in dataclasses.fields(KeyRule)]
    _checks.refuse_unknown(options, known, "a key of the sandbox")
    return KeyRule(**options)
