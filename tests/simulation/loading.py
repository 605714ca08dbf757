"""A private copy of the library, which gets stand-ins for the modules that it imports.

Every module of `soniox_sync` is executed with an `__import__` of its own. Nothing else in the
process changes, and `PATCHES` can alter the source first, to plant a race.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.abc
import importlib.machinery
import pkgutil
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple, Optional

from .threads import STAND_INS, fork_hooks

PACKAGE = "soniox_sync"
# parts that no scenario uses
_UNUSED = ("__main__", "cli", "sandbox")


class Patch(NamedTuple):
    """A change of one module's source, in memory."""

    module: str
    old: str
    new: str


class _Loader(importlib.machinery.SourceFileLoader):
    patches: tuple[Patch, ...] = ()

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = _BUILTINS
        super().exec_module(module)

    def get_code(self, fullname: str) -> Any:
        patches = [patch for patch in self.patches if patch.module == fullname]
        if not patches:
            return super().get_code(fullname)
        source = self.get_source(fullname)
        assert source is not None
        for patch in patches:
            assert source.count(patch.old) == 1, f"{fullname} has not one {patch.old!r}"
            source = source.replace(patch.old, patch.new)
        return compile(source, self.get_filename(fullname), "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != PACKAGE and not fullname.startswith(PACKAGE + "."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def _import(
    name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
) -> Any:
    if level == 0 and name in STAND_INS:
        return STAND_INS[name]
    return builtins.__import__(name, globals, locals, fromlist, level)


_BUILTINS = {**builtins.__dict__, "__import__": _import}
_finder: Optional[_Finder] = None


def load(patches: Iterable[Patch] = ()) -> ModuleType:
    """Import the library with stand-ins, anew, and return it."""
    global _finder
    import requests  # noqa: F401 - they keep the real modules
    import websocket  # noqa: F401

    if _finder is None:
        _finder = _Finder()
        sys.meta_path.insert(0, _finder)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    _Loader.patches = tuple(patches)
    fork_hooks.clear()
    package = importlib.import_module(PACKAGE)
    for info in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if info.name.split(".")[1] not in _UNUSED:
            importlib.import_module(info.name)
    # loading more would be a part of a run
    module("_support.loading")._loaded.update(sys.modules)
    return package


def patches() -> tuple[Patch, ...]:
    """Return the patches that are in force."""
    return _Loader.patches


def module(name: str) -> Any:
    """Return a module of the private copy."""
    return importlib.import_module(f"{PACKAGE}.{name}")
