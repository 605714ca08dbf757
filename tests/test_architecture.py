"""Imports point down, without cycles; decisions do no I/O; the sandbox has its own wire code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Optional

import pytest

import soniox_sync

ROOT = Path(soniox_sync.__file__).parent

# from the bottom up: a unit imports from its own layer and from those before it. A unit is a module
# or a folder; the longest name that fits a module counts
LAYERS: tuple[tuple[str, ...], ...] = (
    ("_version", "_support"),
    ("errors",),
    ("_support.checks",),
    ("audio", "_support.accel"),
    ("config",),
    ("protocol",),
    ("recorder", "transcript"),
    ("conversation",),
    ("sources",),
    ("telephony", "web"),
    ("transport",),
    ("cancel",),
    ("runtime",),
    ("service",),
    ("rest",),
    ("realtime.stt", "realtime.tts"),
    ("realtime.recording", "realtime.speech", "realtime.pool"),
    ("realtime.conversation",),
    ("realtime",),
    ("client", "slng"),
    ("sandbox",),
    ("cli", "__main__"),
)
_LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}

# modules that could read, write, wait, or tell the time
IO = {
    *("asyncio", "http", "logging", "os", "queue", "requests", "select", "selectors", "socket"),
    *("ssl", "subprocess", "threading", "time", "urllib", "websocket"),
}


@dataclass(frozen=True)
class Import:
    """One imported module: its line, full name, and when it is loaded."""

    line: int
    module: str
    for_types: bool  # only type checkers see it
    late: bool  # inside a function: loaded when that is called


def name_of(path: Path) -> str:
    """Return the dotted name below the package; `""` for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def sources(folder: str = "") -> list[Path]:
    """Return the source files below `folder`."""
    return sorted((ROOT / folder).rglob("*.py"))


MODULES = {name_of(path): path for path in sources()}


def unit_of(module: str) -> Optional[str]:
    """Return the unit of `LAYERS` that a module belongs to."""
    parts = module.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if name in _LEVEL), None)


def level_of(module: str) -> Optional[int]:
    """Return the number of a module's layer."""
    unit = unit_of(module)
    return None if unit is None else _LEVEL[unit]


class _Reader(ast.NodeVisitor):
    """Collects the imports of one module."""

    def __init__(self, module: str, path: Path) -> None:
        self.found: list[Import] = []
        self._package = module.split(".") if module else []
        if path.name != "__init__.py":
            self._package = self._package[:-1]
        self._types = self._functions = 0
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        types = getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
        self._types += types
        for child in node.body:
            self.visit(child)
        self._types -= types
        for child in node.orelse:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self._package[: len(self._package) - (node.level - 1)]
            base = ".".join(["soniox_sync", *above, *filter(None, [node.module])])
        for alias in node.names:
            inner = f"{base}.{alias.name}".partition(".")[2]
            is_module = base.split(".")[0] == "soniox_sync" and inner in MODULES
            self._add(node.lineno, f"{base}.{alias.name}" if is_module else base)

    def _add(self, line: int, module: str) -> None:
        self.found.append(Import(line, module, self._types > 0, self._functions > 0))


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """Return all imports of a module."""
    return tuple(_Reader(module, MODULES[module]).found)


def internal(module: str) -> Iterator[tuple[Import, str]]:
    """Yield each import of the package's own modules, with the module's name below the package."""
    for each in imports_of(module):
        head, _, inner = each.module.partition(".")
        if head == "soniox_sync":
            yield each, inner


def outside(module: str) -> set[str]:
    """Return the top-level names that a module imports from outside the package, late ones too."""
    return {each.module.partition(".")[0] for each in imports_of(module) if not each.for_types}


def reached(module: str) -> dict[str, str]:
    """Return every module that is loaded with `module`, each with the one that imports it."""
    seen: dict[str, str] = {module: ""}
    waiting = [module]
    while waiting:
        own = waiting.pop()
        for each, target in internal(own):
            if not each.for_types and target and target not in seen:
                seen[target] = own
                waiting.append(target)
    return seen


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_down(module: str) -> None:
    """A module imports only from its own layer or from below, type-checking imports included."""
    level = level_of(module)
    assert level is not None, f"{module} belongs to no layer: put it into LAYERS"
    wrong = []
    for each, target in internal(module):
        if not target:
            continue  # the package itself: its names are loaded when they are used
        above = level_of(target)
        assert above is not None, f"line {each.line}: {target} belongs to no layer"
        if above > level:
            wrong.append(f"line {each.line}: {module} imports {target}")
    assert wrong == []


def test_no_import_cycles() -> None:
    """Imports form no cycle, with those inside functions and for type checkers included."""
    graph = {
        module: sorted({target for _, target in internal(module) if target and target != module})
        for module in MODULES
        if module and MODULES[module].name != "__init__.py"
    }
    state: dict[str, int] = {}
    found: list[str] = []

    def visit(module: str, trail: tuple[str, ...]) -> None:
        if state.get(module) == 1:
            found.append(" -> ".join((*trail[trail.index(module) :], module)))
        if module in state:
            return
        state[module] = 1
        for target in graph.get(module, ()):
            visit(target, (*trail, module))
        state[module] = 2

    for module in graph:
        visit(module, ())
    assert found == []


