"""Conformance tests: the official SDK and this library against the same sandbox.

They are skipped if the SDK is not installed, and pytest collects them without importing it.
`python -m pip install -e ".[conformance]" && python -m pytest tests/conformance`

Those in JavaScript need Node.js, and once
`npm install --no-package-lock --prefix tests/conformance/programs`

A module that needs no official SDK for Python says `NEEDS_SDK = False`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import Kit

_HERE = Path(__file__).parent
_REASON = (
    'the official SDK is not installed: pip install -e ".[conformance]" (Python 3.10 or newer)'
)
# the SDK calls `websockets` in a way that newer releases of it deprecate
_SDK_WARNING = r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(_SDK_WARNING))


def pytest_runtest_setup(item: pytest.Item) -> None:
    # here, not by a marker, so that the summary has one line for all of them
    needed = getattr(item.module, "NEEDS_SDK", True)  # type: ignore[attr-defined]
    if needed and importlib.util.find_spec("soniox") is None:
        pytest.skip(_REASON)


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Provide a function that starts sandboxes, by default with tones and without pacing."""
    made: list[Sandbox] = []

    def make(limits: Any = None, **options: Any) -> Sandbox:
        options.setdefault("engines", "tones")
        made.append(Sandbox(limits={"tts_pace": None, **(limits or {})}, **options).start())
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """Provide a sandbox with default limits and without pacing."""
    return make_sandbox()


@pytest.fixture(params=["official", "ours"])
def make_kit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Kit]]:
    """Provide a function that makes a client of a sandbox; each test runs with both kinds."""
    made: list[Kit] = []

    def make(sandbox: Sandbox, api_key: str = "sandbox-key") -> Kit:
        kind: Callable[..., Kit]
        if request.param == "official":
            from tests.conformance.official_kit import OfficialKit as kind
        else:
            from tests.conformance.our_kit import OurKit as kind
        made.append(kind(sandbox, api_key, monkeypatch))
        return made[-1]

    yield make
    for kit in made:
        kit.close()


@pytest.fixture
def kit(make_kit: Callable[..., Kit], sandbox: Sandbox) -> Kit:
    """Provide a client of the test's sandbox; each test runs with both kinds."""
    return make_kit(sandbox)
