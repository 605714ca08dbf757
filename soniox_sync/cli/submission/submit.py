"""`jobs submit`: from its options to a run."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Optional

from ...config import OneWayTranslation
from ..console import Console, UsageError
from ..contexts import context_of
from ..inputs import Input, expanded
from ..progress import Progress
from ..services import open_client
from ..targets import ENDINGS, format_of, make_folders, targets_of
from .delivery import Delivery
from .runner import Runner
from .state import COMPLETED, SUBMITTED, Item, State, StateFile
from .worker import Plan, Workers

if TYPE_CHECKING:
    from ...client import SonioxClient
    from ...rest.stt.types import TranscriptionJob

__all__ = ["FORMATS", "submit"]

FORMATS = ("text", "srt", "vtt", "json", "html")
# Options that decide what a job is: a run goes on only with the same.
_OF_JOBS = (
    *("model", "translate", "speakers", "languages", "language_hint", "term", "webhook"),
    *("reference",),
)
_MAX_REFERENCE_CHARS = 256


def submit(args: argparse.Namespace, console: Console) -> None:
    """Submit the inputs, and with `--wait` write their transcripts."""
    _check(args)
    fields = _job_fields(args)
    inputs = expanded(args.sources, folders=True, urls=True)
    inputs += [Input(f"id:{each}") for each in args.file_id or ()]
    state = _state(args, fields)
    try:
        items = _items(args, state, inputs)
        with open_client(args) as client, Progress(console) as progress:
            if args.webhook:
                fields.update(client.webhooks.fields(args.webhook))
            _run(args, console, client, state, items, fields, progress)
    finally:
        state.close()


def _check(args: argparse.Namespace) -> None:
    if not args.sources and not args.file_id and not (args.state and os.path.exists(args.state)):
        raise UsageError("give audio files, folders, URLs, or --file-id ID")
    if "-" in args.sources:
        raise UsageError("stdin cannot be submitted: name a file")
    if not args.wait:
        for option in ("delete_after", "format", "output", "timeout"):
            if getattr(args, option) not in (None, False):
                raise UsageError(f"--{option.replace('_', '-')} needs --wait")
    if args.json and args.output is None and args.format not in (None, "text"):
        raise UsageError(f"--json cannot be combined with --format {args.format}: add -o PATH")
    args.format = format_of(args.format, args.output, FORMATS)


def _job_fields(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "context": context_of(args),
        "language_hints": args.language_hint,
        "enable_speaker_diarization": args.speakers or None,
        "enable_language_identification": args.languages or None,
        "model": args.model,
    }
    if args.translate is not None:
        fields["translation"] = OneWayTranslation(args.translate)
    return {name: value for name, value in fields.items() if value is not None}


def _state(args: argparse.Namespace, fields: dict[str, Any]) -> State:
    options = {name: getattr(args, name) for name in _OF_JOBS if getattr(args, name)}
    if "context" in fields:
        options["context"] = fields["context"]
    return State(options) if args.state is None else StateFile(args.state, options)


def _items(args: argparse.Namespace, state: State, inputs: Sequence[Input]) -> list[Item]:
    """Return the items to do: of the inputs, or without any those of the state."""
    if not inputs:
        items = list(state.items.values())
        inputs = [Input(item.key) for item in items]
    else:
        items = [state.add(each.source, args.reference) for each in inputs]
    if args.state is not None:
        _name_items(state, args.reference)
    if len(items) > 1 and args.wait and args.output is None and args.format not in _ON_STDOUT:
        raise UsageError(f"{len(items)} inputs as {args.format}: add -o FOLDER")
    _reopen(args, items)
    if args.output is not None:
        _place(items, inputs, args.output, ENDINGS[args.format])
    return items


def _reopen(args: argparse.Namespace, items: Sequence[Item]) -> None:
    """Fetch transcripts again that are not where this run is to write them.

    What an earlier run wrote to stdout may be lost with it: `... > all.txt`, twice.
    """
    if not args.wait or args.delete_after:
        return
    for item in items:
        if args.output is None:
            item.output = None
        is_there = item.output is not None and os.path.exists(item.output)
        if item.status == COMPLETED and not is_there:
            item.status = SUBMITTED


# several of another format, one behind the other, would be no document
_ON_STDOUT = ("text",)


def _name_items(state: State, reference: Optional[str]) -> None:
    """Give each new item a reference of its own, by which its job can be found."""
    for item in state.items.values():
        if item.is_named:
            continue
        item.reference = f"{reference or 'soniox-sync'}-{secrets.token_hex(8)}"
        item.is_named = True
        if len(item.reference) > _MAX_REFERENCE_CHARS:
            longest = _MAX_REFERENCE_CHARS - len(item.reference) + len(reference or "")
            raise UsageError(f"--reference: with --state at most {longest} characters")


def _place(items: Sequence[Item], inputs: Sequence[Input], output: str, ending: str) -> None:
    """Set where transcripts are written; those that exist stay where they are."""
    due = [index for index, item in enumerate(items) if not item.is_over]
    taken = [item.output for item in items if item.is_over and item.output is not None]
    if not due:
        return
    chosen = [inputs[index] for index in due]
    if len(items) > 1 and not output.endswith("/"):
        targets_of(inputs, output, ending)  # refuses what several inputs cannot have
        output = os.path.join(output, "")
    targets = targets_of(chosen, output, ending, taken)
    make_folders(targets, needed=targets != [output])
    for index, target in zip(due, targets):
        items[index].output = target


def _run(
    args: argparse.Namespace,
    console: Console,
    client: SonioxClient,
    state: State,
    items: Sequence[Item],
    fields: dict[str, Any],
    progress: Progress,
) -> None:
    several = len(items) > 1
    plan = Plan(
        fields=fields,
        unique=args.state is not None,
        wait=args.wait,
        timeout_sec=args.timeout,
        on_upload=None if several else partial(progress.set_bar, "uploading"),
        on_status=None if several else partial(_show_status, progress),
    )
    delivery = Delivery(args, console, several=several)
    workers = Workers(client, plan, min(args.concurrency, max(1, len(items))))
    Runner(args, console, state, delivery).run(items, workers, progress)


def _show_status(progress: Progress, job: TranscriptionJob) -> None:
    progress.set_text(f"{job.filename}: {job.status}")