def in_folders(*folders: str) -> list[str]:
    return [name for name in MODULES if name.split(".")[0] in folders]


@pytest.mark.parametrize("module", in_folders("protocol", "recorder", "transcript", "conversation"))
def test_decisions_do_no_io(module: str) -> None:
    """Protocol, recorder and transcript load no module that could do I/O or wait."""
    wrong = []
    for other, importer in reached(module).items():
        wrong += [f"{other} imports {name} (by {importer})" for name in outside(other) & IO]
        if calls_open(other):
            wrong.append(f"{other} calls open() (by {importer})")
    assert wrong == []


def calls_open(module: str) -> bool:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(isinstance(func, ast.Name) and func.id == "open" for func in calls)


@pytest.mark.parametrize("module", [*in_folders("config"), "errors"])
def test_values_open_nothing(module: str) -> None:
    """Configuration and errors load no network and no threads."""
    network = IO - {"os", "urllib", "logging"}
    wrong = {other: outside(other) & network for other in reached(module)}
    assert {other: names for other, names in wrong.items() if names} == {}


@pytest.mark.parametrize("module", in_folders("sandbox"))
def test_sandbox_shares_no_wire_code(module: str) -> None:
    """A fake that shared our transport, connection or codecs would share our bugs."""
    forbidden = {"transport", "runtime", "protocol", "recorder", "realtime"}
    targets = {target for _, target in internal(module)}
    wrong = [t for t in targets if t.split(".")[0] in forbidden or t == "_support.accel"]
    assert wrong == []


@pytest.mark.parametrize("module", in_folders("transport"))
def test_transport_is_independent_of_the_service(module: str) -> None:
    """The transport imports neither protocol nor config: it only carries bytes."""
    wrong = [t for _, t in internal(module) if t.split(".")[0] in ("protocol", "config")]
    assert wrong == []


@pytest.mark.parametrize("module", [name for name in MODULES if name not in in_folders("sandbox")])
def test_each_network_library_has_one_home(module: str) -> None:
    """Only opening a connection touches websocket-client, only `rest` touches requests."""
    names = {each.module.partition(".")[0] for each in imports_of(module)}
    assert "websocket" not in names or module in ("transport.connect", "transport.upgrade")
    assert not names & {"requests", "urllib3"} or module.split(".")[0] in ("rest", "client")


def test_the_top_level_has_few_modules() -> None:
    """The top level contains only what users import."""
    top = [name for name in MODULES if name and "." not in name and MODULES[name].parent == ROOT]
    assert len(top) <= 12


def folders() -> list[Path]:
    """Return every folder of the package and of its tests."""
    found = {path.parent for path in (*sources(), *Path(__file__).parent.rglob("*.py"))}
    return sorted(folder for folder in found if "__pycache__" not in folder.parts)


@pytest.mark.parametrize("folder", folders(), ids=lambda path: "-".join(path.parts[-3:]))
def test_no_prefix_replaces_a_folder(folder: Path) -> None:
    """Two modules `stt_config` and `stt_tokens` would be `config` and `tokens` in a folder."""
    stems = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    tests = [stem[len("test_") :] for stem in stems if stem.startswith("test_")]
    others = [stem.strip("_") for stem in stems if not stem.startswith("test_")]
    others += [path.parent.name for path in folder.glob("*/__init__.py")]
    for names in (tests, others):
        prefixes = [name.split("_")[0] for name in names]
        assert sorted({prefix for prefix in prefixes if prefixes.count(prefix) > 1}) == []


# these make locks of Python's own: what makes the others, a lock that a fork takes first, and one
# that only sleeps
_MAY_MAKE_LOCKS = {
    "_support.locks",
    "_support.loading",
    "sandbox.engines.espeak.library",
    "transport.latch",
}


def test_waits_for_a_queue_end_in_time() -> None:
    """`SimpleQueue.get()` with a time may wait for ever (_support/queues.py); nothing else does."""
    timed = re.compile(r"\.get\((?:timeout=|True, |block\b)[^)]*\)")
    found = {
        f"{module}: {match[0]}"
        for module, path in MODULES.items()
        if module != "_support.queues"
        for match in timed.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == set()


_SERVE = ("sandbox", "cli")


def test_locks_are_made_where_a_fork_renews_them() -> None:
    """A lock of `threading` itself would stay held in a forked child; so would an event."""
    bare = re.compile(
        r"\bthreading\.(Lock|RLock|Condition|Semaphore|Event)\(|"
        # with locks inside: of all objects of a class until Python 3.11, and of the queue
        r"\bimport .*\bcached_property\b|\bqueue\.(?:Lifo|Priority)?Queue\("
    )
    found = {
        f"{module}: {match[0]}"
        for module, path in MODULES.items()
        if module not in _MAY_MAKE_LOCKS
        for match in bare.finditer(path.read_text(encoding="utf-8"))
        # the sandbox and the commands wait with these, in the process that started them
        if not match[0].endswith(("Event(", "Queue(")) or module.split(".")[0] not in _SERVE
    }
    assert found == set()
