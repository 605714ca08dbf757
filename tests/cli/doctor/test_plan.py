"""What is skipped after which failure, how long it may take, and that each failure has advice."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Optional, get_args

import pytest

from soniox_sync import (
    ConfigurationError,
    ConnectTimeoutError,
    SonioxConnectionError,
    SonioxError,
    SonioxHttpError,
    SonioxTimeoutError,
    error_from_frame,
)
from soniox_sync.cli.doctor import advice
from soniox_sync.cli.doctor.advice import ADVICE, advice_for, of_error, of_upgrade
from soniox_sync.cli.doctor.plan import CHECKS, Limits, Result, blocker
from soniox_sync.config.keys import KeyProblem
from soniox_sync.rest.probe import Failure

NAMES = [check.name for check in CHECKS]
AT_ONCE = ("key", "region", "clock")  # without I/O, but for a clock after a failure of `tls`


def play(**kinds: str) -> dict[str, Optional[str]]:
    """Run the plan with these failures; return the skipped checks and because of which."""
    results: dict[str, Result] = {}
    for check in CHECKS:
        name, kind = check.name, kinds.get(check.name.replace("-", "_"))
        cause = blocker(check, results)
        if cause is not None:
            results[name] = Result(name, "skipped", because=cause)
        else:
            results[name] = Result(name, "failed" if kind else "passed", kind=kind)
    return {name: each.because for name, each in results.items() if each.status == "skipped"}


def test_needs_come_first() -> None:
    """Each check needs only checks before it."""
    for index, check in enumerate(CHECKS):
        assert {need.check for need in check.needs} <= set(NAMES[:index]), check.name


def test_nothing_is_skipped_without_a_failure() -> None:
    """Every check runs when those before it pass."""
    assert play() == {}


def test_all_that_can_wait_ends_within_45_seconds() -> None:
    """Checks that wait, and closing, leave some of 45 s for the start, also when each hangs."""
    waiting = [name for name in NAMES if name not in AT_ONCE]
    assert len(waiting) * Limits().check_sec + Limits().close_sec <= 42
    assert Limits().call_sec < Limits().check_sec <= 5


@pytest.mark.parametrize("name", ["dns", "proxy"])
def test_nothing_is_tried_without_a_way_out(name: str) -> None:
    """After a failed look-up or proxy everything later is skipped, each for that one failure."""
    assert play(**{name: "any"}) == dict.fromkeys(NAMES[NAMES.index(name) + 1 :], name)


def test_network_is_checked_without_a_key() -> None:
    """A missing key leaves the network's checks, which need none."""
    assert play(key="no_key") == dict.fromkeys(NAMES[NAMES.index("http") :], "key")


def test_region_is_needed_for_everything_but_the_key() -> None:
    """Without addresses nothing can be connected to; the key is still judged."""
    assert play(region="region") == dict.fromkeys(NAMES[2:], "region")


def test_clock_is_checked_after_a_certificate_out_of_date() -> None:
    """A certificate that is not valid now may be the clock's fault; an untrusted one is not."""
    assert "clock" not in play(tls="validity")
    assert play(tls="untrusted")["clock"] == "tls"
    assert play(dns="dns")["clock"] == "dns"


def test_key_that_was_refused_is_not_sent_again() -> None:
    """After a 401 over HTTP no other check sends the key; after another failure they do."""
    assert set(play(http="unauthorized").values()) == {"http"}
    assert play(http="unavailable") == {}


def test_services_are_independent() -> None:
    """A transcription that cannot connect leaves speech to be checked."""
    assert play(stt_websocket="upgrade_refused") == {"transcription": "stt-websocket"}
    assert play(tts_websocket="upgrade_refused") == {"speech": "tts-websocket"}


# -- errors to advice -----------------------------------------------------------------------------


