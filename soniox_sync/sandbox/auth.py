"""Authentication of one WebSocket: by its upgrade request, or by a key in a message."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .clock import Timer
from .keys import AcceptedKey
from .problems import Problem, bad_request
from .server.routes import Handshake
from .world import World

__all__ = ["Authentication"]


class Authentication:
    """Checks the keys of one connection, and ends it when the session of a temporary key expires.

    `service` is `"stt"` or `"tts"`. `fail` ends the connection with a problem; it is called on the
    clock's thread. The methods are called only by the connection's reader.
    """

    def __init__(
        self, world: World, handshake: Handshake, service: str, fail: Callable[[Problem], None]
    ) -> None:
        self._world = world
        self._handshake = handshake
        self._service = service
        self._fail = fail
        self._accepted: Optional[AcceptedKey] = None
        self._timers: list[Timer] = []
        self.refusal: Optional[Problem] = None
        """Why the upgrade request was refused, `None` if it was not."""

    @property
    def pending(self) -> bool:
        """Whether no key was received yet, so that a message must contain one."""
        return self._accepted is None and self.refusal is None

    def check_upgrade(self) -> None:
        """Check the key of the upgrade request, if it has one.

        A refusal is reported when the first message is received, or after `auth_error_delay_sec`
        without one.
        """
        try:
            if self._handshake.problem is not None:
                raise self._handshake.problem
            if self._handshake.key is not None or not self._world.limits.allow_message_auth:
                self._check(self._handshake.key)
        except Problem as problem:
            self.refusal = problem
            delay = self._world.limits.auth_error_delay_sec
            report = functools.partial(self._fail, problem)
            self._timers.append(self._world.clock.after(delay, report))

    def check_message(self, message: Mapping[str, Any]) -> AcceptedKey:
        """Return the key that starts a session or a stream.

        Raises
            Problem: 400 if the message must not contain a key, or not this one, 401 or 403 if the
                key is not accepted.
        """
        key = message.get("api_key")
        if key is not None and not self._world.limits.allow_message_auth:
            raise bad_request("API key must be sent with the connection.")
        if key is not None and self._handshake.key not in (None, key):  # PROTOCOL 1.3
            raise bad_request("API key in the message differs from the one of the connection.")
        # if the connection has no key of its own, each message may contain another one
        if self._accepted is not None and (key is None or self._handshake.key is not None):
            return self._accepted
        return self._check(key)

    def close(self) -> None:
        """Cancel the timers."""
        for timer in self._timers:
            timer.cancel()

    def _check(self, key: Optional[str]) -> AcceptedKey:
        accepted = self._world.keys.check(key, self._service)
        if self._accepted is None:
            self._accepted = accepted
            seconds = accepted.rule.max_session_duration_sec
            if seconds is not None:
                self._timers.append(self._world.clock.later(seconds, self._expire))
        return accepted

    def _expire(self) -> None:
        self._fail(Problem("temp_api_key_session_expired", "Temporary API key session expired."))
