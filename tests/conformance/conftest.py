"""The conformance job: the official SDK and this library side by side against the sandbox.

Nothing here imports the SDK while pytest collects; where it is not installed everything is
skipped. `python -m pip install -e ".[conformance]" && python -m pytest tests/conformance`
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from conformance_kit import Kit

from soniox_sync.sandbox import Sandbox

_HERE = Path(__file__).parent
_REASON = (
    'the official SDK is not installed: pip install -e ".[conformance]" (Python 3.10 or newer)'
)
# the SDK calls `websockets` in a way that its newest releases deprecate
_SDK_WARNING = r"ignore:connect\(\) must be used as a context manager:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(_SDK_WARNING))


def pytest_runtest_setup(item: pytest.Item) -> None:
    # here rather than by a marker: the summary then has one line for all of them
    if importlib.util.find_spec("soniox") is None:
        pytest.skip(_REASON)


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes, by default with tones as fast as they come, and close them."""
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
    """Serve one sandbox with default limits, as fast as it can."""
    return make_sandbox()


@pytest.fixture(params=["official", "ours"])
def make_kit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Kit]]:
    """Make clients of either kind for a sandbox; the same test runs with both."""
    made: list[Kit] = []

    def make(sandbox: Sandbox, api_key: str = "sandbox-key") -> Kit:
        kind: Callable[..., Kit]
        if request.param == "official":
            from official_kit import OfficialKit as kind
        else:
            from our_kit import OurKit as kind
        made.append(kind(sandbox, api_key, monkeypatch))
        return made[-1]

    yield make
    for kit in made:
        kit.close()


@pytest.fixture
def kit(make_kit: Callable[..., Kit], sandbox: Sandbox) -> Kit:
    """Give one client of either kind for the test's sandbox."""
    return make_kit(sandbox)
