"""What is not mutated, by rule: texts, log calls, `repr`, types. No test has to notice those."""

from __future__ import annotations

import ast
import re

# a word of the wire or a key: what else a string says is read by people
_WORD = re.compile(r"[a-z0-9_./:-]+\Z")
_TEXT_FUNCTIONS = {"__repr__", "__str__", "__format__", "__dir__", "__rich_repr__"}
_TEXT_NAMES = {"__all__", "__slots__", "__match_args__", "__doc__", "__module__"}
_TYPE_CALLS = {"cast", "TypeVar", "NewType", "ParamSpec", "Literal", "namedtuple"}
_LOGS = {"log", "_log", "logger", "_logger", "logging", "warnings"}
_TYPE_BASES = {"Protocol", "TypedDict"}


def is_exempt(node: ast.AST) -> bool:
    """Return whether neither a node nor anything below it is mutated."""
    if isinstance(node, ast.Call):
        return _name(node.func) in _TYPE_CALLS or _is_log(node.func)
    if isinstance(node, ast.Expr):  # a docstring, or a call that only tells what happens
        return isinstance(node.value, (ast.Constant, ast.JoinedStr)) or is_exempt(node.value)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node.name in _TEXT_FUNCTIONS or _is_declared_only(node)
    if isinstance(node, ast.ClassDef):
        return any(_name(base) in _TYPE_BASES for base in node.bases)
    if isinstance(node, ast.If):
        return _name(node.test) == "TYPE_CHECKING" or _asks_log(node.test)
    if isinstance(node, ast.Assign):
        return any(_name(target) in _TEXT_NAMES for target in node.targets)
    # f-strings are texts; an assertion informs type checkers; a subscript of Literal is a type
    if isinstance(node, ast.Subscript):
        return _name(node.value) in {"Literal", "Optional", "Union", "Callable"}
    return isinstance(node, (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom))


def is_exempt_string(value: str) -> bool:
    """Return whether a string is a text for people, not a word of the wire or a key."""
    return _WORD.match(value) is None


def has_labels(node: ast.ClassDef) -> bool:
    """Return whether a class is an enum of labels: its members are compared, never their values."""
    return [_name(base) for base in node.bases] == ["Enum"]


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name, without type arguments; "" for anything else."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_log(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and _name(function.value) in _LOGS


def _asks_log(test: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Call) and _name(node.func) == "isEnabledFor" for node in ast.walk(test)
    )


def _is_declared_only(node: ast.AST) -> bool:
    """Return whether a function is only declared: an overload, or abstract."""
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    names = {_name(decorator) for decorator in node.decorator_list}
    return bool(names & {"overload", "abstractmethod"})
