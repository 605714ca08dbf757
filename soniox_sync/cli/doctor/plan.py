"""Which checks there are, what each depends on, and what their results are. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Optional

__all__ = ["CHECKS", "Check", "Limits", "Need", "Outcome", "Result", "blocker"]

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Limits:
    """Time limits of one check, in seconds.

    `check_sec`: for the whole check; a call that is not done then is left behind. `call_sec`: for
    each call to the service, shorter: one that ends by itself can say how far it got. `close_sec`:
    for closing what the checks have opened, at the end.
    """

    # a service that takes longer to answer is too slow for speech; nine checks and closing end
    # within 42 s, which leaves some for starting the command
    check_sec: float = 4.5
    call_sec: float = 4.0
    close_sec: float = 1.0


@dataclass(frozen=True)
class Need:
    """Earlier check that another one depends on.

    `only`: kinds of its failure that make the dependent check pointless, `None` for all of them
    (then skipping it counts too). `unless`: kinds that do not.
    """

    check: str
    only: Optional[Collection[str]] = None
    unless: Collection[str] = ()

    def is_broken_by(self, result: Result) -> bool:
        """Return whether the result of the earlier check makes the dependent one pointless."""
        if result.status == "passed":
            return False
        if self.only is not None:
            return result.kind in self.only
        return result.kind not in self.unless


@dataclass(frozen=True)
class Check:
    """Check and its needs."""

    name: str
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a check found: `kind` of failure (see `advice`), `None` if it passed or was left out.

    `detail`: what was found, for people. `left_out`: it does not apply, and `detail` says why.
    """

    kind: Optional[str] = None
    detail: str = ""
    left_out: bool = False


@dataclass(frozen=True)
class Result:
    """Result of one check.

    `sec`: how long it took. `because`: the failed check that it depends on, if it was skipped for
    that. `advice`: what to do about a failure.
    """

    name: str
    status: Status
    sec: float = 0.0
    detail: str = ""
    kind: Optional[str] = None
    advice: Optional[str] = None
    because: Optional[str] = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `--json`."""
        return {
            "name": self.name,
            "status": self.status,
            "seconds": round(self.sec, 3),
            "detail": self.detail,
            "problem": self.kind,
            "advice": self.advice,
            "because": self.because,
        }


# A key that was refused once is not sent again; after any other failure of an HTTP call WebSockets
# may still work, and the difference tells much.
_HTTP = (Need("key"), Need("tls"))
_KEY_ACCEPTED = (*_HTTP, Need("http", only=("unauthorized",)))

# In the order in which they run and are listed. Nine of them wait for something, each for at most
# 4.5 seconds: 42 s in all, whatever hangs. `clock` waits only when `tls` has failed.
CHECKS: tuple[Check, ...] = (
    Check("key"),
    Check("region"),
    Check("dns", (Need("region"),)),
    Check("proxy", (Need("dns"),)),
    Check("tls", (Need("proxy"),)),
    # a certificate that is not valid yet, or no longer, may be the fault of the clock
    Check("clock", (Need("tls", unless=("validity",)),)),
    Check("http", _HTTP),
    Check("stt-websocket", _KEY_ACCEPTED),
    Check("transcription", (Need("stt-websocket"),)),
    Check("tts-websocket", _KEY_ACCEPTED),
    Check("speech", (Need("tts-websocket"),)),
    Check("speech-http", _KEY_ACCEPTED),
)


def blocker(check: Check, results: Mapping[str, Result]) -> Optional[str]:
    """Return the failed check because of which `check` is skipped, `None` if it can run.

    `results`: of the checks before it. If a needed check was skipped itself, the one that it was
    skipped for is returned: with `dns` failed, `tls` and all that needs it are skipped for `dns`.
    """
    for need in check.needs:
        result = results[need.check]
        if need.is_broken_by(result):
            return result.because or result.name
    return None
