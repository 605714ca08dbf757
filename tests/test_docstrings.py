"""Every public name has a docstring, with units, errors and names that exist."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Optional, get_args

import pytest

import soniox_sync
from soniox_sync.rest.records import Record

# submodules whose `__all__` is public beside that of the package
SUBMODULES = ("errors", "sources", "transcript", "audio", "sandbox", "rest", "telephony", "web")


@dataclass(frozen=True)
class Documented:
    """One public thing: its path, what it is, and the class it belongs to."""

    path: str
    thing: Any
    owner: Optional[type]

    @property
    def doc(self) -> str:
        """Its own docstring; one that Python generated does not count."""
        text = inspect.getdoc(self.thing) or ""
        if self.thing is self.owner or inspect.isclass(self.thing):
            own: Optional[str] = vars(self.thing).get("__doc__")
            text = inspect.cleandoc(own) if own else ""
            if is_dataclass(self.thing) and text.startswith(f"{self.thing.__name__}("):
                return ""
        return text

    @property
    def context(self) -> str:
        """Its docstring together with that of its class."""
        around = inspect.getdoc(self.owner) if self.owner is not None else ""
        return f"{self.doc}\n{around}"


def is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("soniox_sync")


def find(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def top_names() -> dict[str, Any]:
    """Return the public functions and classes, by path."""
    paths = [f"soniox_sync.{name}" for name in soniox_sync.__all__]
    for module in SUBMODULES:
        names = importlib.import_module(f"soniox_sync.{module}").__all__
        paths += [f"soniox_sync.{module}.{name}" for name in names]
    found = {path: find(path) for path in paths}
    seen: set[int] = set()
    unique = {}
    for path, thing in found.items():
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and id(thing) not in seen:
            seen.add(id(thing))
            unique[path] = thing
    return unique


def members(path: str, cls: type) -> Iterator[Documented]:
    """Yield the public methods and properties of a class that this package defines."""
    for name in dir(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), None)
        if name.startswith("_") or owner is None or not is_ours(owner):
            continue
        kept = vars(owner)[name]
        if isinstance(kept, (staticmethod, classmethod)):
            kept = kept.__func__
        if isinstance(kept, property) or inspect.isfunction(kept):
            yield Documented(f"{path}.{name}", kept, cls)


def imported(module: str) -> dict[str, str]:
    """Return the names that a module imports, and from where; type-checking imports included."""
    found = {}
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    package = module if hasattr(importlib.import_module(module), "__path__") else ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = (package or module.rpartition(".")[0]).split(".")
            above = base[: len(base) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            found.update({alias.asname or alias.name: source for alias in node.names})
    return found


def named_classes(annotation: Any, module: str) -> Iterator[type]:
    """Yield the classes of ours in an annotation that is written in `module`."""
    for name in re.findall(r"\b[A-Z]\w+", str(annotation)):
        scope = vars(importlib.import_module(module))
        if name not in scope and name in imported(module):
            scope = vars(importlib.import_module(imported(module)[name]))
        thing = scope.get(name)
        if inspect.isclass(thing) and is_ours(thing):
            yield thing
        else:
            yield from filter(is_ours, get_args(thing))


def classes_from(each: Documented) -> Iterator[type]:
    """Yield the classes that users get from a call, a property, or a field."""
    thing = each.thing.fget if isinstance(each.thing, property) else each.thing
    if inspect.isclass(thing):
        for annotation in vars(thing).get("__annotations__", {}).values():
            yield from named_classes(annotation, thing.__module__)
    else:
        annotation = getattr(thing, "__annotations__", {}).get("return", "")
        yield from named_classes(annotation, thing.__module__)


def with_members(path: str, thing: Any) -> list[Documented]:
    """Return a public function or class, a class with its members."""
    alone = [Documented(path, thing, None)]
    return alone + list(members(path, thing)) if inspect.isclass(thing) else alone


def surface() -> list[Documented]:
    """Return all that users can reach: public names, and the classes they get from them."""
    found = [each for path, thing in top_names().items() for each in with_members(path, thing)]
    known = {id(each.thing) for each in found}
    for each in found:  # grows during the loop
        for cls in classes_from(each):
            if id(cls) not in known and not cls.__name__.startswith("_"):
                known.add(id(cls))
                found += with_members(f"{cls.__module__}.{cls.__qualname__}", cls)
    return found


SURFACE = surface()
CALLS = [each for each in SURFACE if inspect.isfunction(each.thing)]
CLASSES = [each for each in SURFACE if inspect.isclass(each.thing)]


def short_path(each: Documented) -> str:
    return each.path.partition(".")[2]


# -- that there is one ----------------------------------------------------------------------------


def test_the_surface_is_found() -> None:
    """The rules below apply to what was found, so nothing may be missing."""
    paths = {each.path for each in SURFACE}
    assert {
        "soniox_sync.SttSession.send_audio",
        "soniox_sync.Recording.on",
        "soniox_sync.realtime.facade.Realtime.speak",
        "soniox_sync.transcript.SegmentBuffer.add",
        "soniox_sync.rest.stt.api.SttApi.wait",
        "soniox_sync.resolve_api_key",
    } <= paths
    assert len(paths) > 300


def test_public_names_say_what_they_are() -> None:
    """A public name has a docstring that begins with a sentence."""
    wrong = []
    for each in SURFACE:
        first = each.doc.split("\n\n")[0].strip()
        if not first or not (first[0].isupper() or first[0] in "`<") or first[-1] not in ".:":
            wrong.append((each.path, first))
    assert wrong == []


def test_modules_say_what_they_are_for() -> None:
    """Every module has a docstring."""
    root = Path(soniox_sync.__file__).parent
    silent = [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


# -- one word per idea ----------------------------------------------------------------------------

# Other words for "thread-safe". Who calls or reads a thing ("called by any thread") differs.
NOT_THREAD_SAFE = re.compile(
    r"\b(safe|callable|readable|(be|is|are) (called|used))\b[^.;:]*\bany thread\b"
    r"|[.;,] (from )?any thread\b(?! may read)"
    r"|\bthread ?safe\b",
    re.IGNORECASE,
)


def every_docstring() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each docstring of the package, also of private names."""
    root = Path(soniox_sync.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                yield (
                    f"{path.relative_to(root)}: {getattr(node, 'name', '')}",
                    (ast.get_docstring(node) or ""),
                )


def every_page() -> Iterator[tuple[str, str]]:
    """Yield the path and the text of the README and of each page of the documentation."""
    root = Path(__file__).parent.parent
    for path in [root / "README.rst", *sorted((root / "docs").rglob("*.rst"))]:
        yield str(path.relative_to(root)), path.read_text(encoding="utf-8")


def test_thread_safe_is_called_thread_safe() -> None:
    """What any thread may call is "thread-safe", in docstrings and in the documentation."""
    wrong = [
        f"{where}: {match[0]}"
        for where, text in (*every_docstring(), *every_page())
        if (match := NOT_THREAD_SAFE.search(" ".join(text.split())))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("Runs one recording. Safe from any thread.", True),
        ("Idempotent; callable from any thread and from a handler.", True),
        ("`send()` may be called at any time, from any thread.", True),
        ("Idempotent, any thread.", True),
        ("Stop. Never blocks; from any thread.", True),
        ("All of it is threadsafe.", True),
        ("Runs one recording. Thread-safe.", False),
        ("`clear()`: drop it. Called by any thread, also while it writes.", False),
        ("Written by the consumer, read by any thread.", False),
        ("A pool for many threads.", False),
    ],
)
def test_other_words_for_thread_safe_are_found(text: str, is_wrong: bool) -> None:
    """The pattern finds what was once written, and leaves other ideas alone."""
    assert (NOT_THREAD_SAFE.search(text) is not None) is is_wrong


