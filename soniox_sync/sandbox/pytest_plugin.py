"""Fixtures for tests of programs that use the library; pytest loads them through `pytest11`.

Imports nothing but pytest, and freezegun where that is installed, as every pytest run of an
environment loads it. Listing it in `pytest_plugins`, or with `-p`, as well does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

import pytest

try:
    import freezegun
except ImportError:
    freezegun = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from ..client import SonioxClient
    from . import Caller, Sandbox

_MARKER = "soniox_replay"
# the same in docs/reference/sandbox.rst
_USAGE = "soniox_replay(trace, speed=None, allow_remaining=False)"
# a connection that the test has just closed is over within milliseconds; one that it left open is
# not, and its test fails after this
_CLOSING_SEC = 5.0

# whether the test itself passed; whether its sandbox was used
_passed = pytest.StashKey[bool]()
_replayed = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; keep the clock of this package going while freezegun stops others.

    A deadline of a frozen clock never passes, and one that was made before it moved passes at once.
    What freezegun ignores is fixed when a test module calls `freeze_time()`, so this comes first.
    """
    if freezegun is not None:
        freezegun.configure(extend_ignore_list=["soniox_sync"])
    config.addinivalue_line(
        "markers",
        f"{_USAGE}: the fixture soniox_sandbox replays this trace, a path relative to the test's "
        "file; the test fails if its client does not do what is in the trace, all of it unless "
        "allow_remaining=True",
    )


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail a test with the marker that has replayed nothing."""
    if item.get_closest_marker(_MARKER) is not None and not item.stash.get(_replayed, False):
        pytest.fail(
            f"the marker {_MARKER} has no effect: the test uses neither soniox_sandbox nor "
            "soniox_client; add one of these fixtures, or remove the marker",
            pytrace=False,
        )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """Note whether a test has passed, for the check of its sandbox."""
    outcome = yield
    if call.when == "call":
        item.stash[_passed] = outcome.get_result().passed


@pytest.fixture
def soniox_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A started sandbox with default settings, a new one for each test; see `soniox_replay`."""
    from . import Sandbox

    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        with Sandbox() as sandbox:
            yield sandbox
        return
    request.node.stash[_replayed] = True
    marked = _read_marker(marker)
    with Sandbox(replay=request.path.parent / marked.trace, replay_speed=marked.speed) as sandbox:
        yield sandbox
        # of a test that failed or was skipped something remains in any case
        strict = not marked.allow_remaining and request.node.stash.get(_passed, False)
        if strict and sandbox.replay.remaining:
            sandbox.log.wait_until_idle(timeout_sec=_CLOSING_SEC)
    found = list(map(str, sandbox.replay.differences))
    if strict:
        found += [f"not played: {each}" for each in sandbox.replay.remaining]
    if found:
        lines = "\n".join(found)
        pytest.fail(f"the test did not do what is in the trace:\n{lines}", pytrace=False)


class _Marked(NamedTuple):
    """Arguments of the marker."""

    trace: Union[str, Path]
    speed: Optional[float] = None
    allow_remaining: bool = False


def _read_marker(marker: pytest.Mark) -> _Marked:
    """Return the arguments of the marker; wrong ones are an error of the test, with the usage."""
    from .._support.checks import boolean, refuse_unknown
    from ..errors import SonioxError

    try:
        refuse_unknown(marker.kwargs, _Marked._fields, f"the marker {_MARKER}")
        marked = _Marked(*marker.args, **marker.kwargs)
        boolean("allow_remaining", marked.allow_remaining)
        return marked._replace(trace=Path(marked.trace))
    except SonioxError as error:
        pytest.fail(f"{error}\nusage: {_USAGE}", pytrace=False)
    except TypeError:  # none, too many, one of them twice, or no path
        said = f"the marker {_MARKER} takes one trace, a path"
        pytest.fail(f"{said}\nusage: {_USAGE}", pytrace=False)


@pytest.fixture
def soniox_client(soniox_sandbox: Sandbox) -> Iterator[SonioxClient]:
    """A `SonioxClient` connected to the sandbox of the test, closed after it."""
    with soniox_sandbox.client() as client:
        yield client


@pytest.fixture
def soniox_caller(soniox_sandbox: Sandbox) -> Callable[..., Caller]:
    """A function that makes a scripted caller: `soniox_caller(lines)`, as `Sandbox.caller()`."""
    return soniox_sandbox.caller
