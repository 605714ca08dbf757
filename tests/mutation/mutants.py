"""Mutants of a module: single small changes of its source, each of them a wrong program.

`mutants_of()` finds them with `ast` and describes each as one replacement of a piece of source, so
that line numbers stay what they are and a survivor is shown as it would be typed. What no test has
to notice (texts, log calls, `repr`, types) is left out by the rules in `exempt.py`.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional, Union

from .exempt import has_labels, is_exempt, is_exempt_string

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)

# each operator and what it is mistaken for; for an order relation that is its limit
_COMPARE = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "is not": "is",
    "is": "is not",
    "not in": "in",
    "in": "not in",
}
_BINARY = {
    "+": "-",
    "-": "+",
    "*": "/",
    "//": "*",
    "/": "*",
    "%": "*",
    "**": "*",
    "<<": ">>",
    ">>": "<<",
    "&": "|",
    "|": "&",
    "^": "&",
}
_OPERATOR = re.compile(
    r"\bis\s+not\b|\bnot\s+in\b|\bis\b|\bin\b|[<>=!]=|<<|>>|//|\*\*|[-<>+*/%&|^]"
)
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str  # path below the root of the project, with slashes
    scope: str  # qualified name of the function or class around it, "" for the module itself
    line: int  # of the first changed character, from 1
    last_line: int
    start: int  # bytes of the source that are replaced
    end: int
    replacement: str
    before: str  # the changed lines, stripped
    after: str
    # qualified name of the outermost function whose body the change is in; None: not in a body
    function: Optional[str] = None
    function_line: int = 0  # where the code of that function begins
    body: tuple[int, int] = (0, 0)  # first and last line of its body
    # of the whole module, as it was when the mutant was made: the file may change meanwhile
    source: bytes = field(default=b"", compare=False, repr=False)
    names: tuple[str, ...] = field(default=(), compare=False)  # bound by a statement outside bodies

    @property
    def identity(self) -> str:
        """What it is, wherever it has moved to."""
        return f"{self.module}:{self.scope}: {self.before} -> {self.after}"

    def apply(self) -> bytes:
        """Return the source of the module with the change."""
        return self.source[: self.start] + self.replacement.encode() + self.source[self.end :]

    def diff(self) -> str:
        """Return it as a small diff below a heading."""
        where = f"{self.module}:{self.line} {self.scope}".rstrip()
        old = "\n".join(f"- {line}" for line in self.before.splitlines())
        new = "\n".join(f"+ {line}" for line in self.after.splitlines())
        return f"{where}\n{old}\n{new}"


class Equivalent(NamedTuple):
    """A mutant that no test can kill, as it is printed: the line before and after, and why."""

    module: str
    scope: str
    before: str
    after: str
    reason: str

    @property
    def identity(self) -> str:
        """The same as of `Mutant`."""
        return f"{self.module}:{self.scope}: {self.before} -> {self.after}"


def mutants_of(path: Path, module: str) -> list[Mutant]:
    """Return all mutants of a module, by place."""
    source = path.read_bytes()
    found = _Finder(source, module).find()
    unique = {(m.start, m.end, m.replacement): m for m in found}
    return [unique[key] for key in sorted(unique)]


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return `count` of the mutants, the same for a seed; a change elsewhere keeps the others."""

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed}:{mutant.identity}".encode()).hexdigest()

    chosen = sorted(mutants, key=lambda m: (rank(m), m.start))[:count]
    return sorted(chosen, key=lambda m: (m.module, m.start, m.replacement))


