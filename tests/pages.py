"""Code on pages: blocks of reStructuredText, run in their order as a reader would run them.

A page is one session in one folder. `.. code-block:: python` is executed in the page's namespace;
one that begins with `# name.py` is written into that file instead. In `.. code-block:: console`
each line after `$ ` is a command: `soniox-sync` and `python FILE` run in this process, with the
lines below as their output, and pytest in another, unless a file that it is to run needs a package
that is not installed. A `.. code-block:: text` with `:class: output` is what the block before
it prints. In an output, `...` stands for anything.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from unittest import mock

# speech engines are slow on a loaded machine; a command that takes longer hangs
TIMEOUT_SEC = 150.0
_BLOCK = re.compile(
    r"^\.\. code-block:: (\w+)\n((?:    ?:\w+:.*\n)*)\n((?:(?: +.*)?\n)+)", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """One block: its language, its text without the indent, and whether it is an output."""

    language: str
    text: str
    is_output: bool
    line: int


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page in order."""
    return [
        Block(
            match[1],
            textwrap.dedent(match[3]).strip("\n"),
            ":class: output" in match[2],
            page.count("\n", 0, match.start()) + 1,
        )
        for match in _BLOCK.finditer(page)
    ]


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, with the output below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.replace("\\\n", "").partition("\n")
        yield re.sub(r"\s+#.*", "", command), output.strip("\n")


def agrees(printed: str, shown: str) -> bool:
    """Return whether a text is what a page shows, in which `...` stands for anything."""

    def plain(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())

    pattern = ".*".join(re.escape(part) for part in plain(shown).split("..."))
    return re.fullmatch(pattern, plain(printed), re.DOTALL) is not None


class PageRun:
    """Runs the blocks of one page, in the current folder."""

    def __init__(self, name: str, names: dict[str, Any]) -> None:
        self._name = name
        self._names = names
        self._printed = ""

    def run(self, page: str) -> None:
        """Run all blocks; raises what a block raises, or `AssertionError` for another output."""
        for block in blocks_of(page):
            if block.is_output:
                self._compare(block.text, block)
            elif block.language == "python":
                self._run_python(block)
            elif block.language == "console":
                for command, output in commands_of(block):
                    if _needs_what_is_missing(command):
                        continue
                    self._printed = _run_command(command)
                    if output:
                        self._compare(output, block)

    def _run_python(self, block: Block) -> None:
        file = re.match(r"# (\w+\.py)$", block.text, re.MULTILINE)
        if file is not None:
            Path(file[1]).write_text(block.text + "\n", encoding="utf-8")
            return
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            # with the line numbers of the page
            code = "\n" * (block.line + 1) + block.text
            exec(compile(code, f"docs/{self._name}.rst", "exec"), self._names)
        self._printed = printed.getvalue()

    def _compare(self, shown: str, block: Block) -> None:
        where = f"{self._name}.rst:{block.line}"
        assert agrees(self._printed, shown), f"{where} prints\n{self._printed}\nnot\n{shown}"


def _needs_what_is_missing(command: str) -> bool:
    names: set[str] = set()
    for file in re.findall(r"\w+\.py", command):
        code = Path(file).read_text(encoding="utf-8")
        names |= set(re.findall(r"^(?:from|import) (\w+)", code, re.MULTILINE))
    local = {path.stem for path in Path().glob("*.py")}
    return any(importlib.util.find_spec(name) is None for name in names - local)


def _run_command(command: str) -> str:
    program, *arguments = shlex.split(command)
    if arguments[:2] == ["-m", "pytest"]:
        return _run_process([sys.executable, *arguments, "-p", "no:cacheprovider"])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if program == "soniox-sync":
            _run_ours(arguments)
        elif program == "python":
            _run_file(*arguments)
        else:
            raise AssertionError(f"{program} is not run by tests: use another kind of block")
    return printed.getvalue()


def _run_ours(arguments: list[str]) -> None:
    from soniox_sync.cli import main

    code: Optional[int] = main(arguments)
    assert not code, arguments


def _run_file(file: str, *arguments: str) -> None:
    before = set(sys.modules)
    with mock.patch.object(sys, "argv", [file, *arguments]):
        with mock.patch.object(sys, "path", [".", *sys.path]):
            try:
                runpy.run_path(file, run_name="__main__")
            except SystemExit as end:
                assert not end.code, end.code
            finally:
                for name in set(sys.modules) - before:
                    if not getattr(sys.modules[name], "__file__", None):
                        continue
                    if Path(str(sys.modules[name].__file__)).parent == Path.cwd():
                        del sys.modules[name]  # another page may have a file of the same name


def _run_process(command: list[str]) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
