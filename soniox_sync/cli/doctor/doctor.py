"""Runs the checks, one after the other, and leaves out those that cannot pass."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Callable, Optional

from ...errors import SonioxError
from ...transport.deadline import Deadline
from . import advice
from .bounded import run_all
from .network import Network
from .plan import CHECKS, Check, Limits, Outcome, Result, blocker
from .service import Service
from .setup import Setup, check_key, check_region

__all__ = ["Doctor"]


_LIMITS = Limits()


class Doctor:
    """Checks of one setup.

    A context manager, which closes what the checks opened. For one thread.
    """

    def __init__(self, setup: Setup, limits: Limits = _LIMITS) -> None:
        self._setup = setup
        self._limits = limits
        self._redactor = setup.redactor()
        self._hosts = "the service"
        # made when needed: region and key have passed then
        self._network: Optional[Network] = None
        self._service: Optional[Service] = None
        self._results: dict[str, Result] = {}

    def __enter__(self) -> Doctor:
        return self

    def __exit__(self, *exc_info: object) -> None:
        # closing waits for a server that may not answer, and for calls that were left behind
        run_all([self._close], Deadline(self._limits.close_sec))

    def _close(self) -> None:
        if self._service is not None:
            self._service.close()
        if self._network is not None:
            self._network.close()

    def examine(self, started: Callable[[str], object] = bool) -> Iterator[Result]:
        """Yield the result of each check; `started` is called with the name of each that runs."""
        for check in CHECKS:
            cause = blocker(check, self._results)
            if cause is not None:
                result = Result(check.name, "skipped", detail=f"needs {cause}", because=cause)
            else:
                started(check.name)
                result = self._run(check)
            self._results[check.name] = result
            yield result

    def _run(self, check: Check) -> Result:
        began = time.monotonic()
        outcome = self._outcome(check.name)
        sec = time.monotonic() - began
        detail = self._redactor.text(" ".join(outcome.detail.split()))
        if outcome.kind is None:
            return Result(check.name, "skipped" if outcome.left_out else "passed", sec, detail)
        kind = outcome.kind
        if "http" in self._results and self._results["http"].status == "failed":
            kind = advice.without_http(kind)
        told = advice.advice_for(
            kind,
            variable=self._setup.variable,
            hosts=self._hosts,
            limit=self._limits.check_sec,
        )
        return Result(check.name, "failed", sec, detail, kind, told)

    def _outcome(self, name: str) -> Outcome:
        if name == "key":
            return check_key(self._setup)
        if name == "region":
            return self._check_region()
        try:
            return _NETWORK[name](self._open_network()) if name in _NETWORK else self._ask(name)
        except SonioxError as error:
            return advice.of_error(error)

    def _check_region(self) -> Outcome:
        outcome = check_region(self._setup)
        if outcome.kind is None:
            self._hosts = outcome.detail
        return outcome

    def _open_network(self) -> Network:
        if self._network is None:
            self._network = Network(self._setup, self._setup.resolve(), self._limits)
        return self._network

    def _ask(self, name: str) -> Outcome:
        if self._service is None:
            self._service = Service(self._setup, self._limits)
        return _SERVICE[name](self._service)


_NETWORK: dict[str, Callable[[Network], Outcome]] = {
    "dns": Network.check_dns,
    "proxy": Network.check_proxy,
    "tls": Network.check_tls,
    "clock": Network.check_clock,
}
_SERVICE: dict[str, Callable[[Service], Outcome]] = {
    "http": Service.check_http,
    "stt-websocket": Service.check_stt_websocket,
    "transcription": Service.check_transcription,
    "tts-websocket": Service.check_tts_websocket,
    "speech": Service.check_speech,
    "speech-http": Service.check_speech_over_http,
}
