"""Tables and lists of the documentation are complete: variables, errors, examples, names."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import soniox_sync
from soniox_sync import errors
from soniox_sync.rest.webhooks import MissingWebhookSecretError

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(soniox_sync.__file__).parent


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text(encoding="utf-8")


# -- environment variables ------------------------------------------------------------------------

_OURS = re.compile(r"(SONIOX|SLNG)_[A-Z_]+")
# read by the names of other variables: what `--api-key-env` names, all proxies, all secrets
READ_BY_NAME = {
    "cli/commands/demo.py",
    "cli/doctor/setup.py",
    "cli/services.py",
    "service.py",
    "transport/proxies.py",
}


def documented_variables() -> set[str]:
    """Return the names in the first column of the table."""
    cells = re.findall(r"^   \* - (``.*)$", page("environment"), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"``(\w+)``", cell)}


def is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def is_read(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and is_environ(node.value) and node.attr == "get"


def keys_read(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what `os.environ` is asked for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and is_environ(node.value):
            yield node.slice
        elif isinstance(node, ast.Compare) and any(map(is_environ, node.comparators)):
            yield node.left
        elif isinstance(node, ast.Call) and is_read(node.func):
            yield node.args[0]


def variables_read() -> tuple[set[str], set[str]]:
    """Return the names in the source, and the modules that read one whose name is not there."""
    names: set[str] = set()
    by_name: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "environ" not in source and not _OURS.search(source):
            continue  # most modules: parsing takes a while
        tree = ast.parse(source)
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        names |= {text for text in texts if isinstance(text, str) and _OURS.fullmatch(text)}
        for key in keys_read(tree):
            if isinstance(key, ast.Constant):
                names.add(str(key.value))
            elif not (isinstance(key, ast.Name) and key.id.isupper()):  # a constant: see above
                by_name.add(path.relative_to(PACKAGE).as_posix())
    return {name for name in names if name[0] != "_"}, by_name  # `_ARGCOMPLETE`: the shell's


def test_every_variable_is_in_the_table() -> None:
    """The table of environment variables has each that the source reads, and no other."""
    read, by_name = variables_read()
    assert len(read) > 12
    proxies = {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}
    assert documented_variables() == read | proxies
    # a new one may read a variable that the table does not have
    assert by_name <= READ_BY_NAME


# -- errors ---------------------------------------------------------------------------------------


def rows_of_errors() -> dict[str, tuple[set[str], str]]:
    """Return, by the name of each class in the table, its bases and whether to retry."""
    row = r"^   \* - .*?(\w+)`+\n     - .*\n     - (.*)\n     -(.*)$"
    found = re.findall(row, page("errors"), re.MULTILINE)
    return {name: (set(re.findall(r"\w+", bases)), retry.strip()) for name, bases, retry in found}


def error_classes() -> dict[str, type[BaseException]]:
    names = {name for name in soniox_sync.__all__ if name.endswith("Error")}
    classes = {name: getattr(soniox_sync, name) for name in names}
    classes.update((name, getattr(errors, name)) for name in errors.__all__ if name[0].isupper())
    return {**classes, "MissingWebhookSecretError": MissingWebhookSecretError}


def test_every_error_is_in_the_table() -> None:
    """The table of errors has each public class, and no other."""
    assert set(rows_of_errors()) == set(error_classes())


@pytest.mark.parametrize("name", sorted(rows_of_errors()))
def test_a_row_of_an_error_names_its_bases(name: str) -> None:
    """The column of bases names the classes that an `except` may name instead."""
    bases, _ = rows_of_errors()[name]
    cls = error_classes()[name]
    public = {base.__name__ for base in cls.__mro__[1:] if not base.__name__.startswith("_")}
    assert bases <= public
    direct = {base.__name__ for base in cls.__bases__ if not base.__name__.startswith("_")}
    assert direct <= bases


def test_retries_in_the_table_are_those_of_the_library() -> None:
    """What the table says about another attempt is what `is_retriable()` returns."""
    frames = {
        "BadRequestError": (400, "invalid_request"),
        "RealtimeAuthError": (401, "unauthenticated"),
        "RealtimeRateLimitError": (429, "limit_exceeded"),
        "NetworkError": (503, "service_unavailable"),
    }
    rows = rows_of_errors()
    for name, (code, kind) in frames.items():
        frame = {"error_code": code, "error_type": kind, "error_message": "It failed."}
        error = errors.error_from_frame(frame)
        assert type(error).__name__ == name
        assert errors.is_retriable(error) == (rows[name][1] == "yes")
    for name in ("StateError", "AbortError", "ConfigurationError", "BufferOverflowError"):
        assert not errors.is_retriable(error_classes()[name]("It failed."))
        assert rows[name][1] == "no"


def test_every_code_of_an_error_is_on_the_page() -> None:
    """What a program may compare `code` with is on the page of errors, in literals."""
    codes: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in ("sandbox", "cli"):
            codes.update(re.findall(r'\bcode ?= ?"(\w+)"', path.read_text(encoding="utf-8")))
    assert {"closed", "auth_error", "http_error"} <= codes
    codes.remove(errors.RateLimitError.code)  # what is raised is one of its subclasses
    assert {code for code in codes if f"``{code}``" not in page("errors")} == set()


# -- examples -------------------------------------------------------------------------------------


def test_the_list_of_examples_is_complete() -> None:
    """The page lists each example once, and nothing else."""
    named = re.findall(r"^``([\w/]+\.py)`` ", page("examples"), re.MULTILINE)
    for name in named:
        assert (ROOT / "examples" / name).is_file(), name
    tops = [name.split("/")[0] for name in named]
    there = (path.name for path in (ROOT / "examples").iterdir() if path.name[0] not in "._")
    assert sorted(tops) == sorted(there)
    # a program that is one file is shown whole
    shown = re.findall(r"literalinclude:: \.\./examples/(\w+\.py)", page("examples"))
    assert shown == [name for name in named if "/" not in name]


# -- the way there --------------------------------------------------------------------------------


def test_every_page_is_in_the_index() -> None:
    """The index lists every page, in sections, and each once."""
    listed = re.findall(r"^   ([\w/]+)$", page("index"), re.MULTILINE)
    pages = {path.stem for path in DOCS.glob("*.rst") if path.name[0] != "_"} - {"index"}
    assert sorted(listed) == sorted([*pages, "reference/index"])
    assert re.findall(r":caption: (.*)", page("index"))[0] == "Start"


def test_every_changelog_entry_is_a_release() -> None:
    """The newest entry of the changelog is the version of the source."""
    entries = re.findall(r"^(\d+\.\d+\.\d+)\n-+$", page("changelog"), re.MULTILINE)
    assert entries[0] == importlib.import_module("soniox_sync._version").__version__
