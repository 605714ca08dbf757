"""Print pip constraints that hold everything at the lowest version setup.cfg allows here.

python .ci/lowest.py EXTRA... > constraints.txt

Requirements of the package and of the extras, for the Python that runs this. Needs `packaging`.
A bound names a release that exists, or pip finds nothing to install: a wrong bound shows at once.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

NAME = "soniox-sync"


def requirements(options: configparser.ConfigParser, extras: set[str]) -> Iterator[Requirement]:
    """Yield what the package and the extras require on this Python, extras within extras too."""
    listed = options["options"]["install_requires"]
    for extra in sorted(extras):
        listed += "\n" + options["options.extras_require"][extra]
    for line in filter(None, map(str.strip, listed.splitlines())):
        requirement = Requirement(line)
        if requirement.name == NAME:
            yield from requirements(options, requirement.extras - extras)
        elif requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def lowest(requirement: Requirement) -> str:
    """Return the constraint for one requirement, nothing for one without a lower bound."""
    for specifier in requirement.specifier:
        if specifier.operator in (">=", "=="):
            return f"{requirement.name}=={specifier.version}"
    return ""


def main() -> None:
    """Print the constraints, sorted."""
    options = configparser.ConfigParser(comment_prefixes=("#",))
    options.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    found = {lowest(each) for each in requirements(options, set(sys.argv[1:]))}
    print("\n".join(sorted(filter(None, found))))


if __name__ == "__main__":
    main()
