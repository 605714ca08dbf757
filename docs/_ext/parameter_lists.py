"""Gives each call a list of its parameters, of which each can be linked to, and its example.

The docstrings say what a parameter means where it reads best: in a paragraph (`pace`: how fast), or
in a list of keywords with their defaults. Here that becomes one list for each call, in the order of
the signature. Keywords that are fields of an option class are named, and described there. Examples
are in `docs/_examples`: a comment with the name of the call, and the code up to the next.
"""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

EXAMPLES = Path(__file__).parent.parent / "_examples"
_KEYWORD_MODULES = (
    "soniox_sync.config.keywords",
    "soniox_sync.rest.keywords",
    "soniox_sync.sandbox.keywords",
    "soniox_sync.transcript.keywords",
)
# what is said of every such parameter, unless its docstring says more
COMMON = {
    "auto_reconnect": "whether a lost connection is replaced.",
    "session_config": "as for `record()`.",
    "session_options": "`SttSessionOptions`, or a mapping of its fields.",
    "cancel": "a `CancelToken` that ends the call with `AbortError`.",
    "timeout_sec": "seconds to wait; `None`: no limit, 0: not at all.",
    "file_id": "`id` of an uploaded file.",
    "transcription_id": "`id` of a job.",
    "voice_id": "`id` of a voice.",
    "handler": "a callable; it may take fewer arguments than the event has.",
    "handlers": "where the source delivers its audio, its end and its errors.",
    "result": "what a session has delivered.",
    "tokens": "tokens in the order in which they were spoken.",
    "start_time": "`datetime` or ISO 8601 text.",
    "end_time": "`datetime` or ISO 8601 text.",
    "agent_id": "the gateway's name of an agent; overrides that of the client.",
    "session_id": "the gateway's name of a session; overrides that of the client.",
}
# `name` or `name(...)`, with its default in parentheses
_ONE = r"`(\w+)(?:\([^`]*\))?`(?: \(((?:[^()]|\([^)]*\))*)\))?"
_HEAD = re.compile(_ONE)
_BARE = _ONE.replace(r"(\w+)", r"\w+").replace("(((?:", "((?:").replace(r"*)\)", r"*\)")
_NAMED = re.compile(rf"{_BARE}(?:(?:, | and ){_BARE})*: ")
_START = re.compile(rf"(?:^|(?<=[.;] ))(?={_NAMED.pattern})")
_ITEM = "- "
# sentences behind the last parameter of a paragraph that are about the whole
_OF_ALL = "Immutable|Source: |Thread-safe|Not thread-safe|The rest |Leaving |Raises |Switches "
_REST = re.compile(rf"(?<=\. )(?=(?:{_OF_ALL}))")


class Split(NamedTuple):
    """A docstring's paragraphs without what describes parameters, and those descriptions."""

    lines: list[str]
    texts: dict[str, str]


def parameters_of(obj: Any) -> tuple[dict[str, inspect.Parameter], dict[str, str]]:
    """Return what a call takes by name, and the docstring of each class of its `**keywords`."""
    try:
        found = inspect.signature(obj).parameters.values()
    except (TypeError, ValueError):
        return {}, {}
    plain: dict[str, inspect.Parameter] = {}
    fields: dict[str, str] = {}
    for one in found:
        if one.kind is one.VAR_KEYWORD:
            fields.update(_fields(str(one.annotation)))
        elif one.kind is not one.VAR_POSITIONAL and one.name not in ("self", "cls"):
            plain[one.name] = one
    return plain, {name: about for name, about in fields.items() if name not in plain}


def _fields(annotation: str) -> dict[str, str]:
    name = re.fullmatch(r"Unpack\[(\w+)\]", annotation.strip("'\""))
    for module in _KEYWORD_MODULES if name else ():
        cls = getattr(importlib.import_module(module), name[1], None)  # type: ignore[index]
        if cls is not None:
            about = inspect.getdoc(cls) or ""
            return dict.fromkeys(cls.__annotations__, about)
    return {}


def split(lines: Iterable[str], names: set[str]) -> Split:
    """Take the paragraphs and items that describe `names` out of a docstring."""
    kept: list[str] = []
    texts: dict[str, str] = {}
    for paragraph in _paragraphs(lines):
        taken, rest = _taken(paragraph, names)
        texts.update(taken)
        if not taken:
            kept += [*paragraph, ""]
        elif len(kept) > 1 and kept[-2].endswith(":"):
            _close_introduction(kept)
        if taken and rest:
            kept += [*textwrap.wrap(rest, 96), ""]
    return Split(kept, texts)


def _close_introduction(kept: list[str]) -> None:
    """End the sentence that introduced a list whose items are taken; or drop one that says less."""
    if kept[-2].endswith("with their defaults:"):
        del kept[-2:]
    else:
        kept[-2] = f"{kept[-2][:-1]}."