class _Finder:
    """Walks one module and collects its mutants."""

    def __init__(self, source: bytes, module: str) -> None:
        self._source = source
        self._module = module
        self._lines = [0]  # where each line starts
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._scope: list[str] = []
        self._has_labels = False  # in an enum whose values nobody compares
        # outermost function around this: name, first line, first and last line of its body
        self._body: Optional[tuple[str, int, tuple[int, int]]] = None
        self._names: tuple[str, ...] = ()
        self._found: list[Mutant] = []

    def find(self) -> list[Mutant]:
        self._visit(ast.parse(self._source))
        return self._found

    # -- walking ---------------------------------------------------------------------------------

    def _visit(self, node: ast.AST) -> None:
        if is_exempt(node):
            return
        if isinstance(node, _Function):
            self._visit_function(node)
        elif isinstance(node, ast.ClassDef):
            self._scope.append(node.name)
            self._has_labels = has_labels(node)
            self._visit_all(node.body)
            self._has_labels = False
            self._scope.pop()
        else:
            outermost = isinstance(node, ast.stmt) and self._body is None
            if outermost:
                self._names = _names_bound(node) or tuple(self._scope[-1:])
            self._mutate(node)
            for child in _children(node):
                self._visit(child)

    def _visit_all(self, nodes: list[ast.stmt]) -> None:
        for node in nodes:
            self._visit(node)

    def _visit_function(self, node: Union[ast.FunctionDef, ast.AsyncFunctionDef]) -> None:
        self._scope.append(node.name)
        if self._body is None:
            self._names = (self._scope[-2] if node.name == "__init__" else node.name,)
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self._visit(default)
        body, outer = node.body, self._body
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]  # the docstring
        if outer is None:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            lines = (node.body[0].lineno, node.end_lineno or node.lineno)
            self._body = (".".join(self._scope), first, lines)
        self._visit_all(body)
        self._body = outer
        self._scope.pop()

    # -- what is changed -------------------------------------------------------------------------

    def _mutate(self, node: ast.AST) -> None:
        if isinstance(node, ast.Compare):
            self._compare(node)
        elif isinstance(node, ast.BoolOp):
            self._bool_op(node)
        elif isinstance(node, ast.BinOp):
            if not _is_text(node.left) and not _is_text(node.right):
                self._operator(node.left, node.right, _BINARY)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._replace(node, f"({self._text(node.operand)})")
        elif isinstance(node, (ast.If, ast.IfExp)):
            self._replace(node.test, "True")
            self._replace(node.test, "False")
        elif isinstance(node, ast.While):
            if not isinstance(node.test, ast.Constant):
                self._replace(node.test, "False")
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                self._replace(test, "True")
        elif isinstance(node, ast.Constant):
            self._constant(node)
        elif isinstance(node, ast.Name) and node.id in _NAMES:
            self._replace(node, _NAMES[node.id])
        elif isinstance(node, ast.stmt):
            self._statement(node)

    def _compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, right in zip(operands, operands[1:]):
            self._operator(left, right, _COMPARE)

    def _bool_op(self, node: ast.BoolOp) -> None:
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        parts = [f"({self._text(value)})" for value in node.values]
        self._replace(node, "(" + f" {other} ".join(parts) + ")")
        for left_out in range(len(parts)):
            rest = parts[:left_out] + parts[left_out + 1 :]
            self._replace(node, "(" + f" {word} ".join(rest) + ")")

    def _operator(self, left: ast.expr, right: ast.expr, table: dict[str, str]) -> None:
        """Replace the operator that stands between two operands."""
        start, end = self._end(left), self._start(right)
        gap = self._source[start:end].decode()
        match = _OPERATOR.search(gap)
        word = re.sub(r"\s+", " ", match.group()) if match else ""
        if match is not None and word in table:
            self._add(start + match.start(), start + match.end(), table[word])

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace(node, str(not value))
        elif isinstance(value, (int, float)):
            self._replace(node, repr(value + 1))
        elif isinstance(value, str) and not is_exempt_string(value):
            if not (self._has_labels and self._body is None):
                self._replace(node, repr("XX" + value))
        elif isinstance(value, bytes) and value:
            self._replace(node, repr(b"XX" + value))

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Return) and node.value is not None:
            if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                self._replace(node.value, "None")
        elif isinstance(node, (ast.Return, ast.Raise)) and self._body is not None:
            self._replace(node, "pass")
        elif isinstance(node, ast.Break):
            self._replace(node, "continue")
        elif isinstance(node, ast.Continue):
            self._replace(node, "break")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._replace(node, "pass")
        elif isinstance(node, ast.AugAssign):
            self._operator(node.target, node.value, _BINARY)
        elif isinstance(node, ast.Assign) and self._body is not None and _stores(node):
            self._replace(node, "pass")

    # -- places ----------------------------------------------------------------------------------

    def _start(self, node: Union[ast.expr, ast.stmt]) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def _end(self, node: Union[ast.expr, ast.stmt]) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr) -> str:
        return self._source[self._start(node) : self._end(node)].decode()

    def _replace(self, node: Union[ast.expr, ast.stmt], replacement: str) -> None:
        self._add(self._start(node), self._end(node), replacement)

    def _add(self, start: int, end: int, replacement: str) -> None:
        first = self._source.rfind(b"\n", 0, start) + 1
        last = self._source.find(b"\n", end)
        last = len(self._source) if last < 0 else last
        line = self._source.count(b"\n", 0, start) + 1
        before = self._source[first:last].decode()
        after = (self._source[first:start] + replacement.encode() + self._source[end:last]).decode()
        function, function_line, body = self._body or (None, 0, (0, 0))
        self._found.append(
            Mutant(
                module=self._module,
                scope=".".join(self._scope),
                line=line,
                last_line=line + self._source.count(b"\n", start, end),
                start=start,
                end=end,
                replacement=replacement,
                before=_tidy(before),
                after=_tidy(after),
                function=function,
                function_line=function_line,
                body=body,
                source=self._source,
                names=() if self._body else self._names,
            )
        )


def _tidy(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children that are no types."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _stores(node: ast.Assign) -> bool:
    """Return whether an assignment changes an object, which works without it, too."""
    return any(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _names_bound(node: ast.AST) -> tuple[str, ...]:
    """Return the names that a statement outside of functions binds."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        targets = [node.target]
    return tuple(n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name))
