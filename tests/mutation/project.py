"""Where sources and tests are, and which tests belong to a package."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SLNG = tuple(f"slng/test_{name}.py" for name in ("speech_messages", "garbage", "gateway_rules"))
# the part of mutants that the tests of a package have to kill, in percent, and their folders
# and files: its own, and those that hold its rules from one level above
_TESTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "recorder": (90, ("recorder",)),
    "protocol": (90, ("protocol", "recorder", "slng/transcription", *_SLNG)),
    "transport": (90, ("transport",)),
    "runtime": (85, ("runtime", "transport", "realtime")),
    "realtime": (85, ("realtime", "conversation", "slng")),
}
PACKAGES = tuple(_TESTS)


@dataclass(frozen=True)
class Project:
    """A package with its tests, both below `root`."""

    root: Path
    package: str = "soniox_sync"
    tests: str = "tests"

    def modules(self, folder: str) -> list[str]:
        """Return the modules below a folder of the package, or one, as paths below `root`."""
        path = self.root / self.package / folder
        found = [path] if path.is_file() else sorted(path.rglob("*.py"))
        return [str(module.relative_to(self.root)) for module in found]

    def test_files(self, folder: str) -> list[str]:
        """Return the test files that belong to a folder of the package."""
        top = folder.split("/")[0]
        folders = _TESTS[top][1] if top in _TESTS else (top,)
        files: dict[str, None] = {}
        for name in folders:
            place = self.root / self.tests / name
            for path in [place] if place.is_file() else sorted(place.rglob("test_*.py")):
                files[str(path.relative_to(self.root))] = None
        return list(files)

    def goal(self, folder: str) -> int:
        """Return how many percent of the mutants below a folder have to be killed."""
        top = folder.split("/")[0]
        return _TESTS[top][0] if top in _TESTS else 100

    def source_key(self, module: str) -> str:
        """Return a hash of a module."""
        return _hash([self.root / module])

    def test_key(self, test_file: str) -> str:
        """Return a hash of a test file and of the helpers around it."""
        path = self.root / test_file
        helpers = {*path.parent.glob("*.py"), *(self.root / self.tests).glob("*.py")}
        return _hash([path, *sorted(p for p in helpers if not p.name.startswith("test_"))])


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
