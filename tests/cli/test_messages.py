"""Messages name options and commands where the library's name keywords and calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from soniox_sync.cli.reports import for_command_line
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import run_cli


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            'its format: audio_format="pcm_s16le", sample_rate=16000, num_channels=1.',
            "its format: --audio-format pcm_s16le --sample-rate 16000 --channels 1.",
        ),
        (
            'leave audio_format out, or pass audio_format="auto"',
            "leave it out, or pass --audio-format auto",
        ),
        ("region: expected one of 'us', got 'moon'", "--region: expected one of 'us', got 'moon'"),
        ("language_hints[0]: expected a str", "--language-hint: expected a str"),
        ("the key (api_key=, SLNG_API_KEY)", "the key (--api-key-env, SLNG_API_KEY)"),
        (
            "models that client.models and client.tts_models list",
            "models that `soniox-sync models` lists",
        ),
        (
            "lost. Gave up after 2 attempts to connect in 3 s (give_up_after_sec)",
            "lost. Gave up after 2 attempts to connect in 3 s (--give-up-after)",
        ),
        (
            "check this, or raise give_up_after_sec. Gave up (max_reconnect_attempts)",
            "check this, or raise --give-up-after. Gave up (--max-reconnect-attempts)",
        ),
        (
            "check the network and the region, or raise connect_timeout_sec",
            "check the network and the region",
        ),
        (
            "check region, base_domain and DNS",
            "check --region, SONIOX_BASE_DOMAIN and DNS",
        ),
        ("check region, base_url and DNS", "check --region, SLNG_BASE_URL and DNS"),
        ("set verify= to your CA file", "set REQUESTS_CA_BUNDLE to your CA file"),
        ("transcription_id: expected an id, got ''", "ID: expected an id, got ''"),
        ("file: expected a file with content", "FILE: expected a file with content"),
        ("voice: expected a str that is not empty, got ''", "--voice: must not be empty"),
        ("bitrate: expected None, as wav has no bitrate, got 3", "--bitrate: wav has no bitrate"),
        (
            "api_key: expected the bare key; remove the quotes in SLNG_API_KEY or api_key=",
            "the API key: expected the bare key; remove the quotes in the environment variable",
        ),
        # words of the service
        ("sample_rate must be 8000", "sample_rate must be 8000"),
        ("no model=tts at https://x.y/?model=1", "no model=tts at https://x.y/?model=1"),
    ],
)
def test_options_in_place_of_keywords(message: str, shown: str) -> None:
    """Keywords and calls in a message become options and commands; other words stay."""
    assert for_command_line(message) == shown


def test_no_key(keyless: None, recording: str) -> None:
    """Without a key the message names the options that help."""
    run = run_cli("transcribe", recording)
    assert run.err == (
        "soniox-sync: no API key: set SONIOX_API_KEY, or name another variable with "
        "--api-key-env; to try things out without a key use --sandbox\n"
    )


def test_unknown_region(keyless: None, recording: str) -> None:
    """An unknown region is reported with its option, and a way to use it."""
    run = run_cli("--region", "moon", "transcribe", recording)
    assert run.err.startswith("soniox-sync: --region: expected ")
    assert "SONIOX_BASE_DOMAIN='<region>.soniox.com'" in run.err and "base_domain=" not in run.err


def test_undecodable_audio_without_a_format(service: Sandbox, tmp_path: Path) -> None:
    """The advice for audio that the service cannot decode names options."""
    path = tmp_path / "noise.bin"
    path.write_bytes(b"\x01\x02\x03\x04" * 4000)
    run = run_cli("transcribe", str(path), "--pace", "0")
    assert run.code == 1
    assert "--audio-format pcm_s16le --sample-rate 16000 --channels 1" in run.err


def test_a_url_is_for_jobs(keyless: None) -> None:
    """A URL is refused with the two ways to transcribe it."""
    run = run_cli("--sandbox", "transcribe", "https://example.com/a.mp3")
    assert run.code == 2
    assert "download it" in run.err
    assert "soniox-sync jobs submit https://example.com/a.mp3" in run.err


def test_temp_key_names_its_argument(keyless: None) -> None:
    """A missing argument is reported with its choices."""
    run = run_cli("temp-key")
    assert run.code == 2
    assert run.err.startswith("soniox-sync: temp-key needs {stt,tts}\n")


@pytest.mark.parametrize("option", [["--delete-after"], ["--format", "text"], ["--timeout", "3"]])
def test_options_of_a_wait_need_a_wait(keyless: None, option: list[str]) -> None:
    """Options that only matter with --wait are refused without it, never ignored."""
    run = run_cli("jobs", "submit", "a.wav", *option)
    assert (run.code, run.err) == (2, f"soniox-sync: {option[0]} needs --wait\n")


def test_choices_of_shared_voices(keyless: None) -> None:
    """An unknown gender or age is refused with the choices."""
    for option in ("--gender", "--age"):
        run = run_cli("voices", "shared", option, "x")
        assert run.code == 2 and f"{option}: no choice 'x': one of " in run.err
