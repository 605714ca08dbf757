"""The page `docs/parity.rst`, as it is for the installed SDK."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.parity.compare import NONE, SAME, Row, Section, compare

PAGE = Path(__file__).parents[3] / "docs" / "parity.rst"


def page() -> str:
    """Return the text of the page for the installed SDK.

    Raises
        Undecided: see `compare`.
    """
    sections = compare()
    rows = [row for section in sections for row in section.rows]
    left = sum(row.here == NONE for row in rows)
    named = sum(row.here not in (SAME, NONE) for row in rows)
    version = importlib.metadata.version("soniox")
    title = "Names of the official Python SDK"
    lines = [
        ".. Written by: python -m tests.conformance.parity",
        "",
        title,
        "=" * len(title),
        "",
        f"Every public name of ``soniox`` {version}, and what it is called here: clients, methods,",
        "their parameters, fields of events and responses, errors. A script compares the",
        f"installed packages: {named} names are different here, {left} have no counterpart.",
        "For how the behaviour differs, see :doc:`migration_python`.",
        "",
        "A method's parameters have the same names unless a row below it says otherwise.",
    ]
    for section in sections:
        lines += [
            "",
            section.title,
            "-" * len(section.title),
            "",
            section.intro,
            "",
            *_table(section),
        ]
    return "\n".join(lines) + "\n"


def _table(section: Section) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 45 30 25", "")
    for row in (Row("official", "soniox_sync", "remark"), *section.rows):
        yield f"   * - {row.official}"
        yield f"     - {row.here}"
        yield f"     - {row.note}".rstrip()
