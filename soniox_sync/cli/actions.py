"""Commands with actions, such as `files list`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any, Callable

from .._support.reprs import counted
from .console import Console, UsageError, is_terminal, write_text
from .options import add_common
from .parser import Parser

__all__ = ["Actions", "add_delete", "check_deletion", "delete_chosen", "run_action"]

Run = Callable[[argparse.Namespace, Console], None]


class Actions:
    """Actions of a command. The common options may also follow the action's name."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._command = parser.prog
        self._actions = parser.add_subparsers(
            dest="action",
            metavar="ACTION",
            required=True,
            title="actions",
            prog=parser.prog,
            parser_class=Parser,
        )

    def add(
        self,
        name: str,
        help: str,
        run: Run,
        usage: str = "",
        example: str = "",
        about: str = "",
        **options: Any,
    ) -> Parser:
        """Add an action and return its parser.

        `usage`: its arguments. `example`: what follows the action's name in the example of its
        help, or several lines of that. `about`: paragraphs after it. `options`: as in `Parser`.
        """
        lines = [f"  {self._command} {name} {each}".rstrip() for each in example.split("\n")]
        parser: Parser = self._actions.add_parser(
            name,
            help=help,
            description="\n\n".join([f"{help[0].upper()}{help[1:]}.", "\n".join(lines), about]),
            usage=" ".join(filter(None, ("%(prog)s", "[options]", usage))),
            **options,
        )
        add_common(parser, 2, gateway=False)
        parser.set_defaults(run_action=run)
        return parser


def run_action(args: argparse.Namespace, console: Console) -> None:
    """Run the action named on the command line."""
    args.run_action(args, console)


def add_delete(actions: Actions, noun: str, run: Run, help: str, item: str) -> Parser:
    """Add the action `delete`, of what `help` names, and return its parser."""
    delete = actions.add("delete", help, run, "ID... | --all", "ID", more="ids")
    delete.add_argument("ids", nargs="*", metavar="ID", help=f"ids of the {noun}s")
    delete.add_argument("--all", action="store_true", help=f"delete every {item}")
    delete.add_argument(
        "-y", "--yes", action="store_true", help="with --all, do not ask; asked on a terminal only"
    )
    return delete


def check_deletion(args: argparse.Namespace, noun: str) -> None:
    """Raise `UsageError` unless either ids or --all were given."""
    if args.ids and args.all:
        raise UsageError(f"--all deletes every {noun}: leave it out, or the IDs")
    if not args.ids and not args.all:
        raise UsageError(f"name the {noun}s to delete by their IDs, or delete all with --all")


def delete_chosen(
    args: argparse.Namespace,
    console: Console,
    noun: str,
    list_all: Callable[[], Iterable[object]],
    delete: Callable[[str], object],
    delete_all: Callable[[], object],
) -> None:
    """Delete what the command line names, after a question if that is all, and write how many."""
    count, declined = len(args.ids), False
    if args.all:
        count = sum(1 for _ in list_all())
        if count and not args.yes and not _confirmed(console, f"delete {counted(count, noun)}?"):
            console.note("nothing was deleted")
            count, declined = 0, True
        elif count:
            delete_all()
    for item_id in args.ids:
        delete(item_id)
    if args.json:
        console.write_json(json.dumps({"deleted": count}))
    elif not declined:
        console.write(f"deleted {counted(count, noun)}\n")


def _confirmed(console: Console, question: str) -> bool:
    """Return what a user answers; without one, in a pipe, yes."""
    if not (is_terminal(console.stdin) and is_terminal(console.stderr)):
        return True
    write_text(console.stderr, f"{question} [y/N] ")
    answer = console.stdin.readline() if console.stdin is not None else ""
    return answer.strip().lower() in ("y", "yes")
