"""Reads the docstrings of this project, which are written to be read in the source.

There a name stands in single backticks, what is raised stands in a block, and a fact about the
service is followed by where it is from (`PROTOCOL 3.5`). Here each becomes a link where there is
something to link to, and a literal where there is not.
"""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Optional

import soniox_sync

# the submodules whose `__all__` is public beside the package's own; the first that has it wins
SUBMODULES = ("errors", "sources", "transcript", "audio", "sandbox", "config", "rest")

_TICKED = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_CITED = re.compile(r"PROTOCOL (\d+(?:\.\d+)*)((?:(?:, | and | - )\d+(?:\.\d+)*)*)")
_PAGE = re.compile(r"docs/(\w+)\.rst")
_RAISED = re.compile(r"(?:^|(?<=[.;] ))((?:[A-Z]\w+, )*[A-Z]\w*(?:Error|Exception)): ")
_MARKUP = re.compile(r"([*|])|(?<=\w)_(?!\w)")


def public_names() -> dict[str, str]:
    """Return every public name and the path under which it is documented."""
    names = {name: f"soniox_sync.{name}" for name in soniox_sync.__all__}
    for module in SUBMODULES:
        for name in importlib.import_module(f"soniox_sync.{module}").__all__:
            names.setdefault(name, f"soniox_sync.{module}.{name}")
    return names


_NAMES = public_names()


def section_label(number: str) -> str:
    """Return the label of the section of the protocol notes that `number` is in.

    `3.3.10` is rule 10 of section 3.3, `10.46` trap 46 of section 10.
    """
    parts = number.split(".")
    depth = 1 if parts[0] in ("9", "10", "11", "12") else 2
    return "protocol-" + "-".join(parts[:depth])


def rewrite(lines: list[str]) -> list[str]:
    """Turn a docstring into what Sphinx reads."""
    return list(_paragraphs(lines))


def _paragraphs(lines: list[str]) -> Iterator[str]:
    paragraph: list[str] = []
    literal: Optional[int] = None  # the indent of the line that opened a literal block
    block: Optional[Callable[[list[str]], Iterator[str]]] = None
    for line in [*lines, ""]:
        indent = len(line) - len(line.lstrip())
        if literal is not None:
            if not line.strip() or indent > literal:
                yield line
                continue
            literal = None
        if line.strip():
            if not paragraph:
                block = _BLOCKS.get(line.rstrip(":"))
            paragraph.append(line)
            continue
        if block is not None:
            yield from block(paragraph[1:])
        elif paragraph:
            yield from _marked("\n".join(paragraph)).split("\n")
            if paragraph[-1].endswith("::"):
                literal = len(paragraph[-1]) - len(paragraph[-1].lstrip())
        yield ""
        paragraph, block = [], None


def _raises(block: list[str]) -> Iterator[str]:
    text = " ".join(line.strip() for line in block)
    parts = _RAISED.split(text)
    if parts[0].strip():
        yield f"Raises {_marked(parts[0].strip())}"
        yield ""
    for names, why in zip(parts[1::2], parts[2::2]):
        yield f":raises {names}: {_marked(why.strip())}"


def _parameters(block: list[str]) -> Iterator[str]:
    text = textwrap.dedent("\n".join(block))
    for entry in re.split(r"\n(?=\S)", text):
        name, _, what = entry.partition(":")
        yield f":param {name}: {_marked(' '.join(what.split()))}"


_BLOCKS = {"Raises": _raises, "Args": _parameters}


def _marked(text: str) -> str:
    out: list[str] = []
    end = 0
    for match in _TICKED.finditer(text):
        out.append(_plain(text[end : match.start()]))
        out.append(_ticked(" ".join(match[1].split())))
        end = match.end()
        if text[end : end + 1].isalnum():
            out.append("\\ ")  # the markup must end before the word goes on
    out.append(_plain(text[end:]))
    return "".join(out)


def _ticked(content: str) -> str:
    if content in _NAMES:
        return f":py:obj:`{content} <{_NAMES[content]}>`"
    if _CITED.fullmatch(content):
        return _cite(content)
    return f"``{content}``"


def _plain(text: str) -> str:
    return _cite(_MARKUP.sub(lambda found: "\\" + found[0], text))


def _cite(text: str) -> str:
    return _PAGE.sub(r":doc:`/\1`", _CITED.sub(_citation, text))


def _citation(match: re.Match[str]) -> str:
    def link(text: str, number: str) -> str:
        return f":ref:`{text} <{section_label(number)}>`"

    others = re.sub(r"\d+(?:\.\d+)*", lambda more: link(more[0], more[0]), match[2])
    return link(f"PROTOCOL {match[1]}", match[1]) + others


def _on_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rewrite(lines)


def _on_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str, returns: str
) -> Optional[tuple[str, Optional[str]]]:
    """Leave out how to construct what users never construct."""
    made_elsewhere = re.search(r"\bMade by `|^Is `client\.", obj.__doc__ or "")
    return ("", None) if what == "class" and made_elsewhere else None


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx what to call."""
    app.connect("autodoc-process-docstring", _on_docstring)
    app.connect("autodoc-process-signature", _on_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
