"""Parser of the command line: help that fits the terminal, errors that begin with the sentence."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, Optional

from .._support.checks import nearest
from .console import UsageError

__all__ = ["COMMON", "HelpFormatter", "ParseError", "Parser"]

# Title of the group that ends every help.
COMMON = "common options"
# Wider text is hard to read, however wide the terminal is.
_MAX_COLUMNS = 100
# On a terminal this wide, help begins in a column that leaves the longest options on its line.
_WIDE, _WIDE_POSITION = 76, 30
# A word of a shell command, with its quotes.
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")
# What argparse says, and what is said here.
_WORDINGS = (
    (re.compile(r"^argument (.*): expected (?:one|at least one) argument$"), r"\1 needs a value"),
    (
        re.compile(r"^argument (.*): not allowed with argument (.*)$"),
        r"\1 and \2 exclude each other",
    ),
    (re.compile(r"^argument (.*): ignored explicit argument .*$"), r"\1 takes no value"),
    (re.compile(r"^argument "), ""),
)
_MISSING = re.compile(r"^the following arguments are required: (.*)$")


class ParseError(UsageError):
    """Command line that does not fit its parser. `program`: the command whose help says more."""

    def __init__(self, message: str, program: str) -> None:
        super().__init__(message)
        self.program = program


class HelpFormatter(argparse.HelpFormatter):
    """Formatter that fits paragraphs to the terminal, and breaks examples so that they still run.

    A line of an example that is too long continues on the next one after a backslash.
    """

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **options)
        self._width = min(self._width, _MAX_COLUMNS)
        if self._width >= _WIDE:
            self._max_help_position = _WIDE_POSITION

    def _format_usage(self, usage: Optional[str], actions: Any, groups: Any, prefix: Any) -> str:
        text = (usage or "%(prog)s") % {"prog": self._prog}
        # wrapped like prose: each command states its usage, `argparse` would list all options
        return textwrap.fill(f"usage: {text}", self._width, subsequent_indent=" " * 4) + "\n\n"

    def _format_action(self, action: argparse.Action) -> str:
        if isinstance(action, argparse._SubParsersAction):  # the title of its group is enough
            return "".join(map(self._format_action, action._get_subactions()))
        return super()._format_action(action)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = re.split(r"\n\s*\n", text.strip("\n"))
        return "\n\n".join(_fitted(block, width) for block in blocks)


def _fitted(block: str, width: int) -> str:
    lines = block.splitlines()
    if lines[0].startswith(" "):
        return "\n".join(row for line in lines for row in _broken(line, width))
    return textwrap.fill(" ".join(lines), width, break_long_words=False, break_on_hyphens=False)


def _broken(line: str, width: int) -> Iterator[str]:
    """Yield the rows of one command."""
    row = ""
    for word in _WORD.findall(line) if len(line) > width else [line.strip()]:
        if row.strip() and len(row) + len(f" {word} \\") > width:
            yield f"{row} \\"
            row = "   "
        row += f" {word}" if row else f"  {word}"
    yield row


class Parser(argparse.ArgumentParser):
    """Parser of the program, a command or an action.

    Errors are raised as `ParseError`, whose sentence names the closest option; `argparse` would
    print a summary of all options first, twelve lines for `transcribe`.

    Args:
        more: name of the arguments that may also follow options: `speak Hello --voice Nina there`.
        prog, usage, description, epilog: as in `argparse`.
    """

    def __init__(self, *, more: Optional[str] = None, **options: Any) -> None:
        options.setdefault("formatter_class", HelpFormatter)
        super().__init__(add_help=False, allow_abbrev=False, **options)
        self._more = more
        # `argparse` has other titles in other versions
        self._positionals.title, self._optionals.title = "arguments", "options"
        self.add_argument("-h", "--help", action="help", help="show this help")
        self.set_defaults(parser=self)

    def parse(self, argv: Optional[Sequence[str]]) -> argparse.Namespace:
        """Parse all arguments.

        Raises
            ParseError: they do not fit.
            SystemExit: the help or the version was asked for, and printed.
        """
        argv = sys.argv[1:] if argv is None else list(argv)
        self._check_leading(argv)
        args, rest = self.parse_known_args(argv)
        args.parser._take(args, rest)
        return args

    def _check_leading(self, argv: Sequence[str]) -> None:
        """Refuse an unknown option before the command, whose value would be taken for that."""
        for word in argv:
            name = word.partition("=")[0]
            if not name.startswith("--") or name == "--":
                return
            if name not in self._option_string_actions:
                self._refuse_option(name)

    def _take(self, args: argparse.Namespace, rest: Sequence[str]) -> None:
        """Take the arguments that no parser knew: those after options, where they are allowed."""
        for word in rest:
            if word.startswith("-") and len(word) > 1 and word != "--":
                self._refuse_option(word.partition("=")[0])
        if rest and self._more is None:
            self.error(f"unexpected argument {rest[0]!r}")
        if rest and self._more is not None:
            setattr(args, self._more, [*(getattr(args, self._more) or ()), *rest])

    def _refuse_option(self, name: str) -> NoReturn:
        near = nearest(name, self.option_names())
        hint = f": did you mean {near}?" if near else ""
        where = f"{self._name} has no option {name}"
        self.error((where if self._name else f"no option {name} before the command") + hint)

    def option_names(self) -> list[str]:
        """Return the options that the help shows."""
        return [
            name
            for name, action in self._option_string_actions.items()
            if action.help != argparse.SUPPRESS
        ]

    @property
    def _name(self) -> str:
        """Command, and action; empty for the program, whose name begins the message."""
        return self.prog.partition(" ")[2]

    def error(self, message: str) -> NoReturn:
        """Raise `ParseError`."""
        missing = _MISSING.match(message)
        if missing:
            what = self._alternatives(missing[1]) or missing[1]
            message = f"{self._name} needs {what}" if self._name else f"give {what}"
        for pattern, wording in _WORDINGS:
            message = pattern.sub(wording, message)
        raise ParseError(message, self.prog)

    def _alternatives(self, metavar: str) -> str:
        """Return the commands or actions, if `metavar` stands for them."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and action.metavar == metavar:
                article = "an" if metavar[0] in "AEIOU" else "a"
                return f"{article} {metavar}: {', '.join(action.choices)}"
        return ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [] if action.choices is None else list(map(str, action.choices))
        if action.choices is None or value in action.choices:
            return
        near = nearest(str(value), choices)
        advice = f"did you mean {near}?" if near else f"one of {', '.join(choices)}"
        if isinstance(action, argparse._SubParsersAction):
            raise ParseError(f"no {str(action.metavar).lower()} {value!r}: {advice}", self.prog)
        raise argparse.ArgumentError(action, f"no choice {value!r}: {advice}")

    def format_help(self) -> str:
        """Return the help; the common options come last."""
        self._action_groups.sort(key=_rank)
        return super().format_help()


def _rank(group: argparse._ArgumentGroup) -> int:
    """Return the place of a group in the help: commands or actions first, common options last."""
    return {"commands": 0, "actions": 0, COMMON: 2}.get(group.title or "", 1)
