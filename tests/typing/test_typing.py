"""Programs of users under strict type checkers: correct ones pass, errors are found.

Correct are `right.py`, the examples and the code of README.rst and docs; `wrong.py` marks errors.
One run of each checker reads all of them.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import soniox_sync

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHECKERS = ("pyright", "mypy")
# a checker takes ten seconds, on a loaded machine a minute
TIMEOUT_SEC = 300

_MYPY_ERROR = re.compile(r"^(.+?):(\d+): error: (.*?)(?:  \[([\w-]+)\])?$", re.MULTILINE)

# Names that the text around the code of pages has introduced.
GIVEN = {
    "client": "from soniox_sync import SonioxClient\nclient = SonioxClient()",
    "chunks": "from collections.abc import Iterable\nchunks: Iterable[bytes] = []",
    "speaker": "import io\nspeaker = io.BytesIO()",
    "llm_tokens": "def llm_tokens() -> list[str]:\n    return ['Hello.']",
    "request": "from typing import Any\nrequest: Any = None",
    "my_llm": "def my_llm(messages: list[dict[str, str]]) -> str:\n    return 'Noon.'",
    "source": "from soniox_sync import MicrophoneSource\nsource = MicrophoneSource()",
    "sink": "from soniox_sync.audio import Player\nsink = Player()",
    "conversation": "from soniox_sync import SonioxClient\nconversation = "
    "SonioxClient().realtime.converse(b'', lambda text, conversation: text, None, voice='Emma')",
}

# In a program that imports a package without types, or one that is not installed here, these are
# not errors of our types.
UNTYPED_NEIGHBOUR = {
    *("reportMissingImports", "reportMissingModuleSource", "reportMissingTypeStubs"),
    *("reportUnknownArgumentType", "reportUnknownLambdaType", "reportUnknownMemberType"),
    *("reportUnknownParameterType", "reportUnknownVariableType"),
    *("reportUntypedBaseClass", "reportUntypedFunctionDecorator", "reportFunctionMemberAccess"),
    # if a decorator or an `abort()` has no type
    *("reportUnusedFunction", "reportPossiblyUnboundVariable", "reportReturnType"),
    *("import-not-found", "import-untyped", "misc", "no-any-return", "untyped-decorator"),
}


@dataclass(frozen=True)
class Report:
    """One error of a checker."""

    file: str  # relative to the folder of programs
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} [{self.rule}]"


# -- programs -------------------------------------------------------------------------------------


def code_blocks(page: Path) -> Iterator[str]:
    """Yield the Python code of a page, except code for another library."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^\.\. code-block:: python\n\n((?:(?: +.*)?\n)+)", text, re.MULTILINE)
    for block in (textwrap.dedent(match[1]) for match in found):
        if not re.search(r"^from soniox[. ]", block, re.MULTILINE):
            yield block


def names_in(block: str) -> tuple[set[str], set[str]]:
    """Return the names that a block reads, and those that it makes."""
    read: set[str] = set()
    made: set[str] = set()
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            made |= {alias.asname or alias.name for alias in node.names}
    return read, made


def program_of(block: str, earlier: Sequence[str]) -> str:
    """Return a complete program: a page's code after the names that it assumes.

    They are those of `GIVEN`, and what `earlier` blocks of the page have made.
    """
    read, made = names_in(block)
    needed = [code for name, code in GIVEN.items() if name in read - made]
    missing = read - made - set(GIVEN)
    for number in range(len(earlier) - 1, -1, -1):
        if names_in(earlier[number])[1] & missing:
            return program_of("\n".join([earlier[number], block]), earlier[:number])
    return "\n".join([*needed, block])


def write_programs(page: Path, folder: Path) -> None:
    """Write each block as a program; one that begins with `# name.py` under its own name."""
    earlier: list[str] = []
    for number, block in enumerate(code_blocks(page), 1):
        file = re.match(r"# (\w+\.py)\n", block)
        if file is not None:
            path = folder / page.stem / file[1]
            code = block
        else:
            path = folder / f"{page.stem.lower()}_{number}.py"
            code = program_of(block, earlier)
        earlier.append(block)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(code, encoding="utf-8")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all programs, as if it were a user's."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("right.py", "wrong.py"):
        shutil.copy(HERE / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.wav")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
    for page in (ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))):
        write_programs(page, folder / "pages")
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.10"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


# -- checkers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports(programs: Path) -> dict[str, list[Report]]:
    """Return the errors of each installed checker."""
    read = {"pyright": run_pyright, "mypy": run_mypy}
    return {name: run(programs) for name, run in read.items() if is_installed(name)}


def is_installed(checker: str) -> bool:
    return importlib.util.find_spec(checker) is not None


def run(folder: Path, *command: str) -> str:
    """Run a module in `folder` with this Python; return its output."""
    # pyright --verifytypes looks for packages of the first Python on the path
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SEC,
    )
    assert done.returncode in (0, 1), done.stderr + done.stdout
    return done.stdout


