"""The documentation builds without a warning, and agrees with the code."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import soniox_sync
from soniox_sync import errors
from soniox_sync.config import keywords as config_keywords
from soniox_sync.rest import keywords as rest_keywords
from tests.service_errors import OF_SPEECH, OF_TRANSCRIPTION
from tests.test_architecture import LAYERS, MODULES, level_of, unit_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(soniox_sync.__file__).parent
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.glob("*.rst")}
# half a minute of work; minutes where others work as well
BUILD_SEC = 600.0

sys.path.insert(0, str(DOCS / "_ext"))
house_docstrings = importlib.import_module("house_docstrings")
lock_table = importlib.import_module("lock_table")
name_list = importlib.import_module("name_list")
sys.path.remove(str(DOCS / "_ext"))


# -- that it builds -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages as `python -m sphinx -W` does, in a process of its own."""
    pytest.importorskip("sphinx", reason="needs the extra docs: sphinx is not installed")
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E"]
    command += ["-D", "html_theme=basic"]  # a theme is a matter of looks, and takes its time
    command += ["-d", str(out / "doctrees"), str(DOCS), str(out / "html")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=BUILD_SEC, cwd=str(ROOT), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == ""
    return out / "html"


def inventory(html: Path) -> set[str]:
    """Return every name that the pages describe."""
    data = (html / "objects.inv").read_bytes()
    body = zlib.decompress(data.split(b"\n", 4)[4]).decode("utf-8")
    return {line.split()[0] for line in body.splitlines() if " py:" in line}


def test_every_public_name_has_its_entry(built: Path) -> None:
    """The reference describes every name in `__all__` of the package and its submodules."""
    described = inventory(built)
    missing = []
    for name, path in house_docstrings.public_names().items():
        module = path.split(".")[1]
        thing = getattr(importlib.import_module(path.rpartition(".")[0]), name)
        value = not callable(thing) or not hasattr(thing, "__name__")  # constants, unions
        if path not in described and not value and module != "config":
            missing.append(path)
    assert missing == []


def test_every_public_name_is_two_clicks_away(built: Path) -> None:
    """The index leads to the reference, whose first page has a link to the entry of each name."""
    index = (built / "index.html").read_text(encoding="utf-8")
    assert 'href="reference/index.html"' in index
    page = (built / "reference" / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="\w+\.html#([\w.]+)"', page))
    expected = [path for paths in name_list.listed_names().values() for path in paths]
    assert len(expected) > 150
    assert [path for path in expected if path not in linked] == []


def test_citations_become_links(built: Path) -> None:
    """`PROTOCOL 3.5` in a docstring becomes a link to that section."""
    page = (built / "reference" / "speech.html").read_text(encoding="utf-8")
    assert re.search(r'href="[./]*protocol\.html#protocol-3-5"', page)


def test_public_names_become_links(built: Path) -> None:
    """A class in single backticks becomes a link to its entry."""
    page = (built / "reference" / "transcription.html").read_text(encoding="utf-8")
    assert re.search(r'href="errors\.html#soniox_sync\.SonioxConnectionError"', page)


# -- the house's docstrings, read by Sphinx -------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "translated"),
    [
        ("Give `x`.", "Give ``x``."),
        ("See `Token`s.", "See :py:obj:`Token <soniox_sync.Token>`\\ s."),
        ("A `two\nword` name.", "A ``two word`` name."),
        ("All *args, a_ and b_c.", "All \\*args, a\\_ and b_c."),
        ("From PROTOCOL 3.3.10.", "From :ref:`PROTOCOL 3.3.10 <protocol-3-3>`."),
        (
            "PROTOCOL 2.6, 3.7",
            ":ref:`PROTOCOL 2.6 <protocol-2-6>`, :ref:`3.7 <protocol-3-7>`",
        ),
        ("See docs/performance.rst.", "See :doc:`/performance`."),
    ],
)
def test_markup_is_translated(source: str, translated: str) -> None:
    """Docstrings, written to be read in the source, are translated for Sphinx."""
    assert "\n".join(house_docstrings.rewrite(source.split("\n"))).strip() == translated


def test_raises_becomes_a_list() -> None:
    """Each exception of a block gets its entry, also two in one line."""
    block = ["Raises", "    OSError: not there. StateError: too", "        late."]
    assert [line for line in house_docstrings.rewrite(block) if line] == [
        ":raises OSError: not there.",
        ":raises StateError: too late.",
    ]


def test_literal_blocks_stay_as_they_are() -> None:
    """Code after a double colon is not touched."""
    lines = ["Like this::", "", "    a = `b` * c_", "", "and `so`"]
    assert house_docstrings.rewrite(lines)[2:5] == ["    a = `b` * c_", "", "and ``so``"]


# -- the architecture page ------------------------------------------------------------------------


def module_map() -> list[str]:
    page = PAGES["architecture"]
    listed = page.partition("module-map-begin")[2].partition("module-map-end")[0]
    return re.findall(r"^``([\w.]+)``$", listed, re.MULTILINE)


def test_the_module_map_is_complete() -> None:
    """The page lists exactly the units of the architecture test, and every module is in one."""
    assert sorted(module_map()) == sorted(unit for units in LAYERS for unit in units)
    assert {unit_of(module) for module in MODULES if module} == set(module_map())


def test_the_module_map_points_one_way() -> None:
    """Units are listed in the order of the layers, which imports must follow."""
    levels = [level_of(name) or 0 for name in module_map()]
    assert levels == sorted(levels)


def test_every_lock_says_what_it_guards() -> None:
    """The comment above each new lock says what it guards; the table of locks consists of these."""
    locks = lock_table.all_locks()
    assert len(locks) > 20
    silent = [
        f"{lock.module}:{lock.line} {lock.attribute}"
        for lock in locks
        if not re.match(r"Guards|Serialises", lock.sentence)
    ]
    assert silent == []


def test_the_lock_table_is_on_the_page(built: Path) -> None:
    """The page shows each lock of the library with its sentence."""
    page = (built / "architecture.html").read_text(encoding="utf-8")
    owners = ("runtime.connection.Connection", "transport.sender.Sender")
    for owner in (*owners, "realtime.stt.core.SessionCore"):
        assert f">{owner}<" in re.sub(r"</?span[^>]*>", "", page)


def test_the_threads_have_their_names() -> None:
    """The thread names on the page are those in the code."""
    code = "\n".join(text_of(path) for path in PACKAGE.rglob("*.py"))
    for name in re.findall(r"``(soniox-[a-z]+(?:-[a-z]+)?)", PAGES["architecture"]):
        assert f'"{name}' in code, name


# -- citations ------------------------------------------------------------------------------------


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def our_files() -> list[Path]:
    found = [ROOT / "README.rst", ROOT / "setup.cfg"]
    for folder, pattern in (
        ("soniox_sync", "*.py"),
        ("tests", "*.py"),
        ("examples", "*.py"),
        ("docs", "*.rst"),
        ("docs", "*.py"),
    ):
        found += (ROOT / folder).rglob(pattern)
    return [path for path in found if path != Path(__file__)]


def sections() -> dict[str, int]:
    """Return the numbers of the protocol notes' sections, each with its count of numbered rules."""
    parts = re.split(r"^(\d+(?:\.\d+)?) .+\n[-~]+$", PAGES["protocol"], flags=re.MULTILINE)
    return {
        number: len(re.findall(r"^\d+\. ", body, re.MULTILINE))
        for number, body in zip(parts[1::2], parts[2::2])
    }


def test_the_protocol_notes_are_complete() -> None:
    """Sections are numbered 1 to 12 without a gap, and each has its label."""
    numbers = list(sections())
    assert [number for number in numbers if "." not in number] == [str(n) for n in range(1, 13)]
    for number in numbers:
        assert f".. _{house_docstrings.section_label(number)}:\n" in PAGES["protocol"]
    rules = re.findall(r"^(\d+)\. ", PAGES["protocol"].partition("\n10 Traps\n")[2], re.MULTILINE)
    assert rules == [str(n) for n in range(1, len(rules) + 1)]


def cited(text: str) -> Iterator[str]:
    for match in re.finditer(r"PROTOCOL (\d+(?:\.\d+)*)((?:(?:, | and | - )\d+(?:\.\d+)*)*)", text):
        yield match[1]
        yield from re.findall(r"\d+(?:\.\d+)*", match[2])


def test_citations_of_the_protocol_exist() -> None:
    """Every section and rule cited in code, tests or pages is in the notes."""
    known = sections()
    dead = []
    for path in our_files():
        for number in cited(text_of(path)):
            section = number if number in known else number.rpartition(".")[0]
            rule = 0 if number in known else int(number.rpartition(".")[2])
            if section not in known or rule > known[section]:
                dead.append(f"{path.relative_to(ROOT)}: PROTOCOL {number}")
    assert dead == []


def test_pages_that_are_mentioned_exist() -> None:
    """Every `docs/x.rst` in code is a page, and no other document is mentioned."""
    wrong = []
    for path in our_files():
        text = text_of(path)
        wrong += [
            f"{path.relative_to(ROOT)}: {name}"
            for name in re.findall(r"\bdocs/([\w/]+)\.rst\b", text)
            if not (DOCS / f"{name}.rst").exists()
        ]
        wrong += [
            f"{path.relative_to(ROOT)}: {mention}"
            for mention in re.findall(r"\b[A-Z]+\.md\b|\bHOUSE\b|\bAPI \d", text)
        ]
    assert wrong == []


# -- pages about errors and other SDKs ------------------------------------------------------------


def test_every_error_is_explained() -> None:
    """The page of errors explains each class."""
    page = PAGES["errors"].partition("What to do\n")[2]
    classes = [name for name in errors.__all__ if name[0].isupper() and name != "SonioxError"]
    assert [name for name in classes if not re.search(rf"[.`]{name}`", page)] == []


def test_every_error_of_the_service_is_explained() -> None:
    """The page of errors explains each documented error frame."""
    page = PAGES["errors"]
    listed = set(re.findall(r"^(\d{3})   ``(\w+)``  +\w", page, re.MULTILINE))
    known = {(str(each.code), each.type) for each in [*OF_TRANSCRIPTION, *OF_SPEECH]}
    assert listed == known


CLIENT = soniox_sync.SonioxClient("a-key")
# the objects that the names on the pages refer to
OBJECTS: dict[str, Any] = {
    "client": CLIENT,
    "session": soniox_sync.SttSession,
    "stream": soniox_sync.TtsStream,
    "connection": soniox_sync.TtsConnection,
    "recording": soniox_sync.Recording,
    "soniox_sync": soniox_sync,
}


def columns(page: str) -> list[tuple[str, str]]:
    """Return the first two cells of every row of the tables of a page."""
    rows = re.findall(r"^   \* - (.*)\n     - (.*)\n", PAGES[page], re.MULTILINE)
    return [(there, here) for there, here in rows if here != "soniox_sync"]


def literals(cell: str) -> list[str]:
    return re.findall(r"``(.+?)``", cell)


def test_the_guides_are_found() -> None:
    """The tables of the migration guides are found."""
    assert len(columns("migration_python")) > 80
    assert len(columns("migration_javascript")) > 40


PATH = re.compile(rf"({'|'.join(OBJECTS)})((?:\.\w+)+)")
# every page with text of its own, and the README
TEXTS = {
    **PAGES,
    **{f"reference/{path.stem}": path.read_text("utf-8") for path in DOCS.glob("reference/*.rst")},
    "README": (ROOT / "README.rst").read_text(encoding="utf-8"),
}


def found_at(path: str) -> Any:
    """Return what a path such as `client.files.upload` refers to; `None` if it does not exist."""
    head, *names = path.split(".")
    found = OBJECTS[head]
    for name in names:
        if found is soniox_sync and name in ("transcript", "audio", "sandbox", "sources", "rest"):
            found = importlib.import_module(f"soniox_sync.{name}")
        elif hasattr(found, name):
            found = getattr(found, name)
        elif name in getattr(found, "__annotations__", {}):
            return found  # a field
        else:
            return None
    return found


def own_literals(page: str) -> list[str]:
    """Return the literals of a page, except those in the column of another SDK."""
    return literals(re.sub(r"^   \* - .*$", "", TEXTS[page], flags=re.MULTILINE))


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_methods_on_pages_exist(page: str) -> None:
    """Every method of ours that a page names exists."""
    paths = [match for match in map(PATH.match, own_literals(page)) if match]
    assert paths or page not in ("threads", "errors", "migration_python")
    assert [match[0] for match in paths if found_at(match[0]) is None] == []


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_keywords_on_pages_exist(page: str) -> None:
    """A call on a page, `client.webhooks.verify(secret=)`, names existing parameters."""
    wrong = []
    for literal in own_literals(page):
        call = re.fullmatch(r"([\w.]+)\((.*)\)", literal)
        if call is None or not PATH.fullmatch(call[1]):
            continue
        parameters = inspect.signature(found_at(call[1])).parameters
        takes_more = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        names = set(re.findall(r"(\w+)=", call[2]))
        if not takes_more and not names <= set(parameters):
            wrong.append(literal)
    assert wrong == []


KEYWORDS = {**vars(config_keywords), **vars(rest_keywords)}


@pytest.mark.parametrize(("page", "row"), [("migration_python", 75), ("migration_javascript", 40)])
def test_options_that_a_guide_names_are_those_of_the_call(page: str, row: int) -> None:
    """In the rows of a guide that name one call of ours, each `option_sec` in them is real."""
    rows = re.findall(r"^   \* - .*\n     - (.*)\n     - ?(.*)\n", PAGES[page], re.MULTILINE)
    assert len(rows) > row
    wrong = []
    for here, difference in rows:
        calls = [call for call in literals(here) if PATH.match(call) and call.endswith(")")]
        options = re.findall(r"``(\w+_(?:sec|ms)|on_\w+|delete_after)``", difference)
        for option in options if len(calls) == 1 else ():
            cls = found_at(PATH.match(calls[0])[0])  # type: ignore[index]
            if option not in known_options(cls):
                wrong.append(f"{calls[0]}: {option}")
    assert wrong == []


def known_options(call: Any) -> set[str]:
    """Return a call's parameters, the keywords behind `Unpack[...]`, and fields of options."""
    options: set[str] = set()
    for name, parameter in inspect.signature(call).parameters.items():
        shown = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        options |= set(KEYWORDS[shown[1]].__annotations__) if shown else {name}
    for name in ("SttSessionOptions", "Reconnecting", "Reconnected"):
        options |= set(getattr(soniox_sync, name).__dataclass_fields__)
    return options


@pytest.mark.parametrize("page", ["migration_python", "migration_javascript"])
def test_classes_in_guides_exist(page: str) -> None:
    """Every class that the middle column of a guide names exists."""
    names = [name for _, here in columns(page) for name in literals(here)]
    known = set(house_docstrings.public_names()) | {"TranscriptionFailedError"}
    dead = [
        name
        for name in names
        if re.match(r"[A-Z]\w+$", name) and name not in known and not name.isupper()
    ]
    assert dead == []


OFFICIAL = (
    "realtime.stt.RealtimeSTTSession",
    "realtime.stt.RealtimeSTTClient",
    "realtime.tts.RealtimeTTSConnection",
    "realtime.tts.RealtimeTTSClient",
    "realtime.tts.RealtimeTTSMultiplexedConnection",
    "api.stt.SttAPI",
    "api.tts.TtsAPI",
    "api.files.FilesAPI",
    "api.voices.VoicesAPI",
    "api.models.ModelsAPI",
    "api.tts_models.TtsModelsAPI",
    "api.auth.AuthAPI",
    "api.usage.UsageAPI",
    "api.usage_logs.UsageLogsAPI",
    "api.concurrency_limits.ConcurrencyLimitsAPI",
    "api.webhooks.SonioxWebhooksAPI",
)


@pytest.mark.skipif(
    importlib.util.find_spec("soniox") is None, reason="needs the official SDK (conformance)"
)
def test_every_method_of_the_official_sdk_is_in_the_guide() -> None:
    """The guide from the official Python SDK names every method of it, and no others."""
    named = set(re.findall(r"``(\w+\.\w+)", PAGES["migration_python"]))
    real, roots = set(), set()
    for path in OFFICIAL:
        module, _, name = path.rpartition(".")
        cls = getattr(importlib.import_module(f"soniox.{module}"), name)
        roots.add(name)
        real |= {f"{name}.{member}" for member in vars(cls) if not member.startswith("_")}
    assert sorted(real - named) == []
    assert sorted(one for one in named if one.split(".")[0] in roots and one not in real) == []


# -- code on the pages ----------------------------------------------------------------------------


def code_blocks() -> list[tuple[str, str]]:
    found = []
    for name, page in sorted(PAGES.items()):
        for block in re.findall(r"\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", page):
            found.append((name, textwrap.dedent(block)))
    return found


@pytest.mark.parametrize(("page", "code"), code_blocks())
def test_code_on_pages_is_python(page: str, code: str) -> None:
    """Every block parses, and imports only names of ours that exist."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("soniox_sync"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{page}: {node.module}.{alias.name}"
