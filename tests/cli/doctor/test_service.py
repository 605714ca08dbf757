"""The doctor finds what is wrong with the key, the account and WebSockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import pytest

from soniox_sync.cli.doctor.plan import Limits
from soniox_sync.cli.doctor.service import Service
from soniox_sync.cli.doctor.setup import Setup
from soniox_sync.sandbox import Sandbox
from tests.cli.doctor.helpers import AMPLE, BRIEF, KEY, examine, failed, skipped
from tests.cli.helpers import environment
from tests.peers import CLOSE, TEXT, RawPeer, Remote, frame, upgrade
from tests.waiting import WAIT, Task

STREAMS = ["stt-websocket", "transcription", "tts-websocket", "speech", "speech-http"]


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Sandbox]:
    """Start a sandbox that the environment names, but for the key."""
    with Sandbox(engines="tones", limits={"tts_pace": None}, **options) as sandbox:
        for name, value in environment(sandbox).items():
            if name != "SONIOX_API_KEY":
                monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox that accepts every key."""
    with serving(monkeypatch) as sandbox:
        yield sandbox


def test_word_without_audio(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speech that ends without any audio is a failure."""
    with RawPeer() as peer:
        monkeypatch.setenv("SONIOX_TTS_WS_URL", peer.url)
        doctor = service_checks(AMPLE)
        assert doctor.check_tts_websocket().kind is None
        speaking = Task(doctor.check_speech)
        remote = peer.accept()
        stream_id = json.loads(remote.recv_message().payload)["stream_id"]
        for end in ("audio_end", "terminated"):
            remote.send(frame(TEXT, json.dumps({"stream_id": stream_id, end: True}).encode()))
        assert speaking.result().kind == "no_audio"
        doctor.close()


def upgrades(sandbox: Sandbox) -> int:
    """Return how many WebSockets were asked for."""
    return sum("'upgrade'" in str(entry) for entry in sandbox.log.entries())


def test_everything_passes(service: Sandbox) -> None:
    """With a good key each check passes, and one second and two words are used."""
    results = examine()
    assert {each.status for each in results.values()} == {"passed"}
    assert results["key"].detail == "regular key from SONIOX_API_KEY"
    assert results["tls"].detail == f"not encrypted: 127.0.0.1:{service.port}"
    assert upgrades(service) == 2
    assert service.log.audio_bytes() > 0


# -- the key --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "kind", "word"),
    [
        (None, "no_key", "--sandbox"),
        ("", "no_key", "SONIOX_API_KEY"),
        ("  \n", "no_key", "SONIOX_API_KEY"),
        (f'"{KEY}"', "quotes", "quotes"),
        (f"'{KEY}'", "quotes", "quotes"),
        (f"\u201c{KEY}\u201d", "quotes", "quotes"),
        (f"Bearer {KEY}", "bearer", "Bearer"),
        ("${SONIOX_KEY}", "unexpanded", "expand variables"),
        (f"{KEY} {KEY}", "characters", "blank"),
        (f"{KEY}\u00e4", "characters", "ASCII"),
    ],
    ids=range(10),
)
def test_unusable_key(
    service: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    key: Optional[str],
    kind: str,
    word: str,
) -> None:
    """A key that is missing, in quotes or damaged is found before it is sent; the network is
    checked all the same."""
    if key is None:
        monkeypatch.delenv("SONIOX_API_KEY")
    else:
        monkeypatch.setenv("SONIOX_API_KEY", key)
    results = examine()
    assert failed(results) == {"key": kind}
    assert word in str(results["key"].advice)
    assert skipped(results) == dict.fromkeys(["http", *STREAMS], "key")
    assert KEY not in repr(results)
    assert results["clock"].status == "passed"


def test_white_space_around_a_key(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """White space around a key is told, and harmless."""
    monkeypatch.setenv("SONIOX_API_KEY", f" {KEY}\n")
    results = examine()
    assert failed(results) == {}
    assert "white space" in results["key"].detail


def test_key_of_another_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is taken from the variable that is named, and advice names that one."""
    monkeypatch.setenv("SONIOX_API_KEY", '"in quotes"')
    with serving(monkeypatch, api_keys=["a-key-of-the-team"]):
        monkeypatch.setenv("TEAM_KEY", "a-key-of-the-team")
        assert failed(examine(variable="TEAM_KEY")) == {}
        monkeypatch.delenv("TEAM_KEY")
        results = examine(variable="TEAM_KEY")
    assert "TEAM_KEY" in results["key"].detail and "TEAM_KEY" in str(results["key"].advice)


def test_refused_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is refused is sent once; the advice names the region."""
    with serving(monkeypatch, api_keys=["another-key"]) as sandbox:
        results = examine()
        opened = upgrades(sandbox)
    assert failed(results) == {"http": "unauthorized"}
    assert "401" in results["http"].detail
    assert "if the key is of another region, set --region" in str(results["http"].advice)
    assert skipped(results) == dict.fromkeys(STREAMS, "http") and opened == 0


@pytest.mark.parametrize(
    ("usage", "fails"),
    [("transcribe_websocket", "speech"), ("tts_rt", "transcription")],
)
def test_temporary_key_for_the_other_service(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, usage: Any, fails: str
) -> None:
    """A temporary key passes where it is meant for; the other service names its usage_type."""
    with service.client() as client:
        made = client.auth.create_temporary_api_key(usage_type=usage)
    monkeypatch.setenv("SONIOX_API_KEY", made.api_key)
    results = examine()
    assert failed(results) == {fails: "usage"}
    assert "usage_type" in str(results[fails].advice)
    assert results["key"].detail == "temporary key from SONIOX_API_KEY"
    assert results["http"].status == "passed" and "temporary" in results["http"].detail
    assert skipped(results) == {"speech-http": None}
    assert made.api_key not in repr(results)


@pytest.mark.parametrize(
    ("rule", "kind", "word", "status"),
    [
        ({"error_type": "organization_balance_exhausted"}, "payment", "add funds", "402"),
        ({"permissions": ["rest", "tts"]}, "permission", "permission", "403"),
        ({"error_type": "limit_exceeded"}, "limit", "limit", "429"),
    ],
)
def test_account_without_the_right(
    monkeypatch: pytest.MonkeyPatch, rule: Any, kind: str, word: str, status: str
) -> None:
    """An exhausted budget, a missing permission and a limit are told apart."""
    with serving(monkeypatch, api_keys={KEY: rule}):
        results = examine()
    assert failed(results)["transcription"] == kind
    assert status in results["transcription"].detail
    assert word in str(results["transcription"].advice)
    assert ("speech" in failed(results)) == (kind != "permission")


# -- HTTP -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>Please log in</html>", "not_the_service"),
        (302, b"", "redirected"),
        (403, b"blocked by policy", "forbidden"),
        (404, b"", "not_found"),
        (502, b"", "unavailable"),
    ],
)
def test_something_else_answers(service: Sandbox, status: int, body: bytes, kind: str) -> None:
    """An answer that is not the service's is told; WebSockets are checked all the same."""
    headers = {"Location": "https://login.example/"} if status == 302 else {}
    service.faults.refuse(status, path="/v1/models", headers=headers, body=body)
    results = examine()
    assert failed(results) == {"http": kind}
    assert skipped(results) == {}


def test_http_that_hangs(service: Sandbox) -> None:
    """An answer that never comes costs one time limit."""
    service.faults.hang(path="/v1/models")
    results = examine(BRIEF)
    assert failed(results)["http"] == "late"
    assert results["http"].sec < AMPLE.check_sec


def test_speech_over_http_has_its_own_check(service: Sandbox) -> None:
    """What fails only for speech over HTTP, at the fourth URL, is found."""
    service.faults.refuse(503, path="/tts", kind="rest")
    assert failed(examine()) == {"speech-http": "unavailable"}


# -- WebSockets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 403])
@pytest.mark.parametrize(("kind", "after"), [("stt", "transcription"), ("tts", "speech")])
def test_blocked_upgrade(service: Sandbox, status: int, kind: Any, after: str) -> None:
    """HTTP works but the upgrade is answered otherwise: proxies and firewalls are named."""
    service.faults.refuse(status, kind=kind)
    results = examine()
    name = f"{kind}-websocket"
    assert failed(results) == {name: "upgrade_refused"}
    assert results[name].detail == f"the upgrade was answered with HTTP {status}"
    for word in ("proxy", "firewall", "HTTP works", f"127.0.0.1:{service.port}"):
        assert word in str(results[name].advice)
    assert skipped(results) == {after: name}


def test_upgrade_blocked_like_everything(service: Sandbox) -> None:
    """Where HTTP is refused too, nobody is told that it works."""
    service.faults.refuse(403, body=b"blocked by policy", path="/v1/models")
    service.faults.refuse(403, body=b"blocked by policy", kind="stt")
    results = examine()
    assert failed(results) == {"http": "forbidden", "stt-websocket": "forbidden"}
    assert "firewall" in str(results["stt-websocket"].advice)
    assert "HTTP works" not in repr(results)


def test_upgrade_that_hangs(service: Sandbox) -> None:
    """An upgrade without an answer costs one time limit, and names proxies and firewalls."""
    service.faults.hang(kind="stt")
    results = examine(BRIEF)
    assert failed(results) == {"stt-websocket": "upgrade_silent"}
    assert results["stt-websocket"].sec < AMPLE.check_sec
    assert "firewall" in str(results["stt-websocket"].advice)


def test_upgrade_that_is_cut(service: Sandbox) -> None:
    """A connection that is reset during the upgrade is a blocked upgrade too."""
    service.faults.refuse(503, kind="stt", body=b"")
    results = examine()
    assert failed(results) == {"stt-websocket": "unavailable"}


def test_upgrade_that_is_answered_too_late(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that opens when nobody waits for it is closed again."""
    release = threading.Event()

    def answer(remote: Remote) -> bytes:
        release.wait(WAIT)
        return upgrade(remote)

    with RawPeer(answer=answer) as peer:
        monkeypatch.setenv("SONIOX_WS_URL", peer.url)
        doctor = service_checks(Limits(0.3, WAIT))
        outcome = doctor.check_stt_websocket()
        release.set()
        remote = peer.accept()
        assert remote.frames_to_end()[-1].opcode == CLOSE
        doctor.close()
    assert (outcome.kind, outcome.detail) == ("upgrade_silent", "nothing in 0.3 s")


def service_checks(limits: Limits) -> Service:
    """Return the checks of the service that the environment names."""
    return Service(Setup.from_environment(None, None), limits)


def test_closing_that_hangs_is_left_behind(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command does not wait for connections that cannot be closed in time."""
    release, closed, close = threading.Event(), threading.Event(), Service.close

    def hang(opened: Service) -> None:
        release.wait(WAIT)
        close(opened)
        closed.set()

    monkeypatch.setattr(Service, "close", hang)
    try:
        assert failed(examine(Limits(AMPLE.check_sec, AMPLE.call_sec, 0.05))) == {}
        assert not closed.is_set()
    finally:
        release.set()
        assert closed.wait(WAIT)


def test_service_that_stops_in_between(service: Sandbox) -> None:
    """A transcription that never ends, and a connection that is lost, are failures."""
    service.faults.stall(kind="stt")
    service.faults.drop(kind="tts", after_frames_in=1)
    results = examine(BRIEF)
    assert failed(results) == {"transcription": "late", "speech": "lost"}


# -- the key again --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [KEY, json.dumps({"error_message": KEY}), f"<p>{KEY}</p>"])
def test_key_that_is_echoed(service: Sandbox, way: str) -> None:
    """A server that repeats the key does not make the doctor show it."""
    service.faults.refuse(422, path="/v1/models", body=way.encode())
    service.faults.refuse(418, path="/tts", kind="rest", body=way.encode())
    service.faults.error_frame("invalid_request", way, kind="stt", after_frames_in=2)
    service.faults.refuse(400, kind="tts", body=way.encode())
    results = examine()
    assert set(failed(results)) == {"http", "transcription", "tts-websocket", "speech-http"}
    assert KEY not in repr(results)
