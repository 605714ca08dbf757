"""The command line through the gateway: `--gateway slng`, its options, what it cannot do."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import run_cli

from soniox_sync import slng
from soniox_sync.sandbox import Sandbox

KEY = "slng-Secret0Key1Of2The3Tests"
PROVIDER_KEY = "snx-Provider0Secret1Of2The3Tests"
SAID = "Hello there my friend. How are you?"
SLNG = ("--gateway", "slng")
QUICK = ("transcribe", "--pace", "0")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Stand in for the gateway: the client's default base URL leads to a sandbox."""
    with Sandbox(engines="tones", limits={"tts_pace": None}, api_keys=[KEY]) as sandbox:
        sandbox.script(SAID, ms_per_word=200, final_lag_ms=200)
        defaults = slng.SlngClient.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "base_url", sandbox.urls.slng)
        monkeypatch.setenv("SLNG_API_KEY", KEY)
        monkeypatch.delenv("SONIOX_API_KEY", raising=False)
        yield sandbox


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect the headers of every connection that a gateway's client is about to open."""
    seen: list[list[str]] = []
    target = slng.SlngClient._target

    def spy(client: slng.SlngClient, url: str, key: str) -> Any:
        made = target(client, url, key)
        seen.append(list(made.headers))
        return made

    monkeypatch.setattr(slng.SlngClient, "_target", spy)
    return seen


def paths(sandbox: Sandbox) -> set[str]:
    """Give the paths that were connected to."""
    messages = [entry.message or {} for entry in sandbox.log.entries()]
    return {message["path"] for message in messages if "path" in message}


# -- both commands --------------------------------------------------------------------------------


def test_speak_goes_through_the_gateway(gateway: Sandbox, tmp_path: Path) -> None:
    """`speak` writes a whole WAV that came over the gateway's speech route."""
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
    """`transcribe` writes the same words over each route, chosen by `--model`."""
    chosen = [] if model is None else ["--model", model]
    ran = run_cli(*QUICK, recording, *SLNG, *chosen, "--json")
    assert ran.code == 0, ran.err
    tokens = [t for line in ran.out.splitlines() for t in json.loads(line).get("tokens", ())]
    assert "".join(t["text"] for t in tokens if t.get("is_final")).strip() == SAID
    assert paths(gateway) == {path}