# -- units ----------------------------------------------------------------------------------------

# names with these endings contain the unit; the docstring must still explain the quantity
UNIT_IN_NAME = re.compile(r"_(sec|ms|seconds)$")
# a docstring may refer to that of another method
REFERS = re.compile(r"\b([Aa]s|[Ll]ike|[Dd]o what|[Ss]ee|those of)\b[^.]*`")
# names that contain no unit, and what the docstring must contain instead
UNIT_IN_WORDS = {
    "timeout": r"seconds?|\bs\b",
    "interval": r"seconds?|\bs\b",
    "sample_rate": r"\bHz\b",
    "bitrate": r"\bbits?\b",
    "speed": r"\d",
    "size": r"\bbytes?\b",
}


def quantities_without_unit(each: Documented) -> Iterator[str]:
    text = each.context
    for name in inspect.signature(each.thing).parameters:
        if UNIT_IN_NAME.search(name) and not REFERS.search(each.doc):
            if name not in text and not re.search(r"seconds?\b", each.doc):
                yield f"{each.path}: {name} is not explained"
        elif name in UNIT_IN_WORDS and not re.search(UNIT_IN_WORDS[name], text):
            yield f"{each.path}: {name} has no unit"


def test_quantities_have_units() -> None:
    """A parameter that is a quantity is explained in the docstring, with its unit."""
    assert [wrong for each in CALLS for wrong in quantities_without_unit(each)] == []


