"""Tests of `--gateway slng`: its options and its limitations."""

from __future__ import annotations

import inspect
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import SlngClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.slng.service import SlngService
from tests.cli.helpers import run_cli

KEY = "slng-Secret0Key1Of2The3Tests"
PROVIDER_KEY = "snx-Provider0Secret1Of2The3Tests"
SAID = "Hello there my friend. How are you?"
SLNG = ("--gateway", "slng")
QUICK = ("transcribe", "--pace", "0")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox and make it the default base URL of the gateway's client."""
    with Sandbox(engines="tones", limits={"tts_pace": None}, api_keys=[KEY]) as sandbox:
        sandbox.script(SAID, ms_per_word=200, final_lag_ms=200)
        defaults = inspect.unwrap(SlngClient.__init__).__kwdefaults__
        monkeypatch.setitem(defaults, "base_url", sandbox.urls.slng)
        monkeypatch.setenv("SLNG_API_KEY", KEY)
        monkeypatch.delenv("SONIOX_API_KEY", raising=False)
        yield sandbox


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect the headers of every connection that the gateway's client opens."""
    seen: list[list[str]] = []
    target = SlngService._target

    def spy(service: SlngService, url: str, key: str) -> Any:
        made = target(service, url, key)
        seen.append(list(made.headers))
        return made

    monkeypatch.setattr(SlngService, "_target", spy)
    return seen


def paths(sandbox: Sandbox) -> set[str]:
    """Return the paths of all connections."""
    messages = [entry.message or {} for entry in sandbox.log.entries()]
    return {message["path"] for message in messages if "path" in message}


# -- both commands --------------------------------------------------------------------------------


def test_speak_goes_through_the_gateway(gateway: Sandbox, tmp_path: Path) -> None:
    """`speak` writes a complete WAV, spoken through the gateway's speech route."""
    target = tmp_path / "said.wav"
    ran = run_cli(*SLNG, "speak", "Hello there.", "-o", str(target))
    assert (ran.code, ran.out) == (0, ""), ran.err
    with wave.open(str(target)) as reader:
        assert reader.getnframes() > 1000
    assert paths(gateway) == {"/v1/tts/soniox/tts-rt:v1"}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (None, "/v1/stt/soniox/speech-ai:rt-v4"),
        ("rt-v3", "/v1/stt/soniox/speech-ai:rt-v3"),
        ("unmute/soniox/speech-ai:rt-v4", "/v1/bridges/unmute/stt/soniox/speech-ai:rt-v4"),
    ],
)
def test_transcribe_goes_through_the_gateway(
    gateway: Sandbox, recording: str, model: Any, path: str
) -> None:
    """`transcribe` writes the same words through each route; `--model` selects the route."""
    chosen = [] if model is None else ["--model", model]
    ran = run_cli(*QUICK, recording, *SLNG, *chosen, "--json")
    assert ran.code == 0, ran.err
    tokens = [t for line in ran.out.splitlines() for t in json.loads(line).get("tokens", ())]
    assert "".join(t["text"] for t in tokens if t.get("is_final")).strip() == SAID
    assert paths(gateway) == {path}


