"""Packages whose names load their module on first use (PEP 562)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: dict[str, Any], names_in: Mapping[str, str]) -> None:
    """Add names of its modules to a package, given by its `globals()`.

    `names_in`: for each module, the names to load from it, separated by whitespace. Type checkers
    do not see this `__getattr__`, so that they report a wrong name.
    """
    module_of = {name: module for module, names in names_in.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        value = getattr(import_module(f".{module_of[name]}", package["__name__"]), name)
        package[name] = value
        return value

    package["__getattr__"] = load
    package["__dir__"] = lambda: sorted({*package, *module_of})
