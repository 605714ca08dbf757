"""Every golden trace replays to what its program got: the same transcript, the same audio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import SonioxError
from soniox_sync.sandbox import Sandbox
from tests.traces.make import FOLDER, make, outcomes, path_of
from tests.traces.programs import PROGRAMS

# all of them, in the repository and in the source distribution
MOST_BYTES = 300_000


def as_json(value: Any) -> Any:
    """Return a value as it is read back from JSON."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_golden_trace_replays_to_the_same(name: str) -> None:
    """The program gets the same from the replay, does nothing else, and plays all of it."""
    program = PROGRAMS[name]
    with Sandbox(replay=path_of(name), replay_speed=None) as sandbox:
        with program.client(sandbox) as client:
            got = program.run(client)
        assert sandbox.log.wait_until_idle()
        assert sandbox.replay.differences == ()
        assert as_json(got) == outcomes()[name]
        assert sandbox.replay.remaining == ()
        assert sandbox.replay.notes == ()


@pytest.mark.parametrize("name", ["session", "stream", "pool", "generated", "gateway_speech"])
def test_without_its_audio_a_trace_replays_to_silence(name: str) -> None:
    """Transcripts are the same, audio has the same length, and the sandbox says what it plays."""
    program = PROGRAMS[name]
    texts = path_of(name).read_text(encoding="utf-8").splitlines()
    lines = [_without_audio(json.loads(text)) for text in texts]
    with Sandbox(replay=lines, replay_speed=None) as sandbox, program.client(sandbox) as client:
        got, kept = as_json(program.run(client)), outcomes()[name]
        speaks = "text" not in kept
        assert sandbox.replay.differences == ()
        assert len(sandbox.replay.notes) == speaks
    for each in ("audio", "one", "two", "three") if speaks else ():
        if each in kept:
            assert got[each][0] == kept[each][0]
            assert got[each][1] != kept[each][1]
    assert got.get("text") == kept.get("text")
    assert got.get("header") == kept.get("header")


def _without_audio(value: Any) -> Any:
    """Return a line as it is without `trace_audio`."""
    if isinstance(value, dict):
        audio = "sha256" in value
        return {k: _without_audio(v) for k, v in value.items() if not (audio and k == "data")}
    return [_without_audio(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["session", "stream", "recording"])
def test_a_trace_replays_with_its_timing(name: str) -> None:
    """At the speed of the trace the result is the same."""
    program = PROGRAMS[name]
    with Sandbox(replay=path_of(name)) as sandbox, program.client(sandbox) as client:
        assert as_json(program.run(client)) == outcomes()[name]
        assert sandbox.replay.differences == ()


# a field that no program sets, for each kind of client
OTHER: dict[bool, dict[str, Any]] = {
    False: {
        "stt_defaults": {"language_hints": ["de"]},
        "tts_defaults": {"speed": 1.1},
    },
    True: {
        "stt_defaults": {"language_hints": ["de"]},
        "tts_defaults": {"client_reference_id": "x", "speed": 1.1},
    },
}
# over HTTP there are no such defaults; and one program catches the error itself
IN_REAL_TIME = [
    name for name in PROGRAMS if name not in ("job", "temporary_key", "generated", "error_frame")
]


@pytest.mark.parametrize("name", IN_REAL_TIME)
def test_another_config_is_told_by_every_kind_of_object(name: str) -> None:
    """Sessions, recordings, streams, speeches and pools raise an error that names the field."""
    program = PROGRAMS[name]
    with Sandbox(replay=path_of(name), replay_speed=None) as sandbox:
        with program.client(sandbox, **OTHER[program.gateway]) as client:
            with pytest.raises(
                SonioxError, match=r"replay of the trace stops here.*(language|speed)"
            ):
                program.run(client)
        assert sandbox.replay.differences[0].kind == "message"


@pytest.mark.parametrize("name", ["rolled", "job", "error_frame"])
def test_a_new_trace_has_the_same_outcome(name: str, tmp_path: Path) -> None:
    """The script makes a trace with the outcome of the one that is kept, but for ids."""
    new, kept = as_json(make(name, tmp_path / "t.jsonl")), outcomes()[name]
    for found in (new, kept):
        if "error" in found:
            found["error"][3] = "an id of its own"
    assert new == kept


def test_the_traces_are_small_and_hold_no_key() -> None:
    """All traces together stay below 300 KB, and none contains a key."""
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.jsonl")]
    assert len(texts) == len(PROGRAMS) == len(outcomes())
    assert sum(map(len, texts)) < MOST_BYTES
    key = Sandbox().api_key
    assert [text for text in texts if key in text or "snx_temp_" in text] == []
