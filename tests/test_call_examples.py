"""The examples of the reference run, and the calls that users make all have one."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from tests.test_pages import SAID, service

__all__ = ["service"]  # a fixture

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
parameter_lists = importlib.import_module("parameter_lists")
sys.path.remove(str(ROOT / "docs" / "_ext"))

# every call of these has an example
CLASSES = (
    "soniox_sync.realtime.facade.Realtime",
    "soniox_sync.realtime.facade.TtsFactory",
    "soniox_sync.Transcription",
    "soniox_sync.Speech",
    "soniox_sync.TtsStream",
    "soniox_sync.TtsPool",
    "soniox_sync.Transcript",
    "soniox_sync.SonioxClient",
    "soniox_sync.rest.tts.TtsApi",
    "soniox_sync.rest.files.FilesApi",
    "soniox_sync.rest.stt.api.SttApi",
    "soniox_sync.rest.webhooks.WebhooksApi",
    "soniox_sync.rest.catalog.ModelsApi",
    "soniox_sync.rest.catalog.TtsModelsApi",
    "soniox_sync.rest.voices.VoicesApi",
    "soniox_sync.rest.auth.AuthApi",
    "soniox_sync.rest.usage.UsageApi",
    "soniox_sync.rest.usage.UsageLogsApi",
    "soniox_sync.rest.usage.ConcurrencyLimitsApi",
)
# what every object with handlers has: the example is that of `Recording`
HANDLERS = ("on", "once", "off")
FILES = sorted(path.stem for path in parameter_lists.EXAMPLES.glob("*.py"))


def found_at(path: str) -> Any:
    """Return what a dotted name stands for."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for name in parts[count:]:
            thing = getattr(thing, name)
        return thing
    raise ImportError(path)


def calls_of(path: str) -> Iterator[str]:
    for name, _ in inspect.getmembers(found_at(path), inspect.isfunction):
        shown = not name.startswith("_") or name == "__call__"
        if shown and name not in HANDLERS:
            yield f"{path}.{name}"


@pytest.mark.parametrize("path", CLASSES)
def test_every_call_has_an_example(path: str) -> None:
    """The calls of a class that users make all have an example."""
    calls = list(calls_of(path))
    assert calls
    assert [call for call in calls if call not in parameter_lists.examples()] == []


def test_examples_are_of_what_exists() -> None:
    """Each example is that of a class, a method or a function."""
    assert len(parameter_lists.examples()) > 150
    assert all(callable(found_at(name)) for name in parameter_lists.examples())


@pytest.mark.parametrize("name", FILES)
def test_the_examples_run(name: str, service: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples of a page run one after the other, as they stand."""
    code = (parameter_lists.EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    with SonioxClient() as client:
        client.realtime.speak(SAID, voice="Emma").save("meeting.wav")
        caller = service.caller(["What time is it?"], speed=4.0)
        names = {"client": client, "caller": caller}
        exec(compile(code, f"docs/_examples/{name}.py", "exec"), names)
    if name == "conversation":
        assert "What time is it? -> " in capsys.readouterr().out


# -- lists of parameters --------------------------------------------------------------------------


def sample(
    source: str, *, pace: bool = True, cancel: Any = None, **keywords: Any
) -> None:  # pragma: no cover
    """Do something."""


def test_a_paragraph_becomes_a_list_of_parameters() -> None:
    """What a paragraph says of each parameter is said in a list; what it says of all stays."""
    lines = ["Do it.", "", "`source`: a path. `pace`: how fast. `True`: in real time. Thread-safe."]
    assert parameter_lists.described(sample, [*lines, "", "Raises", "    OSError: no."]) == [
        *("Do it.", "", "Thread-safe.", ""),
        "Args",
        "    source: a path.",
        "    pace: how fast. `True`: in real time.",
        "    cancel: a `CancelToken` that ends the call with `AbortError`.",
        *("", "Raises", "    OSError: no.", ""),
    ]


def test_a_list_becomes_one_of_parameters() -> None:
    """Items with several names and their defaults become an entry for each."""
    lines = ["Do it.", "", "All, with their defaults:", "", "- `source`, `pace` (True): what."]
    assert parameter_lists.described(sample, lines)[2:6] == [
        *("Args", "    source: what.", "    pace: what. Default: True."),
        "    cancel: a `CancelToken` that ends the call with `AbortError`.",
    ]
