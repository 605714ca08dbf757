"""Which mutants a module has, and which it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.equivalents import EQUIVALENTS
from tests.mutation.mutants import Mutant, mutants_of, sample

ROOT = Path(__file__).parents[2]


def mutants(tmp_path: Path, source: str) -> list[Mutant]:
    """Return the mutants of a source; each of them compiles."""
    path = tmp_path / "module.py"
    path.write_text(source)
    found = mutants_of(path, "module.py")
    for mutant in found:
        compile(mutant.apply(), "module.py", "exec")
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a >= b", {"x = a > b"}),
        ("x = a is not None", {"x = a is None"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = a < b == c", {"x = a <= b == c", "x = a < b != c"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a ** b", {"x = a * b"}),
        ("x += y", {"x -= y"}),
        ("x = 3", {"x = 4"}),
        ("x = 0.5", {"x = 1.5"}),
        ("x = True", {"x = False"}),
        ("x = 'audio'", {"x = 'XXaudio'"}),
        ("x = b'RIFF'", {"x = b'XXRIFF'"}),
        ("x = not a", {"x = (a)"}),
        ("x = a and b", {"x = ((a) or (b))", "x = ((a))", "x = ((b))"}),
        ("x = a if b else c", {"x = a if True else c", "x = a if False else c"}),
        ("x = [a for a in b if a]", {"x = [a for a in b if True]"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
    ],
)
def test_an_expression_is_changed_in_one_place(
    tmp_path: Path, line: str, expected: set[str]
) -> None:
    """Order relations lose or gain their limit, all else becomes its opposite or its neighbour."""
    assert {mutant.after for mutant in mutants(tmp_path, line)} == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a", {"return None"}),
        ("raise a", {"pass"}),
        ("a.b = c", {"pass"}),
        ("a()", {"pass"}),
        ("if a: b", {"if True: b", "if False: b"}),
        ("while a: b", {"while False: b"}),
        ("for a in b: break", {"for a in b: continue"}),
    ],
)
def test_a_statement_is_left_out_or_its_condition_is_fixed(
    tmp_path: Path, body: str, expected: set[str]
) -> None:
    """In a function a statement with an effect is left out, a condition always or never holds."""
    found = mutants(tmp_path, f"def f(a, b, c):\n    {body}\n")
    assert {mutant.after for mutant in found} == expected
    assert {(mutant.scope, mutant.function, mutant.function_line) for mutant in found} == {
        ("f", "f", 1)
    }


@pytest.mark.parametrize(
    "source",
    [
        '"""A text."""',
        "x = 'A text for people'",
        "x = f'{a + 1}'",
        "log.debug('x', a + 1)",
        "if log.isEnabledFor(10):\n    x = 1",
        "if TYPE_CHECKING:\n    x = 1",
        "__slots__ = ('a',)",
        "x: Literal['a']",
        "x = cast('a', y)",
        "def f(a: 'b') -> 'c':\n    'A text.'",
        "class A:\n    def __repr__(self):\n        return 'a'",
        "class A(Protocol):\n    x = 1",
        "class A(Enum):\n    B = 'b'",
        "@overload\ndef f(a=1):\n    return a",
        "@decorated(by=1)\ndef f(a):\n    pass",
        "assert a == 1",
    ],
)
def test_texts_logs_and_types_are_left_out(tmp_path: Path, source: str) -> None:
    """What no test has to notice has no mutant."""
    assert mutants(tmp_path, source) == []


def test_a_default_is_no_part_of_the_body(tmp_path: Path) -> None:
    """A change outside of a body knows the name that stands for it."""
    (found,) = mutants(tmp_path, "class A:\n    def __init__(self, limit=3):\n        self.x: int")
    assert (found.function, found.names, found.line) == (None, ("A",), 2)


def test_a_sample_keeps_what_it_can(tmp_path: Path) -> None:
    """The same seed draws the same mutants, and most of them again beside new ones."""
    source = "".join(f"x{i} = {i}\n" for i in range(100))
    few = sample(mutants(tmp_path, source), 20, 7)
    assert few == sample(mutants(tmp_path, source), 20, 7)
    assert few != sample(mutants(tmp_path, source), 20, 8)
    assert [m.line for m in few] == sorted(m.line for m in few)
    more = {m.identity for m in sample(mutants(tmp_path, source + "y = 1\n"), 20, 7)}
    assert len(more & {m.identity for m in few}) >= 19


def test_a_mutant_is_shown_as_a_small_diff(tmp_path: Path) -> None:
    """A survivor is read without opening the file."""
    found = mutants(tmp_path, "def f(a):\n    x = a < 1\n")
    assert found[0].diff() == "module.py:2 f\n- x = a < 1\n+ x = a <= 1"


def test_each_equivalent_mutant_exists() -> None:
    """An excuse whose code has changed is taken out of the list."""
    excused = {each.identity for each in EQUIVALENTS}
    existing = {
        mutant.identity
        for module in {each.module for each in EQUIVALENTS}
        for mutant in mutants_of(ROOT / module, module)
    }
    assert excused <= existing
    assert len(excused) == len(EQUIVALENTS)
    assert all(each.reason for each in EQUIVALENTS)