def test_time_limits_say_what_none_means() -> None:
    """Where a time limit may be `None`, the docstring says what that means."""
    wrong = []
    for each in CALLS:
        for name, parameter in inspect.signature(each.thing).parameters.items():
            limit = name in ("timeout", "timeout_sec", "wait_sec", "pace_sec")
            explained = re.search(r"`None`|default|without limit|unless", each.context)
            if limit and parameter.default is None and not (explained or REFERS.search(each.doc)):
                wrong.append(f"{each.path}: {name}")
    assert wrong == []


def test_fields_that_are_quantities_have_units() -> None:
    """A dataclass explains its fields that are quantities, together or one by one."""
    wrong = []
    for each in CLASSES:
        if not is_dataclass(each.thing) or issubclass(each.thing, Record):
            continue  # a record's fields are the service's, under its names
        source = inspect.getsource(each.thing)
        for name in filter(UNIT_IN_NAME.search, each.thing.__dataclass_fields__):
            alone = re.search(rf'\b{name}\b[^\n]*\n\s+"""', source)
            together = re.search(r"millisecond|second|\bms\b|\bs\b|_sec|_ms", each.doc)
            if not name.startswith("_") and not (name in each.doc or alone or together):
                wrong.append(f"{each.path}: {name}")
    assert wrong == []


# -- sources --------------------------------------------------------------------------------------

# a quantity, in a docstring about the service
OF_THE_SERVICE = re.compile(r"\b(service|server)\b")
QUANTITY = re.compile(r"\d (s|ms|minutes|seconds|days|bytes|[KMG]i?B|characters|Hz)\b")
CITATION = re.compile(r"PROTOCOL \d|docs/\w+\.rst")


def cites(each: Documented) -> bool:
    """Return whether the docstring of the thing, its class or its module names a source."""
    thing = each.thing.fget if isinstance(each.thing, property) else each.thing
    owner = each.owner if each.owner is not None else thing
    around = [inspect.getdoc(base) or "" for base in getattr(owner, "__mro__", ()) if is_ours(base)]
    return bool(CITATION.search("\n".join([each.doc, *around, module_doc(thing)])))


def module_doc(thing: Any) -> str:
    return importlib.import_module(thing.__module__).__doc__ or ""


def test_facts_about_the_service_have_a_source() -> None:
    """A docstring with a quantity of the service names its source."""
    wrong = [
        each.path
        for each in SURFACE
        if OF_THE_SERVICE.search(each.doc) and QUANTITY.search(each.doc) and not cites(each)
    ]
    assert wrong == []


# -- errors ---------------------------------------------------------------------------------------


def error_names(text: str) -> set[str]:
    return set(re.findall(r"\b[A-Z]\w*(?:Error|Exception)\b", text))