def run_pyright(folder: Path) -> list[Report]:
    output = run(folder, "pyright", "--outputjson", "--pythonpath", sys.executable)
    return [
        Report(
            str(Path(each["file"]).relative_to(folder.resolve())),
            each["range"]["start"]["line"] + 1,
            each.get("rule", "syntax"),
            each["message"],
        )
        for each in json.loads(output)["generalDiagnostics"]
        if each["severity"] == "error"
    ]


def run_mypy(folder: Path) -> list[Report]:
    """Run once for each example that is a folder, since these contain modules of the same name."""
    roots = [folder, *(each for each in sorted((folder / "examples").iterdir()) if each.is_dir())]
    cache = f"--cache-dir={folder / 'mypy_cache'}"
    options = ["--strict", "--no-error-summary", "--config-file=", "--scripts-are-modules", cache]
    reports = []
    for root in roots:
        files = sorted(root.rglob("*.py"))
        if root == folder:
            files = [path for path in files if not any(each in path.parents for each in roots[1:])]
        output = run(root, "mypy", *options, *(str(path.relative_to(root)) for path in files))
        within = str(root.relative_to(folder))
        reports += [
            Report(str(Path(within, file)), int(line), rule, message)
            for file, line, message, rule in _MYPY_ERROR.findall(output)
        ]
    return reports


@pytest.fixture(params=CHECKERS)
def found(request: pytest.FixtureRequest, reports: dict[str, list[Report]]) -> list[Report]:
    """Return the errors of one checker; skip if it is not available."""
    if not is_installed(request.param):
        pytest.skip(f"needs {request.param}: pip install -e '.[dev]'")
    found = reports[request.param]
    missing = ("reportMissingImports", "import-not-found")
    if any(each.rule in missing and '"soniox_sync' in each.message for each in found):
        pytest.skip("checkers need: pip install -e . --config-settings editable_mode=compat")
    return found


def errors_in(folder: str, found: list[Report], programs: Path) -> list[str]:
    """Return the errors in a folder, except unknown types from packages without types."""
    return [
        str(each)
        for each in found
        if each.file.startswith(folder)
        and not (each.rule in UNTYPED_NEIGHBOUR and uses_other_packages(programs / each.file))
    ]


# -- tests ----------------------------------------------------------------------------------------


def test_correct_programs_pass(found: list[Report]) -> None:
    """Programs that use the library as documented have no errors."""
    assert [str(each) for each in found if each.file == "right.py"] == []


def test_code_of_the_pages_passes(found: list[Report], programs: Path) -> None:
    """Code of README.rst and of docs has no errors, with the names that its text introduces."""
    assert len(list(programs.glob("pages/**/*.py"))) > 12
    assert errors_in("pages", found, programs) == []


def test_examples_pass(found: list[Report], programs: Path) -> None:
    """Examples have no errors, except unknown types from packages without types."""
    assert errors_in("examples", found, programs) == []


def uses_other_packages(path: Path) -> bool:
    """Return whether a program imports packages other than Python's, ours, and its own."""
    near = {"soniox_sync", *(each.stem for each in path.parent.iterdir())}
    imported = re.findall(r"^ *(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE)
    specs = [importlib.util.find_spec(name) for name in set(imported) - near]
    return any(spec is None or "site-packages" in str(spec.origin) for spec in specs)


def test_wrong_lines_are_found(found: list[Report]) -> None:
    """Exactly the marked lines are errors."""
    lines = (HERE / "wrong.py").read_text(encoding="utf-8").splitlines()
    marked = {n: line for n, line in enumerate(lines, 1) if re.search(r"\S.*  # wrong: ", line)}
    reported = {each.line for each in found if each.file == "wrong.py"}
    assert len(marked) > 50
    assert [line for number, line in marked.items() if number not in reported] == []
    assert [f"{n}: {lines[n - 1]}" for n in sorted(reported - set(marked))] == []


def test_every_public_type_is_known(tmp_path: Path) -> None:
    """`pyright --verifytypes` finds no public name whose type is missing or partly unknown."""
    if not is_installed("pyright"):
        pytest.skip("needs pyright: pip install -e '.[dev]'")
    # unknown types of requests and of the standard library are not ours
    options = ["--verifytypes", "soniox_sync", "--ignoreexternal", "--outputjson"]
    report: dict[str, Any] = json.loads(run(tmp_path, "pyright", *options))["typeCompleteness"]
    # pyright may find another checkout installed, and tell of that one
    assert Path(report["moduleRootDirectory"]) == Path(soniox_sync.__file__).parent
    unknown = [
        f"{symbol['name']}: {each['message']}"
        for symbol in report["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
        for each in symbol["diagnostics"]
    ]
    assert unknown == []
    assert report["completenessScore"] == 1
    assert report["exportedSymbolCounts"]["withKnownType"] > 1000