def test_both_work_in_the_sandbox_without_a_key(
    recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--sandbox --gateway slng` needs no key, no network, and takes the gateway's options."""
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


def test_places_and_keys_become_headers(
    gateway: Sandbox,
    requests: list[list[str]],
    recording: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Zone, datacenter, both keys travel in their headers; neither key is shown at -vv."""
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


def test_the_model_of_speech_chooses_its_route(gateway: Sandbox) -> None:
    """`speak --model` asks for that model's route, and shows the refusal of one that is none."""
    ran = run_cli(*SLNG, "speak", "Hello.", "--model", "tts-rt-v9", "-o", "-")
    assert ran.code == 1
    assert "/v1/tts/soniox/tts-rt:v9" in ran.err
    assert "404" in ran.err
    assert "X-World-Part-Override" in ran.err


def test_the_help_names_the_options() -> None:
    """`--help` of the program and of both commands says how to reach the gateway."""
    for command in ((), ("speak",), ("transcribe",)):
        ran = run_cli(*command, "--help")
        assert ran.code == 0
        for name in ("--gateway", "--world-part", "--provider-key-env", "SLNG_API_KEY"):
            assert name in ran.out


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(("variable", "option"), [("SLNG_API_KEY", ()), ("MINE", ("MINE",))])
def test_a_missing_key_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, recording: str, variable: str, option: tuple[str, ...]
) -> None:
    """Without the gateway's key the error names the variable; the service's own is not taken."""
    monkeypatch.setenv("SONIOX_API_KEY", "snx-not-this-one")
    monkeypatch.delenv(variable, raising=False)
    named = ("--api-key-env", *option) if option else ()
    for command in (("speak", "Hello.", "-o", "-"), (*QUICK, recording)):
        ran = run_cli(*SLNG, *named, *command)
        assert ran.code == 2
        assert variable in ran.err
        assert ran.out == ""


def test_a_missing_provider_key_is_a_usage_error(gateway: Sandbox, recording: str) -> None:
    """A variable that holds no provider's key is named, before anything is opened."""
    ran = run_cli(*SLNG, "--provider-key-env", "NOT_SET_ANYWHERE", *QUICK, recording)
    assert ran.code == 2
    assert "NOT_SET_ANYWHERE" in ran.err
    assert paths(gateway) == set()


def test_a_refused_key_is_told_in_the_gateway_s_words(
    gateway: Sandbox, recording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that the gateway refuses is exit code 1, its words, and the header to set."""
    monkeypatch.setenv("SLNG_API_KEY", "slng-some-other-key-of-mine")
    for command in (("speak", "Hello.", "-o", "-"), (*QUICK, recording)):
        ran = run_cli(*SLNG, *command)
        assert ran.code == 1
        assert "Incorrect API key" in ran.err
        assert "Authorization: Bearer" in ran.err
        assert "slng-some-other-key-of-mine" not in ran.err


def test_a_zone_that_does_not_serve_is_told(gateway: Sandbox) -> None:
    """A refused zone names where the route is served."""
    ran = run_cli(*SLNG, "--world-part", "ap", "speak", "Hello.", "-o", "-")
    assert ran.code == 1
    assert "served in na, not in ap" in ran.err


def test_a_refused_provider_key_is_told(
    gateway: Sandbox, recording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider's key that the service behind refuses is exit code 1, and says which key."""
    monkeypatch.setenv("MINE", "invalid-provider-key")
    ran = run_cli(*SLNG, "--provider-key-env", "MINE", *QUICK, "--no-reconnect", recording)
    assert ran.code == 1
    assert "provider_key" in ran.err
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
def test_other_commands_do_not_take_it(gateway: Sandbox, args: tuple[str, ...]) -> None:
    """Everything else is told apart as wrong usage, wherever the option stands."""
    for line in ((*SLNG, *args), (*args, *SLNG)):
        ran = run_cli(*line)
        assert ran.code == 2, ran.err
        assert f"--gateway is for speak and transcribe, not for {args[0]}" in ran.err
        assert ran.out == ""
    assert paths(gateway) == set()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--world-part", "eu", "speak", "Hi"), "--world-part needs --gateway"),
        (("--provider-key-env", "X", "speak", "Hi"), "--provider-key-env needs --gateway"),
        (("--gateway", "other", "speak", "Hi"), "slng"),
        (("--sandbox", *SLNG, "--api-key-env", "X", "speak", "Hi"), "--api-key-env"),
        ((*SLNG, "--world-part", "e u", "speak", "Hi", "-o", "-"), "world_part"),
    ],
)
def test_wrong_combinations(gateway: Sandbox, args: tuple[str, ...], said: str) -> None:
    """Options that need each other, or exclude each other, are exit code 2 and named."""
    ran = run_cli(*args)
    assert ran.code == 2
    assert said in ran.err
    assert paths(gateway) == set()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--translate", "de"), "translation"),
        (("--format", "srt"), "no times"),
        (("--format", "vtt"), "no times"),
        (("--languages",), "enable_language_identification"),
    ],
)
def test_what_a_route_cannot_say_is_a_usage_error(
    gateway: Sandbox, recording: str, args: tuple[str, ...], said: str
) -> None:
    """rt-v3 has no words for some options: told before anything is opened."""
    ran = run_cli(*SLNG, *QUICK, recording, "--model", "rt-v3", *args)
    assert ran.code == 2
    assert said in ran.err
    assert paths(gateway) == set()


def test_a_cut_line_of_a_route_without_times_is_an_error(gateway: Sandbox, recording: str) -> None:
    """On rt-v3 a lost line is exit code 1; what was heard before it is still written."""
    gateway.faults.drop(kind="stt", after_audio_ms=2500)
    ran = run_cli(*SLNG, *QUICK, recording, "--model", "rt-v3")
    assert ran.code == 1
    assert ran.err