def known_error(name: str) -> Optional[type]:
    for module in ("soniox_sync.errors", "soniox_sync.rest", "soniox_sync.rest.webhooks"):
        found = getattr(importlib.import_module(module), name, None)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return getattr(builtins, name, None)


def test_documented_errors_exist() -> None:
    """Every exception named in a docstring exists."""
    wrong = [
        f"{each.path}: {name}"
        for each in SURFACE
        for name in sorted(error_names(each.doc))
        if known_error(name) is None
    ]
    assert wrong == []


def test_raises_says_what() -> None:
    """What follows "Raises" names a class, or where the error comes from."""
    wrong = []
    for each in SURFACE:
        for match in re.finditer(r"\bRaises\b(.{0,160})", each.doc, re.DOTALL):
            named = error_names(match[1]) or re.search(r"`[A-Z]\w+`", match[1])
            passed_on = re.search(r"\b(as|like|error|what|went wrong|nothing)\b", match[1])
            if not named and not passed_on:
                wrong.append(f"{each.path}: Raises{match[1][:60]!r}")
    assert wrong == []


def raised_here(function: Any) -> set[str]:
    """Return the exceptions that a function's own lines raise."""
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = node.exc.func
            if isinstance(name, ast.Name) and error_names(name.id) and known_error(name.id):
                found.add(name.id)
    return found


def test_raised_errors_are_documented() -> None:
    """An exception raised in a public function, or its base class, is in the docstring."""
    wrong = []
    for each in CALLS:
        documented = tuple(filter(None, map(known_error, error_names(each.context))))
        for name in raised_here(each.thing):
            cls = known_error(name)
            assert cls is not None
            # a wrong type is a mistake in the program, not an outcome
            if not issubclass(cls, (TypeError, *documented)):
                wrong.append(f"{each.path}: {name}")
    assert wrong == []


# -- names ----------------------------------------------------------------------------------------


def every_class() -> dict[str, Any]:
    """Return each class of the package, by its name; a public one takes precedence."""
    found = {each.thing.__name__: each.thing for each in SURFACE if inspect.isclass(each.thing)}
    for module in pkgutil.walk_packages(soniox_sync.__path__, "soniox_sync."):
        if module.name.endswith(("__main__", "pytest_plugin")):
            continue
        for name, thing in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(thing) and is_ours(thing):
                found.setdefault(name, thing)
    return found


TICKED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
NAME = re.compile(r"([A-Z][a-z]+[A-Za-z]*(?:\.\w+)?)(?:\(.*\))?$")
# capitalised names in backticks that are not classes of ours
VALUES = {"Adrian", "Healthcare", "Authorization", "Popen.stdout"}


def exists(name: str, classes: dict[str, Any]) -> bool:
    """Return whether a name in a docstring exists."""
    head, _, tail = name.partition(".")
    if name in VALUES or hasattr(builtins, head):
        return True
    found = classes.get(head)
    if found is None:
        return False
    fields = {**getattr(found, "__dataclass_fields__", {}), **getattr(found, "__annotations__", {})}
    optional = f"`{tail}()`" in (found.__doc__ or "")  # a method that a class may have
    return not tail or optional or hasattr(found, tail) or tail in fields


def test_names_in_docstrings_exist() -> None:
    """Every class or method named in a docstring exists."""
    classes = every_class()
    dead = [
        f"{each.path}: {content}"
        for each in SURFACE
        for content in TICKED.findall(each.doc)
        for match in [NAME.match(content)]
        if match is not None and not exists(match[1], classes)
    ]
    assert dead == []


def test_paths_from_the_client_exist() -> None:
    """Paths such as `client.realtime.stt()` exist."""
    client = soniox_sync.SonioxClient("a-key")
    for each in SURFACE:
        for path in re.findall(r"`client((?:\.\w+)+)", each.doc):
            found: Any = client
            for name in path.split(".")[1:]:
                assert hasattr(found, name), f"{each.path}: client{path}"
                found = getattr(found, name)