def frame(code: int, error_type: Optional[str] = None) -> SonioxError:
    """Return the error for an error frame."""
    fields = {"error_code": code, "error_type": error_type, "error_message": "No."}
    return error_from_frame(fields)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (frame(400, "invalid_request"), "refused"),
        (frame(401), "unauthorized"),
        (frame(402, "organization_balance_exhausted"), "payment"),
        (frame(403, "permission_denied"), "permission"),
        (SonioxHttpError("a page", status_code=403), "forbidden"),
        (SonioxHttpError("nothing", status_code=404), "not_found"),
        (SonioxHttpError("elsewhere", status_code=302), "redirected"),
        (SonioxHttpError("a page", status_code=200, code="parse_error"), "not_the_service"),
        (frame(408), "late"),
        (frame(418), "refused"),
        (frame(429, "limit_exceeded"), "limit"),
        (frame(503), "unavailable"),
        (SonioxConnectionError("cut"), "lost"),
        (SonioxTimeoutError("nothing"), "late"),
        (ConfigurationError("proxy: no host"), "proxy"),
        (ConfigurationError("trace: x cannot be opened"), "trace"),
        (ConfigurationError("the WebSocket URL cannot be used"), "url"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_of_the_service(error: SonioxError, kind: str) -> None:
    """Each error of a call becomes its own kind of failure."""
    assert of_error(error).kind == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SonioxHttpError("no", status_code=200), "upgrade_refused"),
        (SonioxHttpError("no", status_code=400), "upgrade_refused"),
        (SonioxHttpError("no", status_code=403), "upgrade_refused"),
        (SonioxHttpError("no", status_code=426), "upgrade_refused"),
        (frame(403, "permission_denied"), "permission"),
        (frame(401), "unauthorized"),
        (frame(404), "not_found"),
        (SonioxConnectionError("redirected", status_code=302), "redirected"),
        (SonioxConnectionError("trouble", status_code=502), "unavailable"),
        (ConnectTimeoutError("nothing"), "upgrade_silent"),
        (SonioxConnectionError("cut"), "upgrade_cut"),
        (ConfigurationError("proxy: ftp is not supported"), "proxy"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_errors_of_an_upgrade(error: SonioxError, kind: str) -> None:
    """What proxies and firewalls answer to an upgrade is told from what the service answers."""
    assert of_upgrade(error).kind == kind


def test_temporary_key_has_its_own_advice() -> None:
    """A 401 for a temporary key names its usage_type, expiry and single use."""
    assert of_error(frame(401), temporary=True).kind == "usage"
    for word in ("usage_type", "expires", "single-use"):
        assert word in ADVICE["usage"]


def test_other_region_is_named() -> None:
    """A refused key may be one of another region: both sentences say what to do then."""
    for kind in ("unauthorized", "usage"):
        assert "if the key is of another region, set --region" in ADVICE[kind]


@pytest.mark.parametrize("kind", ADVICE)
def test_advice_is_one_sentence(kind: str) -> None:
    """Advice is one sentence without open braces, that begins in lower case and has no end."""
    told = advice_for(kind, variable="SONIOX_API_KEY", hosts="a.example", limit=5.0)
    assert "{" not in told and not told.endswith(".") and ". " not in told
    assert told[0].islower()


def test_every_kind_has_advice() -> None:
    """Every kind of failure that the code names, or that lower layers name, is in the table."""
    named = {*get_args(KeyProblem), *get_args(Failure), *literal_kinds()}
    for status in range(100, 600):
        for error_type in (None, "some_type"):
            error = SonioxHttpError("no", status_code=status, error_type=error_type)
            named |= {of_error(error).kind or "", of_upgrade(error, temporary=True).kind or ""}
    # those have other names here: see `setup` and `network`
    named -= {"empty", "tls", "timeout", "certificate", "silent"}
    assert sorted(named - set(ADVICE)) == []


def literal_kinds() -> set[str]:
    """Return the first arguments of `Outcome(...)` in the doctor's code that are strings."""
    found = set()
    for path in Path(advice.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Outcome":
                found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    assert len(found) > 5
    return found
