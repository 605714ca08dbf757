"""The code of the documentation's pages runs as it stands, and prints what the pages show.

How to write a page is in `tests/pages.py`. What needs a device is a function that is only defined.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from tests.pages import PageRun, agrees, blocks_of, commands_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.rst")}
# their code is run by tests of their own
ELSEWHERE = {"testing", "migration_python", "migration_javascript", "traces"}
PAGES = [
    name
    for name, text in sorted(TEXTS.items())
    if name not in ELSEWHERE
    and any(block.language in ("python", "console") for block in blocks_of(text))
]
# their readers begin in an empty folder
FROM_NOTHING = {"quickstart", "tutorial"}
KEY = "pages-key"
SAID = "Good morning. The meeting is open."


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Name a sandbox in the environment, and work in an empty folder."""
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("the pages show real speech: needs the extra sandbox")
    monkeypatch.chdir(tmp_path)
    with Sandbox(api_keys=[KEY], limits={"tts_pace": None}) as sandbox:
        urls = sandbox.urls
        for name, value in (
            ("SONIOX_API_KEY", KEY),
            ("SONIOX_API_BASE_URL", urls.api),
            ("SONIOX_WS_URL", urls.stt),
            ("SONIOX_TTS_API_URL", urls.tts_api),
            ("SONIOX_TTS_WS_URL", urls.tts),
            ("SLNG_API_KEY", KEY),
            ("SLNG_BASE_URL", urls.slng),
            ("SONIOX_API_WEBHOOK_SECRET", ""),
            ("SONIOX_SYNC_CACHE", str(tmp_path / "cache")),
        ):
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture(autouse=True)
def log_level_ends_with_the_page() -> Iterator[None]:
    """Take back the level that a page sets, as its program's end would."""
    logger = logging.getLogger("soniox_sync")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page: str, service: Sandbox) -> None:
    """Blocks and commands run in their order, and print what the page shows below them."""
    with SonioxClient() as client:
        if page not in FROM_NOTHING:
            client.realtime.speak(SAID, voice="Emma").save("meeting.wav")
        if page == "tutorial":  # its step 6 has the reader copy these
            agent = ROOT / "examples" / "flask_agent"
            shutil.copytree(agent / "templates", "templates")
            shutil.copy(agent / "sockets.py", ".")
        PageRun(page, {"client": client, "__name__": "__main__"}).run(TEXTS[page])


# -- the runner itself ----------------------------------------------------------------------------


def test_an_output_that_differs_is_noticed() -> None:
    """The text below a block must be what it prints; `...` stands for anything."""
    assert agrees("one\ntwo \n", "one\ntwo")
    assert agrees("took 3.4 s\n", "took ... s")
    assert not agrees("one\ntwo", "one")
    page = ".. code-block:: python\n\n    print(1)\n\n"
    page += ".. code-block:: text\n   :class: output\n\n    2\n"
    with pytest.raises(AssertionError, match="prints"):
        PageRun("page", {}).run(page)


def test_an_error_of_a_block_is_not_hidden() -> None:
    """What a block raises, and a command that nobody runs, fail the page."""
    with pytest.raises(ZeroDivisionError):
        PageRun("page", {}).run(".. code-block:: python\n\n    1 / 0\n")
    with pytest.raises(AssertionError, match="not run"):
        PageRun("page", {}).run(".. code-block:: console\n\n    $ rm file\n")


def test_commands_are_separated_from_their_output() -> None:
    """A console block is a list of commands, each with what follows it."""
    block = blocks_of(".. code-block:: console\n\n    $ a b  # why\n    out\n    $ c\n")[0]
    assert list(commands_of(block)) == [("a b", "out"), ("c", "")]
