"""The table of locks, read from the sentence that stands at each lock's birth in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import soniox_sync

ROOT = Path(soniox_sync.__file__).parent
# how a lock is made (`_support.locks`, or `threading` itself), and what it is
_KINDS = {
    **{kind: kind for kind in ("Lock", "RLock", "Condition")},
    "new_lock": "Lock",
    "new_rlock": "RLock",
    "new_condition": "Condition",
}
_SENTENCE = re.compile(r"^(guards|serialises)\b", re.IGNORECASE)


@dataclass(frozen=True)
class LockEntry:
    """One lock: where it is born, and the sentence it was born with (empty without one)."""

    module: str
    owner: str
    attribute: str
    kind: str
    sentence: str
    line: int


def all_locks(without: tuple[str, ...] = ()) -> list[LockEntry]:
    """Return the package's locks in order of module, except those in the units `without`."""
    found: list[LockEntry] = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] not in without and parts != ("_support", "locks"):  # it makes those of others
            found += _locks_of(path, ".".join(parts))
    return found


def _locks_of(path: Path, module: str) -> Iterator[LockEntry]:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    seen: set[tuple[str, str]] = set()
    for owner, node in _assignments(ast.parse(source), ""):
        for target, value in _pairs(node):
            attribute, kind = _name(target), _lock_kind(value)
            # a lock made again is the same lock
            if kind is not None and attribute and (owner, attribute) not in seen:
                seen.add((owner, attribute))
                sentence = _sentence(lines, node.lineno)
                yield LockEntry(module, owner, attribute, kind, sentence, node.lineno)


def _assignments(node: ast.AST, owner: str) -> Iterator[tuple[str, ast.Assign]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assign):
            yield owner, child
        inner = child.name if isinstance(child, ast.ClassDef) else owner
        yield from _assignments(child, inner)


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts)
        else:
            yield target, node.value


def _name(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _lock_kind(value: ast.expr) -> Optional[str]:
    """Tell the kind of lock that an expression makes; a condition on another lock makes none."""
    if not isinstance(value, ast.Call):
        return None
    name = _name(value.func)
    shares = bool(value.args) and not isinstance(value.args[0], ast.Call)
    return None if shares else _KINDS.get(name)


def _sentence(lines: list[str], line: int) -> str:
    """Join the comment above the line, or else the one behind it."""
    above: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.strip().startswith("#"):
            break
        above.insert(0, text.strip().lstrip("# "))
    behind = lines[line - 1].partition("#")[2].strip()
    for comment in (" ".join(above), behind):
        start = re.search(r"(?:^|(?<=\. ))(?:Guards|guards|Serialises)\b", comment)
        if start is not None:
            said = comment[start.start() :]
            return said[0].upper() + said[1:].rstrip(".") + "."
    return " ".join(above) or behind


def _setup_directive() -> Any:
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class LockTable(Directive):
        """Writes the table; the option-free argument list names units to leave out."""

        optional_arguments = 20

        def run(self) -> list[nodes.Node]:
            rows = [("where", "lock", "its sentence")]
            for lock in all_locks(tuple(self.arguments)):
                where = f"{lock.module}.{lock.owner}".rstrip(".")
                rows.append((where, f"{lock.attribute} ({lock.kind})", lock.sentence))
            return [_table(rows)]

    def _table(rows: list[tuple[str, str, str]]) -> nodes.table:
        group = nodes.tgroup("", cols=3)
        for width in (30, 20, 50):
            group += nodes.colspec("", colwidth=width)
        made = [_row(row, literal=index > 0) for index, row in enumerate(rows)]
        group += nodes.thead("", made[0])
        group += nodes.tbody("", *made[1:])
        return nodes.table("", group)

    def _row(cells: tuple[str, str, str], literal: bool) -> nodes.row:
        row = nodes.row()
        for column, cell in enumerate(cells):
            text = nodes.literal("", cell) if literal and column < 2 else nodes.Text(cell)
            row += nodes.entry("", nodes.paragraph("", "", text))
        return row

    return LockTable


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx what to call."""
    app.add_directive("lock-table", _setup_directive())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