def _paragraphs(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield paragraphs, and each item of a list as one."""
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if paragraph and (not line.strip() or line.startswith(_ITEM)):
            yield paragraph
            paragraph = []
        if line.strip():
            paragraph.append(line)


def _taken(paragraph: list[str], names: set[str]) -> tuple[dict[str, str], str]:
    text = " ".join(line.strip() for line in paragraph)
    if paragraph[0].startswith(" "):
        return {}, ""
    text, rest = [*_REST.split(text.removeprefix(_ITEM), maxsplit=1), ""][:2]
    starts = [at.start() for at in _START.finditer(text) if _names_at(text, at.start()) <= names]
    if not starts or starts[0] > 0:
        return {}, ""
    found: dict[str, str] = {}
    for start, end in zip(starts, [*starts[1:], len(text)]):
        head = _NAMED.match(text, start)
        assert head is not None
        for name, default in _HEAD.findall(head[0]):
            said = text[head.end() : end].strip()
            found[name] = said + (f" Default: {default}." if default else "")
    return found, rest


def _names_at(text: str, start: int) -> set[str]:
    head = _NAMED.match(text, start)
    return {name for name, _ in _HEAD.findall(head[0])} if head else set()


def described(obj: Any, lines: list[str]) -> list[str]:
    """Return a docstring with its parameters as an `Args` block, before what it raises."""
    plain, fields = parameters_of(obj)
    if not plain and not fields:
        return lines
    if any(line.rstrip(":") == "Args" for line in lines):
        return lines  # has one already
    body, texts = split(lines, {*plain, *fields})
    block = ["Args"]
    for name in plain:
        block += _entry(name, texts.pop(name, COMMON.get(name, "")))
    for name in fields:
        if name in texts:
            block += _entry(name, texts.pop(name))
    block += _others(fields, block)
    at = next((i for i, line in enumerate(body) if line.rstrip(":") == "Raises"), len(body))
    return [*body[:at], *block, "", *body[at:]]


def _entry(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        f"{name}: {text}".strip(), 96, initial_indent="    ", subsequent_indent=" " * 8
    )


def _others(fields: dict[str, str], block: list[str]) -> list[str]:
    """Return an entry for each group of keywords that are described in their own class."""
    named = {line.strip().partition(":")[0] for line in block}
    groups: dict[str, list[str]] = {}
    for name, about in fields.items():
        if name not in named:
            groups.setdefault(about.partition("\n")[0].rstrip("."), []).append(f"`{name}`")
    said = "; ".join(f"{about}: {', '.join(names)}" for about, names in groups.items())
    return _entry("keywords", f"{said}.") if said else []


# -- examples -------------------------------------------------------------------------------------


def examples() -> dict[str, str]:
    """Return the code of each call's example by the call's full name."""
    found: dict[str, str] = {}
    for path in sorted(EXAMPLES.glob("*.py")):
        parts = re.split(r"^# == ([\w.]+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for name, code in zip(parts[1::2], parts[2::2]):
            assert name not in found, name
            found[name] = code.strip("\n")
    return found


_EXAMPLES = examples()


def _on_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what in ("method", "function", "class"):
        lines[:] = described(obj, lines) if not _made_elsewhere(what, obj) else lines


def _made_elsewhere(what: str, obj: Any) -> bool:
    made = re.search(r"\bMade by `|^Is `client\.", inspect.getdoc(obj) or "")
    return what == "class" and (made is not None or issubclass(obj, dict))


def _add_example(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    code: Optional[str] = _EXAMPLES.get(name)
    if code is not None:
        lines += ["", ".. code-block:: python", "", *textwrap.indent(code, "    ").split("\n"), ""]


# -- links ----------------------------------------------------------------------------------------


def _add_anchors(app: Any, doctree: Any, docname: str) -> None:
    from docutils import nodes
    from sphinx import addnodes

    for desc in doctree.findall(addnodes.desc):
        ids = desc[0].get("ids") if isinstance(desc[0], addnodes.desc_signature) else None
        if not ids:
            continue
        for field in _own_fields(desc, addnodes, nodes):
            if field[0].astext() != "Parameters":
                continue
            for paragraph in field[1].findall(nodes.paragraph):
                if isinstance(paragraph[0], addnodes.literal_strong):
                    _anchor(paragraph, f"{ids[0]}.{paragraph[0].astext().strip('*')}", nodes)


def _own_fields(desc: Any, addnodes: Any, nodes: Any) -> Iterator[Any]:
    for content in desc.children:
        if isinstance(content, addnodes.desc_content):
            for child in content.children:
                if isinstance(child, nodes.field_list):
                    yield from child.children


def _anchor(paragraph: Any, name: str, nodes: Any) -> None:
    anchor = re.sub(r"[^\w.-]+", "-", f"{name}.parameter")
    paragraph["ids"].append(anchor)
    link = nodes.reference(
        "", "¶", refid=anchor, internal=True, classes=["headerlink", "parameter-link"]
    )
    paragraph += link


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx what to call."""
    # before the docstring's own markup is translated, and the example after that
    app.connect("autodoc-process-docstring", _on_docstring, priority=400)
    app.connect("autodoc-process-docstring", _add_example, priority=600)
    # when all transforms are done: one of them moves what follows the name of a parameter
    app.connect("doctree-resolved", _add_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
