"""Imports point one way, the protocol does no I/O, and the sandbox shares no wire code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

import soniox_sync

ROOT = Path(soniox_sync.__file__).parent

# each layer may import those above it in this list, and its own
LAYERS: list[set[str]] = [
    {"_version"},
    {"errors", "censor"},
    {"audio", "_accel"},
    {"config"},
    {"protocol"},
    {"transport"},
    {"clock", "cancel", "tls", "forks"},
    {"delivery"},
    {"heartbeat"},
    {"connection"},
    {"tts", "tts_line", "tts_stream", "stt", "stt_sending", "sources"},
    {"recording", "transcription", "speech", "pool", "transcript", "rest", "permissions"},
    {"client", "realtime", "host", "slng"},
    {"cli", "sandbox", "__main__"},
]
_LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def level_of(unit: str) -> Optional[int]:
    """Give a module's layer; `recording_setup` is where `recording` is."""
    return _LEVEL.get(unit, _LEVEL.get(unit.partition("_")[0]))


# a factory that offers what is built upon it loads that when it is called, not before
LAZY = {("tts", "pool")}

NO_IO = {
    "socket",
    "ssl",
    "threading",
    "time",
    "logging",
    "select",
    "selectors",
    "asyncio",
    "subprocess",
    "queue",
    "requests",
    "websocket",
    "http",
    "urllib",
    "os",
}


def modules(folder: str = "") -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def unit_of(module: str) -> str:
    return module.split(".")[0]


class Imports(ast.NodeVisitor):
    """Collects what a module imports; what only type checkers see is left out."""

    def __init__(self, path: Path) -> None:
        self.package = list(path.relative_to(ROOT).parts[:-1])
        self.found: list[tuple[int, str]] = []
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
        for child in node.orelse if name == "TYPE_CHECKING" else [*node.body, *node.orelse]:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [(node.lineno, alias.name) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            base = self.package[: len(self.package) - (node.level - 1)]
            prefix = ".".join(["soniox_sync", *base])
            module = f"{prefix}.{module}" if module else prefix
        if module == "soniox_sync" or (node.level and not node.module):
            self.found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
        else:
            self.found.append((node.lineno, module))


def internal(path: Path) -> Iterator[tuple[int, str]]:
    """Give line and module, below the package, of what a module imports from the package."""
    for line, name in Imports(path).found:
        if name.startswith("soniox_sync."):
            yield line, name.partition(".")[2]


def exported_from(name: str) -> Optional[str]:
    """Give the module that a name of the package itself comes from."""
    module = soniox_sync._MODULE_OF.get(name)
    return module if module is not None else name if level_of(unit_of(name)) is not None else None


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    """A module imports only from its own layer or from below."""
    own = unit_of(name_of(path))
    if own == "":
        return  # the package itself loads everything, lazily
    level = level_of(own)
    assert level is not None, f"{own} belongs to no layer: put it into LAYERS"
    loaded = set(top_level(path))
    wrong = []
    for line, name in internal(path):
        if (own, unit_of(name)) in LAZY and (line, name) not in loaded:
            continue
        target = level_of(unit_of(exported_from(name) or name))
        assert target is not None, f"line {line}: {name} belongs to no layer"
        if target > level:
            wrong.append(f"line {line}: {own} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("path", modules("protocol"), ids=name_of)
def test_protocol_does_no_io(path: Path) -> None:
    """The protocol imports nothing that could read, write, wait, or know the time."""
    wrong = [(line, name) for line, name in Imports(path).found if name.split(".")[0] in NO_IO]
    assert wrong == []


@pytest.mark.parametrize("path", [*modules("config"), ROOT / "errors.py"], ids=name_of)
def test_value_objects_open_nothing(path: Path) -> None:
    """Configuration and errors import no network and no threads."""
    network = NO_IO - {"os", "urllib", "logging"}
    wrong = [(line, name) for line, name in Imports(path).found if name.split(".")[0] in network]
    assert wrong == []


@pytest.mark.parametrize("path", modules("sandbox"), ids=name_of)
def test_sandbox_shares_no_wire_code(path: Path) -> None:
    """A fake that shared our transport, connection or codecs would share our bugs."""
    forbidden = {
        "transport",
        "connection",
        "protocol",
        "delivery",
        "tts_line",
        "stt_sending",
        "_accel",
    }
    wrong = [(line, name) for line, name in internal(path) if unit_of(name) in forbidden]
    assert wrong == []


@pytest.mark.parametrize("path", modules("transport"), ids=name_of)
def test_transport_knows_no_service(path: Path) -> None:
    """The transport imports neither protocol nor config: it knows no speech, no transcription."""
    wrong = [
        (line, name) for line, name in internal(path) if unit_of(name) in ("protocol", "config")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path", [p for p in modules() if unit_of(name_of(p)) not in ("sandbox", "cli")], ids=name_of
)
def test_websocket_client_opens_lines_and_nothing_else(path: Path) -> None:
    """Only `transport.connect` touches websocket-client, only `rest` touches requests."""
    allowed = {"transport.connect": {"websocket"}}
    own = name_of(path)
    for line, name in Imports(path).found:
        top = name.split(".")[0]
        if top == "websocket":
            assert top in allowed.get(own, ()), f"line {line}"
        if top in ("requests", "urllib3"):
            assert unit_of(own) in ("rest", "client"), f"line {line}"


def test_graph_has_no_cycle() -> None:
    """Within the package, imports at module level form no cycle."""
    graph: dict[str, set[str]] = {}
    for path in modules():
        own = name_of(path)
        if own and unit_of(own) not in ("sandbox", "cli"):
            targets = {exported_from(name) or name for _, name in top_level(path)}
            graph[own] = {t for t in targets if t != own}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, " -> ".join((*trail, name))
        state[name] = 1
        for target in graph.get(name, ()):
            if target in graph:
                visit(target, (*trail, name))
        state[name] = 2

    for name in graph:
        visit(name, ())


def top_level(path: Path) -> Iterator[tuple[int, str]]:
    """Give the package's modules that a module imports when it is loaded."""
    inner: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for line, name in internal(path):
        if line not in inner:
            yield line, name
