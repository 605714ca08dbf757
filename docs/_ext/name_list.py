"""The list of all public names on the reference's first page, each a link to its entry."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from house_docstrings import SUBMODULES, public_names


def listed_names() -> dict[str, list[str]]:
    """Return the dotted names of what has an entry, by the module that users import them from."""
    found: dict[str, list[str]] = {"soniox_sync": []}
    for name, path in sorted(public_names().items()):
        module = path.rpartition(".")[0]
        thing = getattr(importlib.import_module(module), name)
        # no entries: constants and unions, and what is of use to the library alone
        if callable(thing) and hasattr(thing, "__name__") and module != "soniox_sync.config":
            found.setdefault(module, []).append(path)
    order = ["soniox_sync", *(f"soniox_sync.{name}" for name in SUBMODULES)]
    return {module: found[module] for module in order if module in found}


def lines() -> Iterator[str]:
    """Yield the list as reStructuredText."""
    for module, paths in listed_names().items():
        yield f"``{module}``"
        links = (f":py:obj:`{path.rpartition('.')[2]} <{path}>`" for path in paths)
        yield "   " + ", ".join(links)
        yield ""


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx what to call."""
    from docutils.statemachine import StringList
    from sphinx.util.docutils import SphinxDirective

    class NameList(SphinxDirective):
        """Writes a definition list: a module, and its names."""

        def run(self) -> list[Any]:
            return self.parse_text_to_nodes("\n".join(lines())) if _can_parse(self) else _old(self)

    def _can_parse(directive: Any) -> bool:
        return hasattr(directive, "parse_text_to_nodes")  # Sphinx 7.4 and newer

    def _old(directive: Any) -> list[Any]:
        from docutils import nodes

        parent = nodes.Element()
        content = StringList(list(lines()), source=__file__)
        directive.state.nested_parse(content, directive.content_offset, parent)
        return list(parent.children)

    app.add_directive("name-list", NameList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
