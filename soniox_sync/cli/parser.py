"""Parser of the command line: help that fits the terminal, errors that begin with the sentence."""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, Optional

from .._support.checks import nearest
from .console import Console, UsageError

__all__ = ["COMMON", "HelpFormatter", "ParseError", "Parser"]

# Title of the group that ends every help.
COMMON = "common options"
# Wider text is hard to read, however wide the terminal is.
_MAX_COLUMNS = 100
# On a terminal this wide, help begins in a column that leaves the longest options on its line.
_WIDE, _WIDE_POSITION = 76, 30
# A word of a shell command, with its quotes.
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")
# What belongs to the next word of a shell command.
_BEFORE_WORD = ("|", "<", ">")
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
# A word that `argparse` takes for an option, and `--term="two words"`, which it takes for a file. A
# negative number is a value.
_OPTION = re.compile(r"-[^\s\d.-]\S*|--[^\s=]+(?:=.*)?", re.DOTALL)


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

    def _split_lines(self, text: str, width: int) -> list[str]:
        # names such as soniox-sync[sandbox] stay whole where they fit
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

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
    for word in _units(_WORD.findall(line)) if len(line) > width else [line.strip()]:
        if row.strip() and (word[0] == "|" or len(row) + len(f" {word} \\") > width):
            yield f"{row} \\"
            row = "   "
        row += f" {word}" if row else f"  {word}"
    yield row


def _units(words: Sequence[str]) -> Iterator[str]:
    """Yield what stays on one row: an option with its value, a pipe with its command."""
    first = ""
    for word in words:
        takes = first in _BEFORE_WORD or (_is_option(first) and not _is_option(word))
        if first and takes and word not in _BEFORE_WORD:
            yield f"{first} {word}"
            first = ""
        else:
            if first:
                yield first
            first = word
    if first:
        yield first


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
            OutputClosed, OutputFailed: it was asked for, and could not be printed.
        """
        argv = sys.argv[1:] if argv is None else list(argv)
        self._check_options(argv)
        args, rest = self.parse_known_args(argv)
        args.parser._take(args, rest)
        return args

    def _check_options(self, argv: Sequence[str]) -> None:
        """Refuse an unknown option before `argparse` misses what was to be its value.

        `converse --reply-comand CMD` would be a lack of `--reply-command`, and in `--regoin eu
        models` the region would be the command.
        """
        words = iter(argv)
        for word in words:
            name = word.partition("=")[0]
            if word == "--":
                return
            if not _is_option(word):
                child = self._children().get(word)
                if child is not None:
                    child._check_options(list(words))
                if self._children():
                    return
                continue
            action = self._option_string_actions.get(name)
            if action is None and name[:2] not in self._option_string_actions:
                self._refuse_option(name)
            if action is not None and action.nargs is None and name == word:
                next(words, None)  # its value

    def _children(self) -> Mapping[str, Parser]:
        """Return the parsers of the commands or actions by their names."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return action.choices
        return {}

    def _take(self, args: argparse.Namespace, rest: Sequence[str]) -> None:
        """Take the arguments that no parser knew: those after options, where they are allowed."""
        if rest and self._more is None:
            self.error(f"unexpected argument {rest[0]!r}")
        if rest and self._more is not None:
            setattr(args, self._more, [*(getattr(args, self._more) or ()), *rest])

    def _refuse_option(self, name: str) -> NoReturn:
        where = f"{self._name} has no option {name}" if self._name else f"no option {name}"
        own, below = self.option_names(), self._options_below()
        what = "action" if self._name else "command"
        if below:
            where += f" before the {what}"
        if name in below:
            raise ParseError(f"{where}: give it after the {what}", self.prog)
        if os.path.lexists(name):
            raise ParseError(f"{where}: if you mean the file, write ./{name}", self.prog)
        near = nearest(name.lower(), [*own, *below])
        hint = f": did you mean {near}{'' if near in own else f' after the {what}'}?"
        raise ParseError(f"{where}{hint if near else ''}", self.prog)

    def _options_below(self) -> list[str]:
        """Return the options of all commands or actions that their help shows."""
        names: list[str] = []
        for child in self._children().values():
            names += [*child.option_names(), *child._options_below()]
        return names

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
        near = nearest(str(value).lower(), choices)
        advice = f"did you mean {near}?" if near else f"one of {', '.join(choices)}"
        if isinstance(action, argparse._SubParsersAction):
            raise ParseError(f"no {str(action.metavar).lower()} {value!r}: {advice}", self.prog)
        raise argparse.ArgumentError(action, f"no choice {value!r}: {advice}")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write the help or the version to stdout; `argparse` would hide that it cannot be written.

        Raises
            OutputClosed, OutputFailed: as `Console.write`.
        """
        if message:
            Console().write(message)

    def format_help(self) -> str:
        """Return the help; the common options come last."""
        self._action_groups.sort(key=_rank)
        return super().format_help()


def _is_option(word: str) -> bool:
    return _OPTION.fullmatch(word) is not None


def _rank(group: argparse._ArgumentGroup) -> int:
    """Return the place of a group in the help: commands or actions first, common options last."""
    return {"commands": 0, "actions": 0, COMMON: 2}.get(group.title or "", 1)
