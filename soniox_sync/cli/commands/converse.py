"""Talk to a program that answers: it reads what you say, and what it writes is spoken.

  soniox-sync converse --reply-command "python bot.py" --greeting "Hello!"
  soniox-sync --sandbox converse --reply-command cat --line "Good morning." --line "Thank you."

Each turn is a line on the program's standard input, and its reply a line on its standard output;
an empty line says nothing. The program must not buffer its output: one in Python can simply print,
others must flush each line (sed -u). It is started once, and the conversation ends when it does.
You can interrupt the agent by speaking, which takes a headset and --duplex full: otherwise the
microphone is not heard while the agent speaks. With --sandbox, --line scripts a caller, and no
microphone is needed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional

from ...errors import AudioSourceError
from ..console import Console, UsageError
from ..options import add_patience, number, patience_of
from ..replying import ReplyCommand
from ..services import open_realtime_with_sandbox, warn_missing_engines

if TYPE_CHECKING:
    from ...conversation.turns import ConversationMetrics, Turn
    from ...realtime.conversation.conversation import Conversation
    from ...sandbox import Sandbox

USAGE = "--reply-command CMD"
HELP = "talk to a program that answers"
SUPPORTS_GATEWAY = True

_NO_DEVICE = "to try it without audio devices, script the caller: --sandbox --line TEXT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--reply-command",
        required=True,
        metavar="CMD",
        help="program that answers, with its arguments",
    )
    parser.add_argument(
        "--line",
        action="append",
        metavar="TEXT",
        help="with --sandbox: what a scripted caller says; repeatable",
    )
    parser.add_argument("--greeting", metavar="TEXT", help="what the agent says first")
    parser.add_argument(
        "--voice", default="Adrian", metavar="NAME", help="the agent's voice (default: %(default)s)"
    )
    parser.add_argument(
        "--language", default="en", metavar="XX", help="language spoken (default: %(default)s)"
    )
    parser.add_argument("--model", metavar="NAME", help="model of the recogniser")
    parser.add_argument(
        "--duplex", choices=("full", "half"), help="full: you can interrupt; wear a headset"
    )
    parser.add_argument(
        "--patience",
        type=number(float, 0, 60),
        metavar="SEC",
        help="wait this long after a pause before answering (default: 0)",
    )
    add_patience(parser)


def run(args: argparse.Namespace, console: Console) -> None:
    """Hold the conversation."""
    if args.line and not args.sandbox:
        raise UsageError("--line scripts a caller, which needs --sandbox")
    try:
        _converse(args, console)
    except AudioSourceError as error:
        if args.line:
            raise
        # the class says how `--json` names it
        raise type(error)(f"{error}; {_NO_DEVICE}") from error


def _converse(args: argparse.Namespace, console: Console) -> None:
    with ReplyCommand(args.reply_command) as program:
        warn_missing_engines(args, console, speech=bool(args.line), recognition=not args.line)
        with open_realtime_with_sandbox(args) as (client, sandbox), _ends(args, sandbox) as ends:
            source, sink = ends

            def reply(text: str, conversation: Conversation) -> Iterator[str]:
                yield from program.answer(text)

            with client.realtime.converse(source, reply, sink, **_fields(args)) as conversation:
                _talk(args, console, conversation, program)


def _talk(
    args: argparse.Namespace, console: Console, conversation: Conversation, program: ReplyCommand
) -> None:
    if args.greeting:
        conversation.say(args.greeting)
    with console.interrupts.graceful(conversation.cancel):
        for turn in conversation:
            _show(args, console, turn)
            if program.is_over:
                conversation.stop()
    console.note(_summary(conversation.metrics))


@contextmanager
def _ends(args: argparse.Namespace, sandbox: Optional[Sandbox]) -> Iterator[tuple[Any, Any]]:
    """Open where the user is heard, and where the agent is."""
    if args.line and sandbox is not None:
        caller = sandbox.caller(args.line, language=args.language)
        yield caller, caller
        return
    from ...audio.playing import Player
    from ...sources import MicrophoneSource

    with Player() as player:
        yield MicrophoneSource(), player


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "voice": args.voice,
        "language": args.language,
        "duplex": args.duplex,
        "patience_sec": args.patience,
        "stt": None if args.model is None else {"model": args.model},
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return {**given, **patience_of(args)}


def _show(args: argparse.Namespace, console: Console, turn: Turn) -> None:
    if args.json:
        console.write_json(json.dumps(dataclasses.asdict(turn), ensure_ascii=False))
        return
    if turn.user_text:
        console.write(f"you:   {_plain(turn.user_text)}\n")
    if turn.agent_text_heard or turn.interrupted:
        words = [_plain(turn.agent_text_heard), "--" if turn.interrupted else ""]
        console.write(f"agent: {' '.join(filter(None, words))}\n")


def _plain(text: str) -> str:
    """Return a text in one line, without control characters."""
    from ...transcript.words import printable

    return " ".join(printable(text.replace("\n", " ")).split())


def _summary(metrics: ConversationMetrics) -> str:
    after = metrics.median.total_sec
    answers = "" if after is None else f", answered after {after:.1f} s (median)"
    return f"{metrics.count} turns, {metrics.interrupted} interrupted{answers}"
