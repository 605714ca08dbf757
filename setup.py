"""Build script. All is declared in setup.cfg but the links of the README as an index shows it."""

import configparser
import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
# `title <docs/page.rst>`__, which may be broken between lines
PAGE = re.compile(r"`([^`<]+?)(\s+)<docs/([\w/]+)\.rst>`__")


def documentation_url() -> str:
    """Return the address of the published pages, from `project_urls`; "" if there is none."""
    declared = configparser.ConfigParser()
    declared.read(HERE / "setup.cfg", encoding="utf-8")
    for line in declared["metadata"]["project_urls"].splitlines():
        name, _, url = line.partition("=")
        if name.strip() == "Documentation":
            return url.strip().rstrip("/")
    return ""


def readme_for_index(text: str, documentation: str) -> str:
    """Return the README with links that work away from the repository.

    A link to a page leads to the published one. Without any it becomes the name of the file, which
    the source distribution has.
    """
    if documentation:
        return PAGE.sub(rf"`\1\2<{documentation}/\3.html>`__", text)
    return PAGE.sub(r"\1\2(``docs/\3.rst``)", text)


if __name__ == "__main__":
    readme = (HERE / "README.rst").read_text(encoding="utf-8")
    setup(long_description=readme_for_index(readme, documentation_url()))