def test_both_work_in_the_sandbox_without_a_key(
    recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--sandbox --gateway slng` needs no key and no network, and accepts the gateway's options."""
    for name in ("SONIOX_API_KEY", "SLNG_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINE", PROVIDER_KEY)
    target = tmp_path / "said.wav"
    ran = run_cli("--sandbox", *SLNG, "speak", "Hello there.", "-o", str(target))
    assert ran.code == 0, ran.err
    assert target.stat().st_size > 1000
    options = ("--world-part", "eu", "--region", "eu-north-1", "--provider-key-env", "MINE")
    ran = run_cli("--sandbox", *SLNG, *options, *QUICK, recording)
    assert ran.code == 0, ran.err


# -- options --------------------------------------------------------------------------------------


def test_zones_and_keys_become_headers(
    gateway: Sandbox,
    requests: list[list[str]],
    recording: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Zone, data center and both keys are sent as headers; -vv shows neither key."""
    monkeypatch.setenv("MINE", PROVIDER_KEY)
    monkeypatch.setenv("OTHER", KEY)
    monkeypatch.delenv("SLNG_API_KEY")
    ran = run_cli(
        *QUICK,
        recording,
        *SLNG,
        *("--world-part", "eu", "--region", "eu-north-1"),
        *("--provider-key-env", "MINE", "--api-key-env", "OTHER", "-vv"),
    )
    assert ran.code == 0, ran.err
    assert {
        f"Authorization: Bearer {KEY}",
        "X-World-Part-Override: eu",
        "X-Region-Override: eu-north-1",
        f"X-Slng-Provider-Key: {PROVIDER_KEY}",
    } <= set(requests[0])
    assert KEY not in ran.out + ran.err
    assert PROVIDER_KEY not in ran.out + ran.err


def test_the_speech_model_selects_the_route(gateway: Sandbox) -> None:
    """`speak --model` uses that model's route; an unknown one is refused with the reason."""
    ran = run_cli(*SLNG, "speak", "Hello.", "--model", "tts-rt-v9", "-o", "-")
    assert ran.code == 1
    assert "/v1/tts/soniox/tts-rt:v9" in ran.err
    assert "404" in ran.err
    assert "X-World-Part-Override" in ran.err


def test_the_help_names_the_options() -> None:
    """`--help` lists the gateway's options where they apply, and nowhere else."""
    names = ("--gateway", "--world-part", "--provider-key-env", "SLNG_API_KEY")
    for command in ("speak", "transcribe"):
        shown = run_cli(command, "--help").out
        assert all(name in shown for name in names)
    for command in ((), ("models",), ("jobs", "submit")):
        shown = run_cli(*command, "--help").out
        assert not any(name in shown for name in names)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variable", "option"), [("SLNG_API_KEY", ()), ("MINE", ("MINE",))])
def test_a_missing_key_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, recording: str, variable: str, option: tuple[str, ...]
) -> None:
    """Without the gateway's key the error names its variable; the service's key is not used."""
    monkeypatch.setenv("SONIOX_API_KEY", "snx-not-this-one")
    monkeypatch.delenv(variable, raising=False)
    named = ("--api-key-env", *option) if option else ()
    for command in (("speak", "Hello.", "-o", "-"), (*QUICK, recording)):
        ran = run_cli(*SLNG, *named, *command)
        assert ran.code == 2
        assert variable in ran.err
        assert ran.out == ""


def test_a_missing_provider_key_is_a_usage_error(gateway: Sandbox, recording: str) -> None:
    """A variable without a provider's key is reported by name before connecting."""
    ran = run_cli(*SLNG, "--provider-key-env", "NOT_SET_ANYWHERE", *QUICK, recording)
    assert ran.code == 2
    assert "NOT_SET_ANYWHERE" in ran.err
    assert paths(gateway) == set()


def test_a_refused_key_is_reported_with_the_gateway_s_reason(
    gateway: Sandbox, recording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that the gateway refuses has exit code 1; the message contains the gateway's reason."""
    monkeypatch.setenv("SLNG_API_KEY", "slng-some-other-key-of-mine")
    for command in (("speak", "Hello.", "-o", "-"), (*QUICK, recording)):
        ran = run_cli(*SLNG, *command)
        assert ran.code == 1
        assert "Incorrect API key" in ran.err
        assert "Authorization: Bearer" in ran.err
        assert "slng-some-other-key-of-mine" not in ran.err


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        (("--world-part", "us-east"), {"x-world-part-override": "us-east"}),
        (("--region", "eu-north-1"), {"x-region-override": "eu-north-1"}),
        (
            ("--region", "us-east"),
            {},
        ),  # has a host of its own, of which the sandbox takes the place
    ],
)
def test_any_zone_is_accepted(
    gateway: Sandbox, options: tuple[str, str], headers: dict[str, str]
) -> None:
    """Zones and data centers are sent as they are; of a region with a host nothing is sent."""
    ran = run_cli(*SLNG, *options, "speak", "Hello.", "-o", "-")
    assert ran.code == 0, ran.err
    (upgrade,) = [m for m in gateway.log.messages(direction="event") if m["event"] == "upgrade"]
    assert upgrade.get("headers", {}) == headers


def test_a_refused_zone_is_reported(gateway: Sandbox) -> None:
    """The message for an upgrade that is refused names the headers of zones."""
    gateway.faults.refuse(400, kind="tts", times=None)
    ran = run_cli(*SLNG, "--world-part", "ap", "speak", "Hello.", "-o", "-")
    assert ran.code == 1
    assert "X-World-Part-Override" in ran.err


def test_a_refused_provider_key_is_reported(
    gateway: Sandbox, recording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused provider's key has exit code 1; the message says which key was refused."""
    monkeypatch.setenv("MINE", "invalid-provider-key")
    ran = run_cli(*SLNG, "--provider-key-env", "MINE", *QUICK, "--no-reconnect", recording)
    assert ran.code == 1
    assert "--provider-key-env" in ran.err
    assert "invalid-provider-key" not in ran.err


@pytest.mark.parametrize(
    "args",
    [
        ("files", "list"),
        ("voices", "list"),
        ("models",),
        ("usage",),
        ("temp-key", "tts"),
        ("jobs", "list"),
        ("demo",),
        ("sandbox",),
    ],
    ids=lambda args: args[0],
)
def test_other_commands_refuse_the_gateway(gateway: Sandbox, args: tuple[str, ...]) -> None:
    """--gateway with any other command is a usage error, before or after the command."""
    for line in ((*SLNG, *args), (*args, *SLNG)):
        ran = run_cli(*line)
        assert ran.code == 2, ran.err
        assert f"--gateway works with speak, transcribe and converse, not with {args[0]}" in ran.err
        assert ran.out == ""
    assert paths(gateway) == set()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--world-part", "eu", "speak", "Hi"), "--world-part needs --gateway"),
        (("--provider-key-env", "X", "speak", "Hi"), "--provider-key-env needs --gateway"),
        (("--gateway", "other", "speak", "Hi"), "slng"),
        (("--sandbox", *SLNG, "--api-key-env", "X", "speak", "Hi"), "--api-key-env"),
        (
            (*SLNG, "--region", "us-eest", "speak", "Hi", "-o", "-"),
            "did you mean 'us-east' or 'us-west'?",
        ),
        (
            (*SLNG, "--region", "gb", "--world-part", "eu", "speak", "Hi", "-o", "-"),
            "--world-part: expected None with a region that has its own host",
        ),
        ((*SLNG, "--world-part", "e u", "speak", "Hi", "-o", "-"), "--world-part: "),
    ],
)
def test_wrong_combinations(gateway: Sandbox, args: tuple[str, ...], message: str) -> None:
    """Options that need or exclude each other are reported by name, with exit code 2."""
    ran = run_cli(*args)
    assert ran.code == 2
    assert message in ran.err
    assert paths(gateway) == set()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--translate", "de"), "translation"),
        (("--format", "srt"), "no times"),
        (("--format", "vtt"), "no times"),
        (("--languages",), "enable_language_identification"),
    ],
)
def test_unsupported_options_of_a_route_are_usage_errors(
    gateway: Sandbox, recording: str, args: tuple[str, ...], message: str
) -> None:
    """Options that the rt-v3 route does not support are refused before connecting."""
    ran = run_cli(*SLNG, *QUICK, recording, "--model", "rt-v3", *args)
    assert ran.code == 2
    assert message in ran.err
    assert paths(gateway) == set()


def test_a_lost_connection_of_a_route_without_times_is_an_error(
    gateway: Sandbox, recording: str
) -> None:
    """On rt-v3 a lost connection has exit code 1."""
    gateway.faults.drop(kind="stt", after_audio_ms=2500)
    ran = run_cli(*SLNG, *QUICK, recording, "--model", "rt-v3")
    assert ran.code == 1
    assert ran.err
